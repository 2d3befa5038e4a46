internal import JSON
internal import Tensors

/// The names of classes, as a file lists them in the order of a network's result.
///
/// One to a line, in UTF-8; or in JSON, as an array of strings, as an object `{"0": "tench", "1": ...}`, or as
/// the object that comes with Keras, `{"0": ["n01440764", "tench"], ...}`, of which the last string counts.
public struct LabelsFile: Equatable, Sendable {
  /// The file, as the user gave it.
  public let path: String
  /// One for each class. Several may be alike: ImageNet has two cranes.
  public let names: [String]

  /// More than any list of names takes.
  static let maximumByteCount = 1 << 24

  /// - Throws: `ReadError` if the file cannot be read; `ConversionError.badLabels` if it is no such list.
  public init(path: String) throws {
    let file = try InputFile(path: path)
    guard file.count <= LabelsFile.maximumByteCount else {
      throw ConversionError.badLabels(
        path: path, line: nil, reason: "it takes \(file.count) bytes, more than any list of names")
    }
    self.path = path
    names = try LabelsFile.names(try file.bytes(0..<file.count, field: "the labels"), path: path)
  }

  /// - Throws: `ConversionError.labelsDiffer` unless there is a name for each of so many classes.
  public func requireOne(forEach classes: Int) throws(ConversionError) {
    guard names.count == classes else {
      throw .labelsDiffer(path: path, labels: names.count, classes: classes)
    }
  }

  private static func names(
    _ bytes: [UInt8], path: String
  ) throws(ConversionError) -> [String] {
    let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
    let start = text.first { !JSONCursor.isWhiteSpace($0) }
    let names =
      start == UInt8(ascii: "[") || start == UInt8(ascii: "{")
      ? try namesInJSON(Array(text), path: path) : try lines(of: text, path: path)
    guard !names.isEmpty else {
      throw .badLabels(path: path, line: nil, reason: "there is no name in it")
    }
    return names
  }

  private static func lines(
    of text: ArraySlice<UInt8>, path: String
  ) throws(ConversionError) -> [String] {
    var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    func isBlank(_ line: ArraySlice<UInt8>) -> Bool { line.allSatisfy(JSONCursor.isWhiteSpace) }
    while let last = lines.last, isBlank(last) { lines.removeLast() }
    var names: [String] = []
    for (index, var line) in lines.enumerated() {
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      guard !isBlank(line) else {
        throw .badLabels(path: path, line: index + 1, reason: "the line is empty")
      }
      guard let name = String(validating: line, as: UTF8.self) else {
        throw .badLabels(path: path, line: index + 1, reason: "it is not UTF-8 text")
      }
      names.append(name)
    }
    return names
  }

  private static func namesInJSON(
    _ text: [UInt8], path: String
  ) throws(ConversionError) -> [String] {
    let json: JSONValue
    do {
      json = try JSONValue(text, at: Location(path: path))
    } catch {
      guard case .malformed(let place, let expected, let found, _) = error else {
        throw .badLabels(path: path, line: nil, reason: "its JSON cannot be read")
      }
      let line = text[..<min(place.offset ?? 0, text.count)].count { $0 == UInt8(ascii: "\n") } + 1
      throw .badLabels(path: path, line: line, reason: "expected \(expected), found \(found)")
    }
    var values: [JSONValue?]
    switch json {
    case .array(let elements): values = elements
    case .object(let members):
      values = Array(repeating: nil, count: members.count)
      for member in members {
        guard let index = Int(member.key.text), "\(index)" == member.key,
          values.indices.contains(index), values[index] == nil
        else {
          throw .badLabels(
            path: path, line: nil,
            reason:
              "'\(printable(member.key))' is not the number of a class, from 0 to \(members.count - 1), each once"
          )
        }
        values[index] = member.value
      }
    default: preconditionFailure("it begins with a bracket")
    }
    var names: [String] = []
    for (index, value) in values.enumerated() {
      // Each number was there once, so all were.
      guard let name = value?.string ?? value?.elements?.last?.string else {
        throw .badLabels(
          path: path, line: nil,
          reason: "the name of class \(index) is \(value!.kind), not a string")
      }
      names.append(name)
    }
    return names
  }
}
