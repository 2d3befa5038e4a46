internal import JSON
internal import Tensors

/// Reads the part of TOML (<https://toml.io/en/v1.0.0>) that a list of models takes, and nothing else:
///
/// - comments;
/// - the headers `[defaults]`, at most once, and `[[model]]`;
/// - `key = value`, with bare keys (letters, digits, `-`, `_`), each once in a table;
/// - strings on one line, `"basic"` with escapes and `'literal'`; decimal numbers; `true` and `false`;
///   arrays of these values, on one line or several.
///
/// Dotted and quoted keys, inline tables, multi-line strings, dates, other headers and numbers in other
/// notations are errors, which say the line.
struct TOMLReader {
  private let bytes: [UInt8]
  private let path: String
  private var next = 0
  private var line = 1

  init(_ bytes: [UInt8], path: String) throws(ReleaseError) {
    self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes[3...]) : bytes
    self.path = path
    guard String(validating: bytes, as: UTF8.self) != nil else { throw bad("it is no UTF-8 text") }
  }

  private func bad(_ reason: String) -> ReleaseError {
    .badList(
      path: path, line: line, reason: reason,
      remedy:
        "A list of models is TOML: comments, [defaults], [[model]] and lines of key = value, with strings, numbers, true, false and arrays."
    )
  }

  private var byte: UInt8? { next < bytes.count ? bytes[next] : nil }

  private func isNext(_ text: StaticString) -> Bool {
    bytes[next...].starts(with: Array("\(text)".utf8))
  }

  /// What stands here, for errors.
  private var found: String {
    guard let byte, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") else {
      return next < bytes.count ? "the end of the line" : "the end of the file"
    }
    let rest = bytes[next...].prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    return "'\(printable(String(decoding: rest.prefix(40), as: UTF8.self)))'"
  }

  private mutating func skipSpaces() {
    while byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { next += 1 }
  }

  /// Skips a comment and the end of the line; nothing else may stand there.
  private mutating func endLine() throws(ReleaseError) {
    skipSpaces()
    if byte == UInt8(ascii: "#") {
      while let byte, byte != UInt8(ascii: "\n") {
        guard byte >= 0x20 || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") else {
          throw bad("a comment has the control character \(byte)")
        }
        next += 1
      }
    }
    if isNext("\r\n") { next += 1 }
    guard byte == UInt8(ascii: "\n") || byte == nil else {
      throw bad("expected the end of the line, found \(found)")
    }
    if byte != nil { next += 1 }
    line += 1
  }

  /// Takes the whole text.
  mutating func tables() throws(ReleaseError) -> (
    defaults: ReleaseList.Table, models: [ReleaseList.Table]
  ) {
    var defaults: ReleaseList.Table?
    var models: [ReleaseList.Table] = []
    while next < bytes.count {
      skipSpaces()
      switch byte {
      case nil, UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): break
      case _ where isNext("[[model]]"):
        next += "[[model]]".utf8.count
        models.append(ReleaseList.Table(line: line))
      case _ where isNext("[defaults]"):
        guard defaults == nil else { throw bad("a second [defaults]") }
        guard models.isEmpty else { throw bad("[defaults] stands behind a [[model]]") }
        next += "[defaults]".utf8.count
        defaults = ReleaseList.Table(line: line)
      case UInt8(ascii: "["): throw bad("expected [defaults] or [[model]], found \(found)")
      default:
        let entry = try entry()
        let table = models.last ?? defaults
        guard var table else {
          throw bad("'\(entry.key)' stands in front of [defaults] and [[model]]")
        }
        guard !table.entries.contains(where: { $0.key == entry.key }) else {
          throw bad("'\(entry.key)' is said twice")
        }
        table.entries.append(entry)
        if models.isEmpty { defaults = table } else { models[models.count - 1] = table }
      }
      try endLine()
    }
    return (defaults ?? ReleaseList.Table(), models)
  }

  /// `key = value`
  private mutating func entry() throws(ReleaseError) -> ReleaseList.Entry {
    let place = line
    let start = next
    while let byte, isBare(byte) { next += 1 }
    let key = String(decoding: bytes[start..<next], as: UTF8.self)
    guard !key.isEmpty else { throw bad("expected a key, found \(found)") }
    skipSpaces()
    guard byte == UInt8(ascii: "=") else {
      throw bad("expected '=' behind '\(key)', found \(found)")
    }
    next += 1
    skipSpaces()
    return ReleaseList.Entry(key: key, value: try value(), line: place)
  }

  private func isBare(_ byte: UInt8) -> Bool {
    switch UnicodeScalar(byte) {
    case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
    default: false
    }
  }

  private mutating func value() throws(ReleaseError) -> JSONValue {
    switch byte {
    case UInt8(ascii: "\""):
      guard !isNext("\"\"\"") else { throw bad("strings of several lines are not read") }
      return .string(try basicString())
    case UInt8(ascii: "'"):
      guard !isNext("'''") else { throw bad("strings of several lines are not read") }
      return .string(try literalString())
    case UInt8(ascii: "["): return try array()
    default: return try numberOrBoolean()
    }
  }

  private mutating func array() throws(ReleaseError) -> JSONValue {
    next += 1
    var elements: [JSONValue] = []
    func isAtLineEnd(_ byte: UInt8?) -> Bool {
      [UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#")].contains(byte)
    }
    while true {
      skipSpaces()
      while isAtLineEnd(byte) {
        try endLine()
        skipSpaces()
      }
      if byte == UInt8(ascii: "]") { break }
      guard byte != UInt8(ascii: "[") else { throw bad("an array in an array is not read") }
      elements.append(try value())
      skipSpaces()
      while isAtLineEnd(byte) {
        try endLine()
        skipSpaces()
      }
      if byte == UInt8(ascii: ",") {
        next += 1
      } else if byte != UInt8(ascii: "]") {
        throw bad("expected ',' or ']', found \(found)")
      }
    }
    next += 1
    return .array(elements)
  }

  private mutating func literalString() throws(ReleaseError) -> String {
    next += 1
    let start = next
    while let byte, byte != UInt8(ascii: "'") {
      try requireInString(byte)
      next += 1
    }
    guard byte != nil else { throw bad("a string does not end") }
    defer { next += 1 }
    return String(decoding: bytes[start..<next], as: UTF8.self)
  }

  private func requireInString(_ byte: UInt8) throws(ReleaseError) {
    guard byte != UInt8(ascii: "\n") && byte != UInt8(ascii: "\r") else {
      throw bad("a string does not end on its line")
    }
    guard byte >= 0x20 && byte != 0x7F || byte == UInt8(ascii: "\t") else {
      throw bad("a string has the control character \(byte), which needs an escape")
    }
  }

  private mutating func basicString() throws(ReleaseError) -> String {
    let escapes: [UInt8: Unicode.Scalar] = [
      UInt8(ascii: "b"): "\u{8}", UInt8(ascii: "t"): "\t", UInt8(ascii: "n"): "\n",
      UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "r"): "\r", UInt8(ascii: "\""): "\"",
      UInt8(ascii: "\\"): "\\",
    ]
    next += 1
    var text: [UInt8] = []
    while let byte, byte != UInt8(ascii: "\"") {
      try requireInString(byte)
      next += 1
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      guard let letter = self.byte else { break }
      if let character = escapes[letter] {
        next += 1
        text += Array(String(character).utf8)
        continue
      }
      let digits = [UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8][letter]
      let hexadecimal = digits.map { bytes[(next + 1)...].prefix($0) }
      guard let digits, let hexadecimal, hexadecimal.count == digits,
        hexadecimal.allSatisfy({ UnicodeScalar($0).properties.isASCIIHexDigit }),
        let value = UInt32(String(decoding: hexadecimal, as: UTF8.self), radix: 16),
        let scalar = Unicode.Scalar(value)
      else {
        throw bad("a string has the unknown escape \\\(printable(String(UnicodeScalar(letter))))")
      }
      next += 1 + digits
      text += Array(String(scalar).utf8)
    }
    guard byte != nil else { throw bad("a string does not end") }
    next += 1
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func numberOrBoolean() throws(ReleaseError) -> JSONValue {
    let start = next
    while let byte, isBare(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") {
      next += 1
    }
    let text = String(decoding: bytes[start..<next], as: UTF8.self)
    if text == "true" || text == "false" { return .bool(text == "true") }
    guard text.wholeMatch(of: #/[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/#) != nil,
      let number = Double(text), number.isFinite
    else {
      next = start
      throw bad("expected a string, a number, true, false or an array, found \(found)")
    }
    return Int(exactly: number).map(JSONValue.integer) ?? .number(number)
  }
}
