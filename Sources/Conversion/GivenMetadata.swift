public import Checkpoints
internal import Tensors

/// What somebody who knows says of a model, in place of what its file says.
public struct GivenMetadata: Equatable, Sendable {
  /// What is empty or nil in it is left to the file, and so are entries of other keys.
  public var metadata = ModelMetadata()
  /// The names of the classes.
  public var labels: LabelsFile?
  /// What is left out, though the file says it: properties by their names, and keys of entries.
  public var removed: [String] = []

  public init() {}

  /// What is known, with what is given in its place.
  ///
  /// - Parameters:
  ///   - path: the file that it is known from, for the error.
  ///   - classes: how many the network tells apart, if that is known.
  /// - Throws: `ConversionError.labelsDiffer` unless every class has one name.
  func applied(
    to known: ModelMetadata, of path: String, classes: Int?
  ) throws(ConversionError) -> ModelMetadata {
    var result = known
    for key in removed { result.remove(key) }
    if !metadata.labels.isEmpty { result.labels = metadata.labels }
    if let labels { result.labels = labels.names }
    if let license = metadata.license { result.license = license }
    if !metadata.authors.isEmpty { result.authors = metadata.authors }
    if let homepage = metadata.homepage { result.homepage = homepage }
    if let task = metadata.task { result.task = task }
    for entry in metadata.custom {
      result.custom.removeAll { $0.hasKey(entry.key) }
      result.custom.append(entry)
    }
    if let classes, !result.labels.isEmpty, result.labels.count != classes {
      throw .labelsDiffer(
        path: labels?.path ?? path, labels: result.labels.count, classes: classes)
    }
    return result
  }

  /// What should be said of what is given.
  var notes: [Note] {
    guard let license = metadata.license else { return [] }
    do {
      return try LicenseExpression(license).uncommonIdentifiers.map { .uncommonLicense($0) }
    } catch {
      return [.remark("'\(printable(license))' is not an SPDX license expression: \(error.reason)")]
    }
  }
}

extension ModelMetadata {
  fileprivate mutating func remove(_ key: String) {
    switch key {
    case "labels": labels = []
    case "license": license = nil
    case "authors": authors = []
    case "homepage": homepage = nil
    case "task": task = nil
    default: custom.removeAll { $0.hasKey(key) }
    }
  }

  /// What it says, by the names of its properties and entries.
  var parts: [String] {
    let properties = [
      labels.isEmpty ? nil : "labels", license == nil ? nil : "license",
      authors.isEmpty ? nil : "authors", homepage == nil ? nil : "homepage",
      task == nil ? nil : "task",
    ]
    return properties.compactMap { $0 } + custom.map { printable($0.key) }
  }
}

extension ModelMetadata.Entry {
  /// Whether it is so called, as bytes: Swift's strings are equal if they look the same.
  fileprivate func hasKey(_ key: String) -> Bool { self.key.utf8.elementsEqual(key.utf8) }
}
