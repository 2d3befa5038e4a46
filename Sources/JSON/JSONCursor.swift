package import Tensors

/// A cursor over JSON text of which the caller takes what it expects, value by value; the text becomes
/// a tree only where the caller takes a `JSONValue`.
///
/// White space is skipped before every value and every mark, except in canonical JSON, which has none.
package struct JSONCursor {
  let text: [UInt8]
  let form: JSONForm
  /// Of `text`.
  var next = 0
  private let place: Location
  private let maximumDepth: Int
  /// Whether that is a limit which can be raised.
  private let isRaisable: Bool
  private let remedy: String
  private var depth = 0

  /// - Parameters:
  ///   - place: where the first byte of `text` is, for errors.
  ///   - limits: of the file that the text is in, if it has any.
  ///   - maximumDepth: the deepest nesting of arrays and objects that the format allows; nil if it is up to
  ///     the limits. Values that are skipped count, too.
  ///   - remedy: what errors advise.
  package init(
    _ text: [UInt8], _ form: JSONForm = .standard, at place: Location,
    limits: ReadingLimits? = nil, maximumDepth: Int? = nil, remedy: String = fetchAgain
  ) {
    self.text = text
    self.form = form
    self.place = place
    self.maximumDepth = maximumDepth ?? (limits ?? ReadingLimits())[.jsonDepth]
    isRaisable = limits != nil && maximumDepth == nil
    self.remedy = remedy
  }

  /// Where the cursor stands.
  package var location: Location { location(at: next) }

  func location(at index: Int) -> Location { place.at((place.offset ?? 0) + index) }

  package func error(at location: Location? = nil, expected: String, found: String) -> ReadError {
    .malformed(location ?? self.location, expected: expected, found: found, remedy: remedy)
  }

  func error(at index: Int, expected: String, found: String) -> ReadError {
    error(at: location(at: index), expected: expected, found: found)
  }

  /// Takes an object; `body` takes the value of each key.
  ///
  /// Keys may repeat, except in canonical JSON, where they come sorted.
  package mutating func object(
    _ what: String,
    _ body: (inout JSONCursor, _ key: Name, _ place: Location) throws(ReadError) -> Void
  ) throws(ReadError) {
    try open("{", what)
    defer { depth -= 1 }
    if takeMark("}") { return }
    var previous: Name?
    while true {
      skipWhiteSpace()
      let start = next
      let key = Name(try string("a key in quotation marks"))
      if form == .canonical {
        try checkOrder(of: key, at: start, behind: previous)
        previous = key
      }
      guard takeMark(":") else { throw error(expected: "':'", found: here) }
      try body(&self, key, location(at: start))
      if takeMark("}") { return }
      guard takeMark(",") else { throw error(expected: "',' or '}'", found: here) }
    }
  }

  private func checkOrder(
    of key: Name, at start: Int, behind previous: Name?
  ) throws(ReadError) {
    guard let previous, !previous.text.utf16.lexicographicallyPrecedes(key.text.utf16) else {
      return
    }
    let isSame = previous == key
    throw error(
      at: start, expected: "keys in the order of their UTF-16 code units, each once",
      found: isSame
        ? "the key '\(printable(key))' again"
        : "the key '\(printable(key))' after '\(printable(previous))'")
  }

  /// Takes an array; `body` takes each element.
  package mutating func array(
    _ what: String, _ body: (inout JSONCursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    try open("[", what)
    defer { depth -= 1 }
    if takeMark("]") { return }
    while true {
      try body(&self)
      if takeMark("]") { return }
      guard takeMark(",") else { throw error(expected: "',' or ']'", found: here) }
    }
  }

  /// Takes `null` if it stands here.
  package mutating func takeNull() -> Bool {
    skipWhiteSpace()
    return take(word: "null")
  }

  /// Takes any value and drops it, without making a tree of it.
  package mutating func skipValue() throws(ReadError) {
    skipWhiteSpace()
    switch nextByte {
    case UInt8(ascii: "{"):
      try object("an object") { (json, _, _) throws(ReadError) in try json.skipValue() }
    case UInt8(ascii: "["):
      try array("an array") { (json) throws(ReadError) in try json.skipValue() }
    case UInt8(ascii: "\""): _ = try string("a string")
    default: _ = try numberOrWord()
    }
  }

  /// Checks that only white space is left.
  package mutating func end() throws(ReadError) {
    skipWhiteSpace()
    guard next == text.count else { throw error(expected: "nothing more", found: here) }
  }

  package static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
  }
}

// Marks.
extension JSONCursor {
  private mutating func open(_ mark: Unicode.Scalar, _ what: String) throws(ReadError) {
    guard takeMark(mark) else { throw error(expected: what, found: here) }
    depth += 1
    guard depth <= maximumDepth else {
      throw .limitExceeded(
        location, what: "nested arrays and objects", limit: maximumDepth, found: "\(depth) levels",
        name: isRaisable ? ReadingLimits.Limit.jsonDepth.name : nil)
    }
  }

  private mutating func takeMark(_ mark: Unicode.Scalar) -> Bool {
    skipWhiteSpace()
    return take(mark)
  }

  mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard next < text.count, text[next] == UInt8(ascii: mark) else { return false }
    next += 1
    return true
  }

  mutating func take(word: String) -> Bool {
    guard text[next...].starts(with: word.utf8) else { return false }
    next += word.utf8.count
    return true
  }

  mutating func skipWhiteSpace() {
    guard form != .canonical else { return }
    while next < text.count, JSONCursor.isWhiteSpace(text[next]) { next += 1 }
  }

  /// The byte at the cursor; nil at the end.
  var nextByte: UInt8? { next < text.count ? text[next] : nil }

  /// What stands at the cursor, for an error.
  var here: String {
    guard let byte = nextByte else { return "the end of the JSON text" }
    switch byte {
    case UInt8(ascii: "{"): return "an object"
    case UInt8(ascii: "["): return "an array"
    case UInt8(ascii: "\""): return "a string"
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return "a number"
    case 0x21...0x7E: return "'\(Character(Unicode.Scalar(byte)))'"
    case _ where form == .canonical && JSONCursor.isWhiteSpace(byte):
      return "white space, which canonical JSON does not have"
    default: return "the byte \(byte)"
    }
  }
}
