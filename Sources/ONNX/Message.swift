/// The fields of a protobuf message, encoded in the order in which they are added
/// (<https://protobuf.dev/programming-guides/encoding/>): each a key, which is the field's number times 8
/// plus a wire type, and a value. Keys, integers and lengths are varints: seven bits to a byte, the lowest
/// first, with the highest bit set in all bytes but the last.
///
///     wire type 0    a varint; negative numbers take ten bytes
///     wire type 2    a length and as many bytes: text, bytes, another message
///     wire type 5    four bytes, little-endian: float
///
/// What a field of bytes holds may be left out: it is a *gap*, to be filled in the file. So the length of
/// a message is known before what takes most of it is, which never is in memory.
struct Message {
  /// Bytes that are put in later.
  struct Gap: Equatable {
    /// Of `bytes`, those before it.
    var position: Int
    var byteCount: Int
    /// What it is to be filled with, in the numbering of whoever left it.
    var content: Int
  }

  /// All but what is in gaps.
  private(set) var bytes: [UInt8] = []
  /// In order of their positions.
  private(set) var gaps: [Gap] = []
  /// Bytes of the whole, with what is in gaps.
  private(set) var count = 0

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

  mutating func add(_ field: Int, _ value: Int) {
    begin(field, .varint)
    appendVarint(UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ field: Int, _ number: Float) {
    begin(field, .fourBytes)
    append((0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) })
  }

  mutating func add(_ field: Int, _ text: String) {
    begin(field, .bytes)
    appendVarint(UInt64(text.utf8.count))
    append(text.utf8)
  }

  mutating func add(_ field: Int, _ message: Message) {
    begin(field, .bytes)
    appendVarint(UInt64(message.count))
    gaps += message.gaps.map { gap in
      Gap(position: bytes.count + gap.position, byteCount: gap.byteCount, content: gap.content)
    }
    bytes += message.bytes
    count += message.count
  }

  /// Adds a message that `build` adds fields to.
  mutating func add(_ field: Int, _ build: (inout Message) -> Void) {
    var message = Message()
    build(&message)
    add(field, message)
  }

  /// Adds a field of `byteCount` bytes which are put in later.
  mutating func add(_ field: Int, gapOf byteCount: Int, for content: Int) {
    begin(field, .bytes)
    appendVarint(UInt64(byteCount))
    gaps.append(Gap(position: bytes.count, byteCount: byteCount, content: content))
    count += byteCount
  }
}
