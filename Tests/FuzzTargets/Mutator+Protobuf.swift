/// A field of a message of protocol buffers.
private struct ProtobufField {
  /// Its number and kind, as they are written.
  var key: [UInt8]
  /// Of a field with a length what it holds, of others all that is behind the key.
  var content: [UInt8]
  /// Whether it has a length.
  var isMessageOrText: Bool

  var bytes: [UInt8] { key + (isMessageOrText ? varint(content.count) : []) + content }

  /// Those of a message; nil if the bytes are none.
  static func all(in bytes: [UInt8]) -> [ProtobufField]? {
    var fields: [ProtobufField] = []
    var next = 0
    while next < bytes.count {
      let start = next
      guard let key = takeVarint(bytes, &next), key >> 3 > 0 else { return nil }
      let keyBytes = Array(bytes[start..<next])
      let place = next
      let isMessageOrText = key & 7 == 2
      switch key & 7 {
      case 0: guard takeVarint(bytes, &next) != nil else { return nil }
      case 1: next += 8
      case 2:
        guard let length = takeVarint(bytes, &next), length <= bytes.count - next,
          let content = bytes.part(at: next, count: length)
        else { return nil }
        next += length
        fields.append(ProtobufField(key: keyBytes, content: content, isMessageOrText: true))
      case 5: next += 4
      default: return nil
      }
      guard next <= bytes.count else { return nil }
      if !isMessageOrText {
        fields.append(
          ProtobufField(
            key: keyBytes, content: Array(bytes[place..<next]), isMessageOrText: false))
      }
    }
    return fields
  }
}

private func varint(_ value: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = value
  while rest > 0x7F {
    bytes.append(UInt8(rest & 0x7F) | 0x80)
    rest >>= 7
  }
  return bytes + [UInt8(rest)]
}

/// Nil if it is not there, or larger than any length.
private func takeVarint(_ bytes: [UInt8], _ next: inout Int) -> Int? {
  var value = UInt64(0)
  for shift in stride(from: UInt64(0), to: 70, by: 7) {
    guard next < bytes.count else { return nil }
    let byte = bytes[next]
    next += 1
    value |= UInt64(byte & 0x7F) << shift
    if byte < 0x80 { return Int(truncatingIfNeeded: value) }
  }
  return nil
}

extension Mutator {
  /// Changes a field anywhere in a message, or which ones there are; the lengths of all around it fit.
  mutating func mutatedProtobuf(_ bytes: [UInt8]) -> [UInt8]? {
    guard var fields = ProtobufField.all(in: bytes), !fields.isEmpty else { return nil }
    // The largest is most often the one that has all the others: the graph in a model.
    let largest = fields.indices.max { fields[$0].content.count < fields[$1].content.count }!
    let place = happens(oneIn: 2) ? largest : fields.indices.randomElement(using: &random)!
    switch Int.random(in: 0..<24, using: &random) {
    case 0: fields.remove(at: place)
    case 1: fields.insert(fields[place], at: fields.indices.randomElement(using: &random)!)
    case 2: fields.swapAt(place, fields.indices.randomElement(using: &random)!)
    case 3: fields[place].key = changed(fields[place].key)
    case 4..<8: fields[place].content = changed(fields[place].content)
    default:
      fields[place].content =
        (fields[place].isMessageOrText ? mutatedProtobuf(fields[place].content) : nil)
        ?? changed(fields[place].content)
    }
    return Array(fields.map(\.bytes).joined())
  }
}
