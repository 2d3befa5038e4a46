package import Tensors

extension JSONCursor {
  /// Takes a string.
  ///
  /// - Parameter what: what it is, for the error if none stands here.
  package mutating func string(_ what: String) throws(ReadError) -> String {
    skipWhiteSpace()
    let start = next
    guard take("\"") else { throw error(expected: what, found: here) }
    // Up to the first escape, and mostly there is none, the text is the string.
    var bytes: [UInt8] = []
    var run = next
    while next < text.count {
      let byte = text[next]
      switch byte {
      case UInt8(ascii: "\""):
        let rest = text[run..<next]
        next += 1
        let string =
          bytes.isEmpty
          ? String(validating: rest, as: UTF8.self)
          : String(validating: bytes + rest, as: UTF8.self)
        guard let string else {
          throw error(at: start, expected: "a string in UTF-8", found: "other bytes")
        }
        return string
      case UInt8(ascii: "\\"):
        bytes += text[run..<next]
        bytes.append(contentsOf: String(try escape()).utf8)
        run = next
      case 0..<0x20:
        throw error(
          expected: "a string without control characters", found: "the byte \(byte)")
      default: next += 1
      }
    }
    throw error(
      at: start, expected: "a string with its closing quotation mark",
      found: "the end of the JSON text")
  }

  /// Letters behind a backslash, and the characters that they stand for. Canonical JSON has all of them,
  /// and other escapes only for the control characters that have no letter; JSON also has `\/`.
  static let letters: [(letter: UInt8, character: Unicode.Scalar)] = [
    (UInt8(ascii: "\""), "\""), (UInt8(ascii: "\\"), "\\"), (UInt8(ascii: "b"), "\u{8}"),
    (UInt8(ascii: "t"), "\t"), (UInt8(ascii: "n"), "\n"), (UInt8(ascii: "f"), "\u{C}"),
    (UInt8(ascii: "r"), "\r"),
  ]

  private mutating func escape() throws(ReadError) -> Unicode.Scalar {
    let start = next
    guard let character = anyEscape() else {
      throw error(at: start, expected: "the escape of a character", found: "another escape")
    }
    let written = text[start..<next]
    guard form != .canonical || written.elementsEqual(JSONValue.escape(character)) else {
      throw error(
        at: start, expected: "the shortest form of a character",
        found: "the escape '\(String(decoding: written, as: UTF8.self))'")
    }
    return character
  }

  /// Takes an escape; nil if it is none.
  private mutating func anyEscape() -> Unicode.Scalar? {
    next += 1
    if let byte = nextByte {
      if let known = JSONCursor.letters.first(where: { $0.letter == byte }) {
        next += 1
        return known.character
      }
      if take("/") { return "/" }
    }
    guard let unit = codeUnit() else { return nil }
    if let scalar = Unicode.Scalar(unit) { return scalar }
    // A character above U+FFFF takes two: the upper half of a pair and the lower one.
    guard (0xD800..<0xDC00).contains(unit), take("\\"), let low = codeUnit(),
      (0xDC00..<0xE000).contains(low)
    else { return nil }
    return Unicode.Scalar(0x10000 + (UInt32(unit - 0xD800) << 10 | UInt32(low - 0xDC00)))
  }

  /// Takes `u` and four hexadecimal digits.
  private mutating func codeUnit() -> UInt16? {
    guard nextByte == UInt8(ascii: "u"), text.count - next >= 5 else { return nil }
    let digits = text[(next + 1)..<(next + 5)]
    guard digits.allSatisfy({ isDigit($0) || (0x41...0x46).contains($0 & ~0x20) }) else {
      return nil
    }
    next += 5
    return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
