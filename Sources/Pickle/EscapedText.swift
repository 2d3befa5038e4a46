/// Decoders for the two escaped strings of protocol 0.
///
/// They return nil, with nothing promised about `output`, if the text breaks the rules.
enum EscapedText {
  /// A Python 2 byte string as its `repr` shows it: quotes, and in them `\n`, `\x00`, `\\`, `\'` and
  /// the like. A backslash before any other character stands for itself.
  static func appendByteString(_ text: [UInt8], to output: inout [UInt8]) -> Bool {
    guard text.count >= 2, let quote = text.first, quote == text.last,
      quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { return false }
    output.reserveCapacity(output.count + text.count)
    let end = text.count - 1
    var index = 1
    while index < end {
      let byte = text[index]
      index += 1
      guard byte == UInt8(ascii: "\\") else {
        output.append(byte)
        continue
      }
      guard index < end else { return false }
      let escape = text[index]
      index += 1
      switch escape {
      case UInt8(ascii: "x"):
        guard index + 2 <= end, let value = hexadecimal(text[index..<index + 2]) else {
          return false
        }
        output.append(UInt8(value))
        index += 2
      case UInt8(ascii: "0")...UInt8(ascii: "7"):
        var value = Int(escape - UInt8(ascii: "0"))
        var digits = 1
        while digits < 3, index < end, case UInt8(ascii: "0")...UInt8(ascii: "7") = text[index] {
          value = value * 8 + Int(text[index] - UInt8(ascii: "0"))
          index += 1
          digits += 1
        }
        output.append(UInt8(truncatingIfNeeded: value))
      default:
        if let character = simpleEscapes[escape] {
          output.append(character)
        } else {
          output += [UInt8(ascii: "\\"), escape]
        }
      }
    }
    return true
  }

  private static let simpleEscapes: [UInt8: UInt8] = [
    UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "'"): UInt8(ascii: "'"),
    UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08,
    UInt8(ascii: "t"): 0x09, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "v"): 0x0B,
    UInt8(ascii: "f"): 0x0C, UInt8(ascii: "r"): 0x0D,
  ]

  /// Raw-unicode-escape as UTF-8: a byte is the character of its number, `\u0000` and `\U00000000`
  /// are the character of that number, and every other backslash stands for itself.
  static func appendRawUnicode(_ text: [UInt8], to output: inout [UInt8]) -> Bool {
    output.reserveCapacity(output.count + text.count)
    var index = 0
    while index < text.count {
      let byte = text[index]
      index += 1
      guard byte == UInt8(ascii: "\\"), index < text.count else {
        append(UInt32(byte), to: &output)
        continue
      }
      let escape = text[index]
      index += 1
      guard escape == UInt8(ascii: "u") || escape == UInt8(ascii: "U") else {
        output.append(byte)
        append(UInt32(escape), to: &output)
        continue
      }
      let digits = escape == UInt8(ascii: "u") ? 4 : 8
      guard index + digits <= text.count,
        let scalar = hexadecimal(text[index..<index + digits]), scalar <= 0x10FFFF
      else { return false }
      append(scalar, to: &output)
      index += digits
    }
    return true
  }

  /// Appends a code point in UTF-8. Surrogates are encoded as any other, as Python does.
  private static func append(_ point: UInt32, to output: inout [UInt8]) {
    func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(point >> shift & 0x3F) }
    switch point {
    case ..<0x80: output.append(UInt8(point))
    case ..<0x800:
      output.append(0xC0 | UInt8(point >> 6))
      output.append(tail(0))
    case ..<0x10000: output += [0xE0 | UInt8(point >> 12), tail(6), tail(0)]
    default: output += [0xF0 | UInt8(point >> 18), tail(12), tail(6), tail(0)]
    }
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt32? {
    var value: UInt32 = 0
    for digit in digits {
      let number: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): number = digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): number = digit - UInt8(ascii: "A") + 10
      default: return nil
      }
      value = value << 4 | UInt32(number)
    }
    return value
  }
}
