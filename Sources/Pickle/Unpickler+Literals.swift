internal import Tensors

// Numbers and strings.
extension Unpickler {
  mutating func number() throws(ReadError) -> ObjectGraph.Value {
    switch opcode {
    case .binint:
      return .integer(Int64(Int32(truncatingIfNeeded: try cursor.integer(4, of: opcode))))
    case .binint1: return .integer(Int64(try cursor.integer(1, of: opcode)))
    case .binint2: return .integer(Int64(try cursor.integer(2, of: opcode)))
    case .binfloat:
      return .real(Double(bitPattern: try cursor.integer(8, of: opcode).byteSwapped))
    case .long1: return try twosComplement(try cursor.length(1, of: opcode))
    case .long4: return try twosComplement(try cursor.length(4, isSigned: true, of: opcode))
    case .float:
      let line = try cursor.line(of: opcode)
      guard let value = DecimalText.real(line) else {
        throw malformed(expected: "a number in the line of FLOAT", found: shown(line))
      }
      return .real(value)
    default:
      var line = try cursor.line(of: opcode)
      if opcode == .int {
        if line == Array("00".utf8) { return .bool(false) }
        if line == Array("01".utf8) { return .bool(true) }
      } else if line.last == UInt8(ascii: "L") {
        line.removeLast()
      }
      if let value = DecimalText.integer(line) { return .integer(Int64(value)) }
      guard let bytes = DecimalText.twosComplement(line) else {
        throw malformed(expected: "an integer in the line of \(opcode.name)", found: shown(line))
      }
      return .bigInteger(keep(bytes))
    }
  }

  /// An integer in the next `count` bytes, little-endian two's complement; none are zero.
  private mutating func twosComplement(_ count: Int) throws(ReadError) -> ObjectGraph.Value {
    guard count > 0 else { return .integer(0) }
    guard count <= 8 else {
      let payload = ObjectGraph.Payload(offset: cursor.position, count: count, isDecoded: false)
      cursor.skip(count)
      return .bigInteger(payload)
    }
    let unused = 64 - 8 * Int64(count)
    let bits = Int64(truncatingIfNeeded: try cursor.integer(count, of: opcode))
    return .integer((bits << unused) >> unused)
  }

  mutating func string() throws(ReadError) -> ObjectGraph.Value {
    switch opcode {
    case .string:
      let line = try cursor.line(of: opcode, isText: true)
      let start = graph.decoded.count
      guard EscapedText.appendByteString(line, to: &graph.decoded) else {
        throw malformed(expected: "a quoted string with Python's escapes", found: shown(line))
      }
      return .bytes(decodedPayload(from: start))
    case .unicode:
      let line = try cursor.line(of: opcode, isText: true)
      let start = graph.decoded.count
      guard EscapedText.appendRawUnicode(line, to: &graph.decoded) else {
        throw malformed(expected: "a string in raw-unicode-escape", found: shown(line))
      }
      return .text(decodedPayload(from: start))
    case .binstring: return .bytes(payload(try cursor.length(4, isSigned: true, of: opcode)))
    case .shortBinstring, .shortBinbytes: return .bytes(payload(try cursor.length(1, of: opcode)))
    case .binbytes: return .bytes(payload(try cursor.length(4, of: opcode)))
    case .binbytes8: return .bytes(payload(try cursor.length(8, of: opcode)))
    case .bytearray8: return .byteArray(payload(try cursor.length(8, of: opcode)))
    case .shortBinunicode: return .text(try text(try cursor.length(1, of: opcode)))
    case .binunicode: return .text(try text(try cursor.length(4, of: opcode)))
    default: return .text(try text(try cursor.length(8, of: opcode)))
    }
  }

  /// The next `count` bytes, which stay where they are.
  private mutating func payload(_ count: Int) -> ObjectGraph.Payload {
    defer { cursor.skip(count) }
    return .init(offset: cursor.position, count: count, isDecoded: false)
  }

