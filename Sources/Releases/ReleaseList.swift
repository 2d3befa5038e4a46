package import JSON
internal import Tensors

/// A list of models to release: what each is asked for with, by the names of parameters.
///
/// In TOML, a subset of it (see `TOMLReader`), or in JSON with the same shape:
///
///     [defaults]                          {"defaults": {"license": "MIT"},
///     license = "MIT"                      "model": [{"path": "a.pth", "arch": "RepVGG-A0"}]}
///
///     [[model]]
///     path = "a.pth"
///     arch = "RepVGG-A0"
package struct ReleaseList: Sendable {
  /// One parameter.
  package struct Entry: Equatable, Sendable {
    package let key: String
    package let value: JSONValue
    /// Where it is; nil in JSON.
    package let line: Int?
  }

  /// Parameters that stand together.
  package struct Table: Equatable, Sendable {
    package var entries: [Entry] = []
    /// Where it begins; nil in JSON.
    package var line: Int?
  }

  /// The file, as the user gave it.
  package let path: String
  /// Each with its own parameters, and behind them those of the defaults that it does not say.
  package let models: [Table]

  /// More than any list takes.
  private static let maximumByteCount = 1 << 24

  /// - Throws: `ReadError` if it cannot be read; `ReleaseError.badList`.
  package init(path: String) throws {
    let file = try InputFile(path: path)
    guard file.count <= ReleaseList.maximumByteCount else {
      throw ReleaseError.badList(
        path: path, line: nil, reason: "it takes \(file.count) bytes, more than any list of models",
        remedy: "Name a list in TOML or JSON.")
    }
    let bytes = try file.bytes(0..<file.count, field: "the list")
    let isJSON = bytes.first { !JSONCursor.isWhiteSpace($0) } == UInt8(ascii: "{")
    var (defaults, models): (Table, [Table])
    if isJSON {
      (defaults, models) = try ReleaseList.tables(
        in: try JSONValue(bytes, at: Location(path: path), remedy: "Mend the list."), path: path)
    } else {
      var reader = try TOMLReader(bytes, path: path)
      (defaults, models) = try reader.tables()
    }
    guard !models.isEmpty else {
      throw ReleaseError.badList(
        path: path, line: nil, reason: "it names no model",
        remedy: isJSON ? "Give an array 'model' of objects." : "Begin each with a line [[model]].")
    }
    for index in models.indices {
      let own = models[index].entries
      models[index].entries += defaults.entries.filter { entry in
        !own.contains { $0.key == entry.key }
      }
    }
    self.path = path
    self.models = models
  }

  private static func tables(
    in json: JSONValue, path: String
  ) throws(ReleaseError) -> (defaults: Table, models: [Table]) {
    func bad(_ reason: String) -> ReleaseError {
      .badList(
        path: path, line: nil, reason: reason,
        remedy: "It is an object of 'defaults', an object, and 'model', an array of objects.")
    }
    func table(_ value: JSONValue, _ place: String) throws(ReleaseError) -> Table {
      guard case .object(let members) = value else {
        throw bad("\(place) is \(value.kind), not an object")
      }
      var table = Table()
      for member in members {
        guard !table.entries.contains(where: { $0.key == member.key.text }) else {
          throw bad("\(place) says '\(printable(member.key))' twice")
        }
        table.entries.append(Entry(key: member.key.text, value: member.value, line: nil))
      }
      return table
    }
    guard case .object(let members) = json else { throw bad("it is \(json.kind)") }
    var (defaults, models) = (Table(), [Table]())
    for member in members {
      switch member.key {
      case "defaults": defaults = try table(member.value, "'defaults'")
      case "model":
        guard let elements = member.value.elements else {
          throw bad("'model' is \(member.value.kind), not an array")
        }
        for (index, element) in elements.enumerated() {
          models.append(try table(element, "model \(index)"))
        }
      default: throw bad("'\(printable(member.key))' is neither 'defaults' nor 'model'")
      }
    }
    return (defaults, models)
  }
}

/// One of several parts of a list, which together are all of it: `2/3` is the second of three.
package struct Shard: Equatable, Sendable {
  /// From 1.
  package let index: Int
  package let count: Int

  /// Nil if `text` is none.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], count >= 1,
      (1...count).contains(index)
    else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// Whether it has the element at `position`, from 0. Neighbours are in different parts: models that are
  /// alike in size often stand together.
  package func contains(_ position: Int) -> Bool { position % count == index - 1 }
}
