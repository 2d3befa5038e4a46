internal import Tensors

/// A JSON text as a tree, for the few that are read here and there instead of from end to end.
enum JSONText: Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONText])
  case object([(key: String, value: JSONText)])

  /// Strict but for `NaN`, `Infinity` and `-Infinity`, which Python writes.
  ///
  /// - Parameter place: where the first byte of `text` is, for errors.
  init(_ text: [UInt8], at place: Location) throws(ReadError) {
    var cursor = JSONCursor(text, at: place)
    self = try cursor.tree()
    try cursor.end()
  }

  /// The member of an object with this key, the last if there are several, as in Python; nil if there
  /// is none or this is no object.
  subscript(key: String) -> JSONText? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var integer: Int? { number.flatMap { Int(exactly: $0) } }
  var elements: [JSONText]? { if case .array(let values) = self { values } else { nil } }
}

extension JSONCursor {
  fileprivate mutating func tree() throws(ReadError) -> JSONText {
    skipWhiteSpace()
    switch nextByte {
    case UInt8(ascii: "{"):
      var members: [(key: String, value: JSONText)] = []
      try object("an object") { (json, key, _) throws(ReadError) in
        members.append((key, try json.tree()))
      }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONText] = []
      try array("an array") { (json) throws(ReadError) in elements.append(try json.tree()) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try string("a string"))
    case let byte? where byte == UInt8(ascii: "-") || isDigit(byte):
      if take(word: "-Infinity") { return .number(-.infinity) }
      let place = location
      let token = numberToken()
      let text = String(decoding: token, as: UTF8.self)
      guard isJSONNumber(token), let number = Double(text) else {
        throw error(at: place, expected: "a number", found: "'\(text.prefix(32))'")
      }
      return .number(number)
    default:
      let words: [(String, JSONText)] = [
        ("null", .null), ("true", .bool(true)), ("false", .bool(false)), ("NaN", .number(.nan)),
        ("Infinity", .number(.infinity)),
      ]
      for (word, value) in words where take(word: word) { return value }
      throw error(expected: "a value", found: here)
    }
  }
}
