package import Tensors

/// Reads the fields of one message of protobuf's wire format, in the order of the file.
///
///     key      varint: number of the field * 8 + wire type
///     0        varint: 7 bits to a byte, the lowest first, the top bit says that more follow
///     1, 5     8 or 4 bytes, little-endian
///     2        varint: a length; as many bytes: text, a message, or packed numbers
///
/// Types 3 and 4, groups, are not in files of version 3 of the language. A field may come in any place,
/// and any number of times. <https://protobuf.dev/programming-guides/encoding/>
///
/// A message is a range of the file: what it says is long stays there until it is asked for.
package struct ProtobufCursor {
  /// A field of a message.
  package struct Field {
    package var number: Int
    package var value: Value
    /// Where the field begins.
    package var place: Location
  }

  /// What a field holds, by its wire type.
  package enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    /// In the file.
    case bytes(Range<Int>)
    case fixed32(UInt32)
  }

  private let reader: Reader
  /// What the message is, for errors.
  private let what: String
  private var next: Int
  private let end: Int

  /// Messages this one is inside of.
  private let depth: Int

  /// Messages inside each other, as protobuf's own libraries have it: a model, its graph, a node, an
  /// attribute, a tensor are five, and attributes may have graphs.
  private static let maximumDepth = 100

  /// All of a file as one message.
  package init(_ source: any ByteSource, what: String) {
    reader = Reader(source)
    self.what = what
    (depth, next, end) = (0, 0, source.count)
  }

  private init(_ reader: Reader, what: String, depth: Int, _ range: Range<Int>) {
    self.reader = reader
    self.what = what
    self.depth = depth
    (next, end) = (range.lowerBound, range.upperBound)
  }

  /// The next field; nil at the end of the message.
  package mutating func field() throws(ReadError) -> Field? {
    guard next < end else { return nil }
    let place = reader.source.location(at: next)
    let key = try varint(bits: 32)
    guard key >> 3 > 0 else { throw error(place, "a field's number from 1 on in \(what)", "0") }
    let value: Value
    switch key & 7 {
    case 0: value = .varint(try varint())
    case 1: value = .fixed64(try fixed(8))
    case 2:
      let at = reader.source.location(at: next)
      let length = try varint(bits: 32)
      guard length <= UInt64(end - next) else {
        let available = end - next
        throw end == reader.source.count
          ? .truncated(
            at, field: what, needed: Int(clamping: length), available: available)
          : error(at, "a length of at most \(available), what is left of \(what)", "\(length)")
      }
      value = .bytes(next..<next + Int(length))
      next += Int(length)
    case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
    default:
      throw error(place, "a field of wire type 0, 1, 2 or 5 in \(what)", "\(key & 7)")
    }
    return Field(number: Int(key >> 3), value: value, place: place)
  }

  /// The fields of a message inside this one.
  package func message(_ field: Field, _ what: String) throws(ReadError) -> ProtobufCursor {
    try reader.take(Reader.messageBytes, field.place)
    return try inside(field, what)
  }

  /// The fields of a message inside this one, nothing of which is kept.
  func inside(_ field: Field, _ what: String) throws(ReadError) -> ProtobufCursor {
    guard depth < ProtobufCursor.maximumDepth else {
      throw .limitExceeded(
        field.place, what: "messages inside each other", limit: ProtobufCursor.maximumDepth,
        found: "\(depth + 1)")
    }
    return ProtobufCursor(reader, what: what, depth: depth + 1, try range(field, what))
  }

  /// Text, which is UTF-8; what is not is replaced.
  package func text(_ field: Field, _ what: String) throws(ReadError) -> String {
    let range = try range(field, what)
    guard range.count <= reader.source.limits[.onnxText] else {
      throw reader.source.exceeded(
        .onnxText, at: field.place, what: "bytes of \(what)", found: "\(range.count)")
    }
    try reader.take(16 + range.count, field.place)
    return String(decoding: try reader.source.bytes(range, field: what), as: UTF8.self)
  }

  /// A text that is a name.
  func name(_ field: Field, _ what: String) throws(ReadError) -> Name {
    Name(try text(field, what))
  }

  /// Where the bytes of a field lie in the file.
  package func range(_ field: Field, _ what: String) throws(ReadError) -> Range<Int> {
    guard case .bytes(let range) = field.value else {
      throw error(field.place, "bytes as \(what)", "a number")
    }
    return range
  }

  /// An integer, of 64 bits in two's complement.
  package func integer(_ field: Field, _ what: String) throws(ReadError) -> Int {
    guard case .varint(let bits) = field.value else {
      throw error(field.place, "an integer as \(what)", "another type")
    }
    return Int(Int64(bitPattern: bits))
  }

  /// A float32.
  package func float(_ field: Field, _ what: String) throws(ReadError) -> Float {
    guard case .fixed32(let bits) = field.value else {
      throw error(field.place, "a float32 as \(what)", "another type")
    }
    return Float(bitPattern: bits)
  }

  /// Appends the integers of a repeated field: one, or any number that are packed.
  package func integers(
    _ field: Field, _ what: String, to numbers: inout [Int]
  ) throws(ReadError) {
    if case .varint = field.value {
      try reader.take(8, field.place)
      numbers.append(try integer(field, what))
      return
    }
    var packed = ProtobufCursor(reader, what: what, depth: depth, try range(field, what))
    while packed.next < packed.end {
      try reader.take(8, field.place)
      numbers.append(Int(Int64(bitPattern: try packed.varint())))
    }
  }

  /// Appends the numbers of a repeated field of 4 or 8 bytes each: one, or any number that are packed.
  package func fixeds(
    _ field: Field, _ what: String, width: Int, to numbers: inout [UInt64]
  ) throws(ReadError) {
    switch field.value {
    case .fixed32(let bits) where width == 4: numbers.append(UInt64(bits))
    case .fixed64(let bits) where width == 8: numbers.append(bits)
    default:
      var packed = ProtobufCursor(reader, what: what, depth: depth, try range(field, what))
      while packed.next < packed.end {
        try reader.take(8, field.place)
        numbers.append(try packed.fixed(width))
      }
      return
    }
    try reader.take(8, field.place)
  }

  private mutating func varint(bits: Int = 64) throws(ReadError) -> UInt64 {
    let start = next
    var value: UInt64 = 0
    for shift in stride(from: 0, to: bits, by: 7) {
      guard next < end else {
        throw .truncated(
          reader.source.location(at: start), field: "a number in \(what)", needed: next - start + 1,
          available: next - start)
      }
      let byte = try reader.byte(at: next)
      next += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 {
        guard bits - shift >= 7 || byte >> (bits - shift) == 0 else { break }
        return value
      }
    }
    throw error(
      reader.source.location(at: start), "a number of at most \(bits) bits in \(what)",
      "more")
  }

  private mutating func fixed(_ width: Int) throws(ReadError) -> UInt64 {
    guard end - next >= width else {
      throw .truncated(
        reader.source.location(at: next), field: "a number in \(what)", needed: width,
        available: end - next)
    }
    var value: UInt64 = 0
    for place in 0..<width {
      value |= UInt64(try reader.byte(at: next + place)) << UInt64(8 * place)
    }
    next += width
    return value
  }

  /// The bytes contradict the format.
  package func error(_ place: Location, _ expected: String, _ found: String) -> ReadError {
    .malformed(place, expected: expected, found: found, remedy: fetchAgain)
  }
}

/// Bytes of a file, some at a time, and how much memory was taken for messages, text, and numbers that are
/// not stored as they are in memory.
private final class Reader {
  let source: any ByteSource
  private var window: [UInt8] = []
  private var start = 0
  private var taken = 0

  private static let windowLength = 1 << 14
  /// What a message takes in memory, or more.
  static let messageBytes = 320

  init(_ source: any ByteSource) { self.source = source }

  func byte(at offset: Int) throws(ReadError) -> UInt8 {
    if offset < start || offset >= start + window.count {
      let end = min(source.count, offset + Reader.windowLength)
      window = try source.bytes(offset..<end, field: "a message")
      start = offset
    }
    return window[offset - start]
  }

  func take(_ bytes: Int, _ place: Location) throws(ReadError) {
    taken += bytes
    guard taken <= source.limits[.onnxMemory] else {
      throw source.exceeded(.onnxMemory, at: place, found: "at least \(taken)")
    }
  }
}
