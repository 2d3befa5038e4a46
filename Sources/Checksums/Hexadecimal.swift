extension Collection<UInt8> {
  /// Two lower-case hexadecimal digits for each byte, as `sha256sum` prints them.
  public var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(2 * count)
    for byte in self {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension UInt32 {
  /// Eight lower-case hexadecimal digits, most significant first.
  public var hexadecimal: String {
    stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> $0) }.hexadecimal
  }
}