  /// The next `count` bytes, kept in memory if they may be a name.
  private mutating func text(_ count: Int) throws(ReadError) -> ObjectGraph.Payload {
    let start = graph.decoded.count
    guard count <= Unpickler.shortText, start + count <= Unpickler.shortTexts else {
      return payload(count)
    }
    try cursor.copy(count, to: &graph.decoded)
    return decodedPayload(from: start)
  }

  private mutating func keep(_ bytes: [UInt8]) -> ObjectGraph.Payload {
    let start = graph.decoded.count
    graph.decoded += bytes
    return decodedPayload(from: start)
  }

  private func decodedPayload(from start: Int) -> ObjectGraph.Payload {
    .init(offset: start, count: graph.decoded.count - start, isDecoded: true)
  }
}

/// Numbers in text, as Python's `int` and `float` read them: blanks around them and single `_` between
/// digits are allowed.
enum DecimalText {
  /// Nil if it is none or does not fit.
  static func integer(_ text: [UInt8]) -> Int? {
    guard let (isNegative, digits) = digits(text) else { return nil }
    var value = 0
    for digit in digits {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.subtractingReportingOverflow(Int(digit))
      if overflow || carry { return nil }
      value = sum  // negative, since that side reaches one further
    }
    if isNegative { return value }
    return value == .min ? nil : -value
  }

  /// An integer of any size as little-endian two's complement; nil if it is none.
  static func twosComplement(_ text: [UInt8]) -> [UInt8]? {
    guard let (isNegative, digits) = digits(text) else { return nil }
    var limbs: [UInt32] = []
    for start in stride(from: 0, to: digits.count, by: 9) {
      let group = digits[start..<min(start + 9, digits.count)]
      var carry: UInt64 = 0
      var scale: UInt64 = 1
      for digit in group {
        carry = carry * 10 + UInt64(digit)
        scale *= 10
      }
      for index in limbs.indices {
        carry += UInt64(limbs[index]) * scale
        limbs[index] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
      if carry > 0 { limbs.append(UInt32(carry)) }
    }
    limbs.append(0)  // room for the sign
    if isNegative {
      var carry: UInt64 = 1
      for index in limbs.indices {
        carry += UInt64(~limbs[index])
        limbs[index] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
    }
    return limbs.flatMap { limb in (0..<4).map { UInt8(truncatingIfNeeded: limb >> (8 * $0)) } }
  }

  static func real(_ text: [UInt8]) -> Double? {
    let text = trimmed(text)
    let isPlain = text.allSatisfy {
      switch $0 {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
        UInt8(ascii: "-"), UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
      default: false
      }
    }
    let string = String(decoding: text, as: UTF8.self)
    if isPlain { return Double(string) }
    switch string.lowercased() {
    case "inf", "+inf", "infinity", "+infinity": return .infinity
    case "-inf", "-infinity": return -.infinity
    case "nan", "+nan", "-nan": return .nan
    default: return nil
    }
  }

  /// The digits' values, most significant first, at least one.
  private static func digits(_ text: [UInt8]) -> (isNegative: Bool, digits: [UInt8])? {
    var text = trimmed(text)
    let isNegative = text.first == UInt8(ascii: "-")
    if isNegative || text.first == UInt8(ascii: "+") { text.removeFirst() }
    var digits: [UInt8] = []
    digits.reserveCapacity(text.count)
    var needsDigit = true
    for character in text {
      switch character {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits.append(character - UInt8(ascii: "0"))
        needsDigit = false
      case UInt8(ascii: "_") where !needsDigit: needsDigit = true
      default: return nil
      }
    }
    return needsDigit ? nil : (isNegative, digits)
  }

  private static func trimmed(_ text: [UInt8]) -> ArraySlice<UInt8> {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    guard let first = text.firstIndex(where: { !isBlank($0) }),
      let last = text.lastIndex(where: { !isBlank($0) })
    else { return [] }
    return text[first...last]
  }
}
