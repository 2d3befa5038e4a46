import ArgumentParser
import Checkpoints
import Conversion
import Tensors

/// What people want to know of a model.
struct MetadataArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Names of the classes: one to a line, or a JSON array or object.", valueName: "file"),
    completion: .file())
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "The model's license, as an SPDX expression: Apache-2.0, CC-BY-NC-4.0.",
      valueName: "SPDX"))
  var license: String?

  @Option(
    name: .customLong("meta"),
    help: ArgumentHelp(
      "Say more about the model: authors (one each time), homepage, task, or a key of your own; without a value, leave out what the input says. May be repeated.",
      valueName: "key=value"),
    transform: MetadataEntry.argument)
  var entries: [MetadataEntry] = []

  /// Files that are read, and so must not be the output.
  var files: [String] { labels.map { [$0] } ?? [] }

  func validate() throws { _ = try said }

  /// What is given, with the labels read from their file.
  var given: GivenMetadata {
    get throws {
      var given = try said
      given.labels = try labels.map(LabelsFile.init)
      return given
    }
  }

  /// What is given, beside the labels.
  private var said: GivenMetadata {
    get throws {
      var given = GivenMetadata()
      if let license { given.metadata.license = try MetadataArguments.license(license) }
      for entry in entries {
        func set(_ property: WritableKeyPath<ModelMetadata, String?>) throws {
          guard given.metadata[keyPath: property] == nil else {
            throw ValidationError("Say \(entry.key) once.")
          }
          given.metadata[keyPath: property] = entry.value
        }
        if entry.value.isEmpty {
          given.removed.append(entry.key)
          continue
        }
        switch entry.key {
        case "labels": throw ValidationError("--labels FILE gives the names of the classes.")
        case "license":
          try set(\.license)
          given.metadata.license = try MetadataArguments.license(entry.value)
        case "authors": given.metadata.authors.append(entry.value)
        case "homepage":
          guard entry.value.contains(#/^[A-Za-z][A-Za-z0-9+.-]*:\S+$/#) else {
            throw ValidationError(
              "--meta homepage takes a URL, as https://example.org, not '\(entry.value)'.")
          }
          try set(\.homepage)
        case "task": try set(\.task)
        default:
          guard !given.metadata.custom.contains(where: { $0.key == entry.key }) else {
            throw ValidationError("Say \(entry.key) once.")
          }
          given.metadata.custom.append(ModelMetadata.Entry(entry.key, entry.value))
        }
      }
      return given
    }
  }

  private static func license(_ text: String) throws -> String {
    do throws(LicenseExpression.Problem) {
      return try LicenseExpression(text).description
    } catch {
      throw ValidationError(
        "'\(text)' is not an SPDX license expression: \(error.reason). As in MIT, or 'Apache-2.0 OR MIT'; a license of your own is LicenseRef-NAME."
      )
    }
  }
}

/// A key and what is said of it.
struct MetadataEntry {
  var key: String
  var value: String

  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> MetadataEntry {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else {
      throw ValidationError("expected KEY=VALUE, as in task=image-classification")
    }
    // Both are what people may write.
    let synonyms = ["author": "authors", "licence": "license"]
    let key = String(parts[0])
    return MetadataEntry(key: synonyms[key] ?? key, value: String(parts[1]))
  }
}

extension ModelMetadata {
  /// What a report says of it.
  var rows: [String] {
    var rows: [String] = []
    func add(_ label: String, _ text: String?) {
      if let text { rows.append(row(label, printable(text))) }
    }
    if !labels.isEmpty {
      let names = labels.prefix(3).map(printable).joined(separator: ", ")
      rows.append(
        row("labels", "\(grouped(labels.count)): \(names)\(labels.count > 3 ? ", …" : "")"))
    }
    add("license", license)
    add("authors", authors.isEmpty ? nil : authors.joined(separator: "; "))
    add("homepage", homepage)
    add("task", task)
    for entry in custom {
      rows.append(row("about", "\(printable(entry.key)): \(printable(entry.value))"))
    }
    return rows
  }
}
