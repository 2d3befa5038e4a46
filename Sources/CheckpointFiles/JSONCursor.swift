internal import Tensors

/// A cursor over JSON text (RFC 8259) of which the caller takes what it expects, value by value; the
/// text never becomes a tree, however long it is.
///
/// Strict: no comments, no trailing commas, no byte order mark, no control characters in strings;
/// strings must be Unicode text, so an escaped half of a surrogate pair is an error. White space is
/// skipped before every value and every mark.
struct JSONCursor {
  private let text: [UInt8]
  private let place: Location
  private var next = 0
  private var depth = 0

  /// The deepest nesting of arrays and objects accepted, also in values that are skipped. No header
  /// needs more than five levels; the limit keeps a hostile one from exhausting the stack. It is the
  /// one of Rust's `serde_json`.
  static let maximumDepth = 128

  /// - Parameter place: where the first byte of `text` is, for errors.
  init(_ text: [UInt8], at place: Location) {
    self.text = text
    self.place = place
  }

  /// Where the cursor stands.
  var location: Location { place.at((place.offset ?? 0) + next) }

  func error(at location: Location? = nil, expected: String, found: String) -> ReadError {
    .malformed(location ?? self.location, expected: expected, found: found, remedy: fetchAgain)
  }

  /// Takes an object; `body` takes the value of each key.
  mutating func object(
    _ what: String,
    _ body: (inout JSONCursor, _ key: String, _ place: Location) throws(ReadError) -> Void
  ) throws(ReadError) {
    try open("{", what)
    if takeMark("}") { return close() }
    while true {
      skipWhiteSpace()
      let place = location
      let key = try string("a key in quotation marks")
      guard takeMark(":") else { throw error(expected: "':'", found: here) }
      try body(&self, key, place)
      if takeMark("}") { return close() }
      guard takeMark(",") else { throw error(expected: "',' or '}'", found: here) }
    }
  }

  /// Takes an array; `body` takes each element.
  mutating func array(
    _ what: String, _ body: (inout JSONCursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    try open("[", what)
    if takeMark("]") { return close() }
    while true {
      try body(&self)
      if takeMark("]") { return close() }
      guard takeMark(",") else { throw error(expected: "',' or ']'", found: here) }
    }
  }

  /// Takes a number that is written with digits alone, as `12`, but not `-0`, `1.0`, `1e1` or `01`.
  mutating func naturalNumber(_ what: String) throws(ReadError) -> Int {
    skipWhiteSpace()
    let place = location
    let token = numberToken()
    guard !token.isEmpty else { throw error(expected: what, found: here) }
    let isPlain =
      token.allSatisfy { isDigit($0) } && (token.count == 1 || token.first != UInt8(ascii: "0"))
    guard isPlain, let number = Int(String(decoding: token, as: UTF8.self)) else {
      throw error(
        at: place, expected: what, found: "'\(String(decoding: token.prefix(32), as: UTF8.self))'")
    }
    return number
  }

  /// Takes `null` if it stands here.
  mutating func takeNull() -> Bool {
    skipWhiteSpace()
    return take(word: "null")
  }

  /// Takes any value and drops it.
  mutating func skipValue() throws(ReadError) {
    skipWhiteSpace()
    guard next < text.count else { throw error(expected: "a value", found: here) }
    switch text[next] {
    case UInt8(ascii: "{"):
      try object("an object") { (json, _, _) throws(ReadError) in try json.skipValue() }
    case UInt8(ascii: "["):
      try array("an array") { (json) throws(ReadError) in try json.skipValue() }
    case UInt8(ascii: "\""): _ = try string("a string")
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let place = location
      let token = numberToken()
      guard isJSONNumber(token) else {
        throw error(
          at: place, expected: "a number",
          found: "'\(String(decoding: token.prefix(32), as: UTF8.self))'")
      }
    default:
      guard take(word: "null") || take(word: "true") || take(word: "false") else {
        throw error(expected: "a value", found: here)
      }
    }
  }

  /// Checks that only white space is left.
  mutating func end() throws(ReadError) {
    skipWhiteSpace()
    guard next == text.count else { throw error(expected: "nothing more", found: here) }
  }
}

// Strings.
extension JSONCursor {
  /// Takes a string.
  ///
  /// - Parameter what: what it is, for the error if none stands here.
  mutating func string(_ what: String) throws(ReadError) -> String {
    skipWhiteSpace()
    let place = location
    guard take("\"") else { throw error(expected: what, found: here) }
    var bytes: [UInt8] = []
    while next < text.count {
      let byte = text[next]
      switch byte {
      case UInt8(ascii: "\""):
        next += 1
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw error(at: place, expected: "a string in UTF-8", found: "other bytes")
        }
        return string
      case UInt8(ascii: "\\"): bytes.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw error(expected: "a string without control characters", found: here)
      default:
        bytes.append(byte)
        next += 1
      }
    }
    throw error(
      at: place, expected: "a string with its closing quotation mark",
      found: "the end of the JSON text")
  }

