public import Tensors

extension JSONValue {
  /// The deepest nesting of arrays and objects accepted. A manifest needs four levels; the limit
  /// keeps a hostile file from exhausting the stack.
  public static let maximumDepth = 32

  /// Parses canonical JSON (RFC 8785), and nothing else: a text that is not byte for byte what
  /// `canonical()` would write is an error.
  ///
  /// - Parameter place: where the first byte of `text` is, for errors.
  public init(canonical text: [UInt8], at place: Location) throws(ReadError) {
    var parser = CanonicalParser(text: text, place: place)
    self = try parser.value(depth: 0)
    guard parser.next == text.count else {
      throw parser.error(expected: "nothing after the JSON value", found: parser.here)
    }
  }
}

/// A cursor over canonical JSON text.
private struct CanonicalParser {
  let text: [UInt8]
  let place: Location
  var next = 0

  mutating func value(depth: Int) throws(ReadError) -> JSONValue {
    guard next < text.count else { throw error(expected: "a JSON value", found: here) }
    switch text[next] {
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
    case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw error(expected: "a JSON value", found: here)
    }
  }

  private mutating func literal(_ word: String, _ value: JSONValue) throws(ReadError) -> JSONValue {
    guard text[next...].starts(with: word.utf8) else {
      throw error(expected: "'\(word)'", found: here)
    }
    next += word.utf8.count
    return value
  }

  private mutating func array(depth: Int) throws(ReadError) -> [JSONValue] {
    try checkDepth(depth)
    next += 1
    var elements: [JSONValue] = []
    if take("]") { return elements }
    while true {
      elements.append(try value(depth: depth))
      if take("]") { return elements }
      guard take(",") else { throw error(expected: "',' or ']'", found: here) }
    }
  }

  private mutating func object(depth: Int) throws(ReadError) -> [JSONValue.Member] {
    try checkDepth(depth)
    next += 1
    var members: [JSONValue.Member] = []
    if take("}") { return members }
    while true {
      let start = next
      guard next < text.count, text[next] == UInt8(ascii: "\"") else {
        throw error(expected: "a key in quotation marks", found: here)
      }
      let key = try string()
      if let previous = members.last?.key,
        !previous.utf16.lexicographicallyPrecedes(key.utf16)
      {
        let isSame = previous.utf8.elementsEqual(key.utf8)
        throw error(
          at: start, expected: "keys in the order of their UTF-16 code units, each once",
          found: isSame ? "the key '\(key)' again" : "the key '\(key)' after '\(previous)'")
      }
      guard take(":") else { throw error(expected: "':'", found: here) }
      members.append(.init(key, try value(depth: depth)))
      if take("}") { return members }
      guard take(",") else { throw error(expected: "',' or '}'", found: here) }
    }
  }

  private func checkDepth(_ depth: Int) throws(ReadError) {
    guard depth <= JSONValue.maximumDepth else {
      throw .limitExceeded(
        place(next), what: "nested arrays and objects", limit: JSONValue.maximumDepth,
        found: "\(depth) levels")
    }
  }

  private mutating func string() throws(ReadError) -> String {
    let start = next
    next += 1
    var bytes: [UInt8] = []
    while next < text.count {
      let byte = text[next]
      switch byte {
      case UInt8(ascii: "\""):
        next += 1
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw error(at: start, expected: "a string in UTF-8", found: "other bytes")
        }
        return string
      case UInt8(ascii: "\\"): bytes.append(try escape())
      case 0..<0x20:
        throw error(expected: "an escape for a control character", found: "the character itself")
      default:
        bytes.append(byte)
        next += 1
      }
    }
    throw error(at: start, expected: "a string with its closing quotation mark", found: "no end")
  }

  /// One of the escapes that canonical JSON has: seven letters, and `\u00xx` where there is no letter.
  private mutating func escape() throws(ReadError) -> UInt8 {
    let start = next
    if next + 1 < text.count,
      let short = JSONValue.shortEscapes.first(where: { $0.letter == text[next + 1] })
    {
      next += 2
      return short.byte
    }
    if next + 6 <= text.count, text[(next + 1)...].starts(with: "u00".utf8),
      let high = hexDigit(text[next + 4]), let low = hexDigit(text[next + 5])
    {
      let byte = high << 4 | low
      if byte < 0x20 && !JSONValue.shortEscapes.contains(where: { $0.byte == byte }) {
        next += 6
        return byte
      }
    }
    throw error(
      at: start, expected: "the shortest form of a character",
      found:
        "the escape '\(String(decoding: text[start..<min(start + 6, text.count)], as: UTF8.self))'")
  }

  private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }

  private mutating func number() throws(ReadError) -> JSONValue {
    let start = next
    while next < text.count, "+-.0123456789eE".utf8.contains(text[next]) { next += 1 }
    let token = String(decoding: text[start..<next], as: UTF8.self)
    // No canonical number is longer than -1.2345678901234567e+300; do not convert a million digits.
    guard next - start <= 32, let number = Double(token), number.isFinite else {
      throw error(
        at: start, expected: "a number that a double can hold", found: "'\(token.prefix(32))'")
    }
    guard number.ecmaScript == token else {
      throw error(at: start, expected: "the number as '\(number.ecmaScript)'", found: "'\(token)'")
    }
    if let integer = Int(exactly: number), integer.magnitude <= JSONValue.largestInteger {
      return .integer(integer)
    }
    return .number(number)
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next < text.count, text[next] == UInt8(ascii: character) else { return false }
    next += 1
    return true
  }

  /// What stands at the cursor, for an error.
  var here: String {
    guard next < text.count else { return "the end of the JSON text" }
    switch text[next] {
    case 0x20, 0x09, 0x0A, 0x0D: return "white space, which canonical JSON does not have"
    case 0x21...0x7E: return "'\(Character(Unicode.Scalar(text[next])))'"
    case let byte: return "the byte \(byte)"
    }
  }

  private func place(_ offset: Int) -> Location { place.at((place.offset ?? 0) + offset) }

  func error(at offset: Int? = nil, expected: String, found: String) -> ReadError {
    .malformed(
      place(offset ?? next), expected: expected, found: found, remedy: writersFault)
  }
}

/// What to advise when a file is as it was written, by its checksum, and yet breaks the rules.
let writersFault =
  "The program that wrote the file does not follow the format; report it to that program's authors."
