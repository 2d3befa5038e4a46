extension Mutator {
  /// Changes the header, or what is behind it in place.
  mutating func mutatedSafetensors(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count > 9, bytes[8] == UInt8(ascii: "{"),
      let length = bytes.number(at: 0, width: 8), var header = bytes.part(at: 8, count: length),
      var data = bytes.part(at: 8 + length, count: bytes.count - 8 - length)
    else { return nil }
    if happens(oneIn: 8) { data = changedInPlace(data) } else { header = changed(header) }
    var result: [UInt8] = []
    result.append(header.count, width: 8)
    return result + header + data
  }
}