  private static let shortEscapes: [UInt8: UnicodeScalar] = [
    UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/",
    UInt8(ascii: "b"): "\u{8}", UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "n"): "\n",
    UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
  ]

  private mutating func escape() throws(ReadError) -> UnicodeScalar {
    let place = location
    next += 1
    if next < text.count, let scalar = JSONCursor.shortEscapes[text[next]] {
      next += 1
      return scalar
    }
    if let unit = codeUnit() {
      if let scalar = UnicodeScalar(unit) { return scalar }
      // A character above U+FFFF takes two: the upper half of a pair and the lower one.
      if (0xD800..<0xDC00).contains(unit), take("\\"), let low = codeUnit(),
        (0xDC00..<0xE000).contains(low),
        let scalar = UnicodeScalar(0x10000 + (UInt32(unit - 0xD800) << 10 | UInt32(low - 0xDC00)))
      {
        return scalar
      }
    }
    throw error(at: place, expected: "the escape of a character", found: "another escape")
  }

  /// Takes `u` and four hexadecimal digits.
  private mutating func codeUnit() -> UInt16? {
    guard next < text.count, text[next] == UInt8(ascii: "u"), text.count - next >= 5 else {
      return nil
    }
    let digits = text[(next + 1)..<(next + 5)]
    guard digits.allSatisfy({ isDigit($0) || (0x41...0x46).contains($0 & ~0x20) }) else {
      return nil
    }
    next += 5
    return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}

// Marks and tokens.
extension JSONCursor {
  private mutating func open(_ mark: Unicode.Scalar, _ what: String) throws(ReadError) {
    guard takeMark(mark) else { throw error(expected: what, found: here) }
    depth += 1
    guard depth <= JSONCursor.maximumDepth else {
      throw .limitExceeded(
        location, what: "nested arrays and objects", limit: JSONCursor.maximumDepth,
        found: "\(depth) levels")
    }
  }

  private mutating func close() { depth -= 1 }

  private mutating func takeMark(_ mark: Unicode.Scalar) -> Bool {
    skipWhiteSpace()
    return take(mark)
  }

  private mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard next < text.count, text[next] == UInt8(ascii: mark) else { return false }
    next += 1
    return true
  }

  mutating func take(word: String) -> Bool {
    guard text[next...].starts(with: word.utf8) else { return false }
    next += word.utf8.count
    return true
  }

  mutating func numberToken() -> ArraySlice<UInt8> {
    let start = next
    while next < text.count, isDigit(text[next]) || "+-.eE".utf8.contains(text[next]) { next += 1 }
    return text[start..<next]
  }

  mutating func skipWhiteSpace() {
    while next < text.count, JSONCursor.isWhiteSpace(text[next]) { next += 1 }
  }

  static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
  }

  /// The byte at the cursor; nil at the end.
  var nextByte: UInt8? { next < text.count ? text[next] : nil }

  /// What stands at the cursor, for an error.
  var here: String {
    guard next < text.count else { return "the end of the JSON text" }
    switch text[next] {
    case UInt8(ascii: "{"): return "an object"
    case UInt8(ascii: "["): return "an array"
    case UInt8(ascii: "\""): return "a string"
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return "a number"
    case 0x21...0x7E: return "'\(Character(Unicode.Scalar(text[next])))'"
    case let byte: return "the byte \(byte)"
    }
  }
}

func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// `-`, digits without a leading zero, `.` and digits, `e` and digits with or without a sign.
func isJSONNumber(_ token: ArraySlice<UInt8>) -> Bool {
  var rest = token
  func takeDigits() -> Int {
    let digits = rest.prefix { isDigit($0) }
    rest = rest[digits.endIndex...]
    return digits.count
  }
  if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
  let leadsWithZero = rest.first == UInt8(ascii: "0")
  let whole = takeDigits()
  guard whole == 1 || whole > 1 && !leadsWithZero else { return false }
  if rest.first == UInt8(ascii: ".") {
    rest.removeFirst()
    guard takeDigits() > 0 else { return false }
  }
  if let first = rest.first, first | 0x20 == UInt8(ascii: "e") {
    rest.removeFirst()
    if let sign = rest.first, "+-".utf8.contains(sign) { rest.removeFirst() }
    guard takeDigits() > 0 else { return false }
  }
  return rest.isEmpty
}
