import ArgumentParser
import Conversion
import JSON
import Naming
import Releases
import Tensors

/// One model that is to be released.
struct ReleasedModel {
  let train: String
  let folder: String
  let options: ReleaseOptions

  init(train: String, folder: String, options: ReleaseOptions) {
    self.train = train
    self.folder = folder
    self.options = options
  }

  /// Those of a list, each in a folder of its name. Paths in the list begin at the folder that it is in.
  ///
  /// - Throws: `ReleaseError.badList` if anything in it is not as it has to be; `ReadError`.
  static func all(in path: String, to output: String) throws -> [ReleasedModel] {
    let list = try ReleaseList(path: path)
    var places: [String: Int?] = [:]
    return try list.models.map { table in
      let model = try ReleasedModel(table, of: path, to: output)
      // Not every file system tells small letters from capitals.
      let name = model.options.name.lowercased()
      guard !places.keys.contains(name) else {
        let other = places[name]!.map { ", as that at line \($0)" } ?? ""
        throw ReleaseError.badList(
          path: path, line: table.line,
          reason: "this model is called '\(model.options.name)'\(other), and so is another",
          remedy: "Give each model a 'name' of its own.")
      }
      places[name] = table.line
      return model
    }
  }

  private init(_ table: ReleaseList.Table, of path: String, to output: String) throws {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var arguments: [String] = []
    for entry in table.entries {
      arguments += try ReleasedModel.arguments(for: entry, of: path, in: folder)
    }
    guard table.entries.contains(where: { $0.key == ReleaseKey.train }) else {
      throw ReleaseError.badList(
        path: path, line: table.line, reason: "this model has no 'path'",
        remedy: "It is the training checkpoint, as path = \"model.pth\".")
    }
    do {
      let parsed = try ReleaseArguments.parse(arguments)
      train = parsed.train!
      options = try parsed.options(for: train)
    } catch  where status(of: error) == nil {
      throw ReleaseError.badList(
        path: path, line: table.line, reason: ReleasedModel.reason(for: error),
        remedy: "Keys take what the options of the same names do; see 'repconv release --help'.")
    }
    self.folder = "\(output)/\(options.name)"
  }

  /// What the parser of arguments has to say, as the middle of a sentence.
  private static func reason(for error: any Error) -> String {
    var text = ReleaseArguments.message(for: error)
    if text.last == "." { text.removeLast() }
    return text
  }

  /// An entry as the command line has it.
  private static func arguments(
    for entry: ReleaseList.Entry, of path: String, in folder: String
  ) throws(ReleaseError) -> [String] {
    func bad(_ reason: String, _ remedy: String) -> ReleaseError {
      .badList(path: path, line: entry.line, reason: reason, remedy: remedy)
    }
    guard let key = ReleaseKey.all.first(where: { $0.name == entry.key }) else {
      let nearest = nearestNames(to: entry.key, in: ReleaseKey.all.map(\.name))
      throw bad(
        "there is no key '\(printable(entry.key))'",
        nearest.isEmpty
          ? "Keys are: \(ReleaseKey.all.map(\.name).joined(separator: ", "))."
          : "Nearest: \(nearest.joined(separator: ", ")).")
    }
    func wrongKind(_ expected: String) -> ReleaseError {
      bad("'\(key.name)' is \(entry.value.kind)", "It takes \(expected).")
    }
    func text(_ value: JSONValue) -> String? {
      switch value {
      case .string(let text): text
      case .integer(let number): "\(number)"
      case .number(let number): "\(number)"
      default: nil
      }
    }
    switch key.kind {
    case .text:
      guard let text = text(entry.value) else { throw wrongKind("a string or a number") }
      return ["--\(key.name)=\(text)"]
    case .flag:
      guard let isOn = entry.value.bool else { throw wrongKind("true or false") }
      return isOn ? ["--\(key.name)"] : []
    case .path:
      guard let name = entry.value.string, !name.isEmpty else { throw wrongKind("a path") }
      let place = name.hasPrefix("/") ? name : folder + name
      // What looks like an option is none behind a folder.
      return key.name == ReleaseKey.train
        ? [place.hasPrefix("-") ? "./" + place : place] : ["--\(key.name)=\(place)"]
    case .list:
      let values = (entry.value.elements ?? [entry.value]).map(text)
      guard values.allSatisfy({ $0 != nil }) else {
        throw wrongKind("a string or an array of strings")
      }
      let texts = values.map { $0! }
      return key.isRepeated
        ? texts.map { "--\(key.name)=\($0)" } : ["--\(key.name)=\(texts.joined(separator: ","))"]
    }
  }
}

extension ReleaseKey {
  /// Whether its option is given once for each of several values; of others they are joined by commas.
  fileprivate var isRepeated: Bool { ["meta", "rename", "keep-float"].contains(name) }
}
