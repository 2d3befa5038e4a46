/// The fields of a protobuf message, encoded in the order in which they are added
/// (<https://protobuf.dev/programming-guides/encoding/>): each a key, which is the field's number times 8
/// plus a wire type, and a value. Keys, integers and lengths are varints: seven bits to a byte, the lowest
/// first, with the highest bit set in all bytes but the last.
///
///     wire type 0    a varint; negative numbers take ten bytes
///     wire type 2    a length and as many bytes: text, bytes, another message, numbers one after the other
///     wire type 5    four bytes, little-endian: float
///
/// What a field of bytes holds may be left out: it is a *gap*, to be filled in the file. So the length of
/// a message is known before what takes most of it is, which never is in memory.
package struct Message {
  /// Bytes that are put in later.
  package struct Gap: Equatable {
    /// Of `bytes`, those before it.
    package var position: Int
    package var byteCount: Int
    /// What it is to be filled with, in the numbering of whoever left it.
    package var content: Int

    package init(position: Int, byteCount: Int, content: Int) {
      self.position = position
      self.byteCount = byteCount
      self.content = content
    }
  }

  /// All but what is in gaps.
  package private(set) var bytes: [UInt8] = []
  /// In order of their positions.
  package private(set) var gaps: [Gap] = []
  /// Bytes of the whole, with what is in gaps.
  package private(set) var count = 0

  /// Without fields.
  package init() {}

  private enum WireType: UInt64 {
    case varint = 0
    case bytes = 2
    case fourBytes = 5
  }

  private mutating func append(_ new: some Collection<UInt8>) {
    bytes += new
    count += new.count
  }

  private mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(CollectionOfOne(UInt8(truncatingIfNeeded: rest) | 0x80))
      rest >>= 7
    }
    append(CollectionOfOne(UInt8(rest)))
  }

  private mutating func begin(_ field: Int, _ type: WireType) {
    appendVarint(UInt64(field) << 3 | type.rawValue)
  }

  /// Adds a varint.
  package mutating func add(_ field: Int, _ value: Int) {
    begin(field, .varint)
    appendVarint(UInt64(bitPattern: Int64(value)))
  }

  /// Adds four bytes.
  package mutating func add(_ field: Int, _ number: Float) {
    begin(field, .fourBytes)
    append(Message.bytes(of: number))
  }

  private static func bytes(of number: Float) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
  }

  /// Adds text, in UTF-8.
  package mutating func add(_ field: Int, _ text: String) { add(field, Array(text.utf8)) }

  /// Adds bytes.
  package mutating func add(_ field: Int, _ new: [UInt8]) {
    begin(field, .bytes)
    appendVarint(UInt64(new.count))
    append(new)
  }

  /// Adds varints, packed into one field.
  package mutating func add(_ field: Int, packed values: [Int]) {
    var packed = Message()
    for value in values { packed.appendVarint(UInt64(bitPattern: Int64(value))) }
    add(field, packed.bytes)
  }

  /// Adds numbers, packed into one field.
  package mutating func add(_ field: Int, packed numbers: [Float]) {
    add(field, numbers.flatMap(Message.bytes(of:)))
  }

  /// Adds a message, with its gaps.
  package mutating func add(_ field: Int, _ message: Message) {
    begin(field, .bytes)
    appendVarint(UInt64(message.count))
    gaps += message.gaps.map { gap in
      Gap(position: bytes.count + gap.position, byteCount: gap.byteCount, content: gap.content)
    }
    bytes += message.bytes
    count += message.count
  }

  /// Adds a message that `build` adds fields to.
  package mutating func add(_ field: Int, _ build: (inout Message) -> Void) {
    var message = Message()
    build(&message)
    add(field, message)
  }

  /// Adds a field of `byteCount` bytes which are put in later.
  package mutating func add(_ field: Int, gapOf byteCount: Int, for content: Int) {
    begin(field, .bytes)
    appendVarint(UInt64(byteCount))
    gaps.append(Gap(position: bytes.count, byteCount: byteCount, content: content))
    count += byteCount
  }
}
