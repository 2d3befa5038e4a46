internal import Tensors

// Two forms. Canonical JSON (RFC 8785, "JCS") has one text for each value, so files can be compared
// byte by byte:
//   - UTF-8, no white space outside strings;
//   - members sorted by key, compared as sequences of UTF-16 code units;
//   - strings with the fewest escapes: \" \\ \b \t \n \f \r, \u00xx (lower case) for the other
//     characters below U+0020, everything else as it is;
//   - numbers as ECMAScript prints them, see `ecmaScript`.
// Indented JSON is for people: members in their own order, two spaces a level.

extension JSONValue {
  /// The one canonical text of the value, in UTF-8.
  package func canonical() throws(JSONError) -> [UInt8] {
    var text: [UInt8] = []
    try appendCanonical(to: &text)
    return text
  }

  /// The value as people read it, ending in a line feed. Arrays of numbers stay on one line.
  package func indented() throws(JSONError) -> String {
    var text: [UInt8] = []
    try appendIndented(to: &text, level: 0)
    text.append(UInt8(ascii: "\n"))
    return String(decoding: text, as: UTF8.self)
  }

  private func appendCanonical(to text: inout [UInt8]) throws(JSONError) {
    switch self {
    case .array(let elements):
      text.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        try element.appendCanonical(to: &text)
      }
      text.append(UInt8(ascii: "]"))
    case .object(let members):
      let sorted = members.sorted { $0.key.text.utf16.lexicographicallyPrecedes($1.key.text.utf16) }
      try JSONValue.refuseDuplicates(sorted)
      text.append(UInt8(ascii: "{"))
      for (index, member) in sorted.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        JSONValue.append(member.key.text, to: &text)
        text.append(UInt8(ascii: ":"))
        try member.value.appendCanonical(to: &text)
      }
      text.append(UInt8(ascii: "}"))
    default: try appendScalar(to: &text)
    }
  }

  private func appendIndented(to text: inout [UInt8], level: Int) throws(JSONError) {
    func newLine(_ level: Int) {
      text.append(UInt8(ascii: "\n"))
      text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * level))
    }
    switch self {
    case .array(let elements) where elements.allSatisfy(\.isNumber):
      text.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { text.append(contentsOf: ", ".utf8) }
        try element.appendScalar(to: &text)
      }
      text.append(UInt8(ascii: "]"))
    case .array(let elements):
      text.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        newLine(level + 1)
        try element.appendIndented(to: &text, level: level + 1)
      }
      newLine(level)
      text.append(UInt8(ascii: "]"))
    case .object([]): text.append(contentsOf: "{}".utf8)
    case .object(let members):
      try JSONValue.refuseDuplicates(
        members.sorted { $0.key.text.utf16.lexicographicallyPrecedes($1.key.text.utf16) })
      text.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        newLine(level + 1)
        JSONValue.append(member.key.text, to: &text)
        text.append(contentsOf: ": ".utf8)
        try member.value.appendIndented(to: &text, level: level + 1)
      }
      newLine(level)
      text.append(UInt8(ascii: "}"))
    default: try appendScalar(to: &text)
    }
  }

  private var isNumber: Bool {
    switch self {
    case .integer, .number: true
    default: false
    }
  }

  private func appendScalar(to text: inout [UInt8]) throws(JSONError) {
    switch self {
    case .null: text.append(contentsOf: "null".utf8)
    case .bool(let value): text.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value):
      guard value.magnitude <= JSONValue.largestInteger else { throw .inexactInteger(value) }
      text.append(contentsOf: String(value).utf8)
    case .number(let value):
      guard value.isFinite else { throw .notFinite(value) }
      text.append(contentsOf: value.ecmaScript.utf8)
    case .string(let value): JSONValue.append(value, to: &text)
    case .array, .object: preconditionFailure("not a scalar")
    }
  }

  /// Appends a string in quotation marks, with the escapes that JSON demands and no others.
  package static func append(_ string: String, to text: inout [UInt8]) {
    text.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
        text.append(byte)
      } else {
        text.append(contentsOf: escape(Unicode.Scalar(byte)))
      }
    }
    text.append(UInt8(ascii: "\""))
  }

  /// The shortest text for a character in a string: itself, unless it must be escaped.
  static func escape(_ character: Unicode.Scalar) -> [UInt8] {
    if let known = JSONCursor.letters.first(where: { $0.character == character }) {
      return [UInt8(ascii: "\\"), known.letter]
    }
    guard character.value < 0x20 else { return Array(String(character).utf8) }
    let digits = String(character.value, radix: 16)
    return Array("\\u00\(character.value < 0x10 ? "0" : "")\(digits)".utf8)
  }

  private static func refuseDuplicates(_ sorted: [Member]) throws(JSONError) {
    for (one, next) in zip(sorted, sorted.dropFirst())
    where one.key.utf8.elementsEqual(next.key.utf8) {
      throw .duplicateKey(one.key)
    }
  }
}

extension Double {
  /// The number as ECMAScript's `Number::toString` prints it, which is what RFC 8785 asks for: the
  /// shortest digits that read back as the same double, the closest of them, without an exponent from
  /// 1e-6 up to, but not including, 1e21.
  ///
  /// Swift's `description` finds the same digits and only sets them differently.
  ///
  /// - Precondition: it is finite.
  var ecmaScript: String {
    precondition(isFinite)
    if self == 0 { return "0" }

    // The value is 0.d1d2d3... times 10 to the `exponent`, and d1 is not zero.
    var digits: [UInt8] = []
    var exponent = 0
    var sawPoint = false
    let (mantissa, scientific) = magnitude.splitDescription
    for character in mantissa {
      if character == UInt8(ascii: ".") {
        sawPoint = true
      } else if digits.isEmpty && character == UInt8(ascii: "0") {
        if sawPoint { exponent -= 1 }
      } else {
        digits.append(character)
        if !sawPoint { exponent += 1 }
      }
    }
    while digits.last == UInt8(ascii: "0") { digits.removeLast() }
    exponent += scientific

    func text(_ digits: some Sequence<UInt8>) -> String {
      String(decoding: Array(digits), as: UTF8.self)
    }
    let sign = self < 0 ? "-" : ""
    switch exponent {
    case digits.count...21:  // there are at most 17 digits
      return sign + text(digits) + String(repeating: "0", count: exponent - digits.count)
    case 1...21:
      return sign + text(digits[..<exponent]) + "." + text(digits[exponent...])
    case -5...0:
      return sign + "0." + String(repeating: "0", count: -exponent) + text(digits)
    default:
      let fraction = digits.count > 1 ? "." + text(digits[1...]) : ""
      return sign + text(digits[..<1]) + fraction + (exponent > 0 ? "e+" : "e-")
        + String((exponent - 1).magnitude)
    }
  }

  /// `description` of a positive number, `12.5` or `1.25e-07`, cut at the exponent.
  private var splitDescription: (mantissa: Substring.UTF8View, exponent: Int) {
    let parts = description.split(separator: "e")
    return (parts[0].utf8, parts.count > 1 ? Int(parts[1])! : 0)
  }
}
