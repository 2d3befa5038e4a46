internal import Tensors

/// Writes a pickle of the few opcodes that dicts of tensors take. They are those of protocol 2; bytes,
/// which come with protocols 3 and 4, are left to the caller behind their length.
///
/// Nothing is memoised, except on request.
struct PickleWriter {
  private(set) var bytes: [UInt8]
  private var memo: [String: UInt8] = [:]

  /// The entries that are set at once, as Python's pickler does.
  static let batchLength = 1000

  init(protocol version: UInt8) {
    bytes = [0x80, version]  // PROTO
  }

  mutating func mark() { bytes.append(UInt8(ascii: "(")) }
  mutating func tuple() { bytes.append(UInt8(ascii: "t")) }
  mutating func emptyTuple() { bytes.append(UInt8(ascii: ")")) }
  mutating func reduce() { bytes.append(UInt8(ascii: "R")) }
  mutating func build() { bytes.append(UInt8(ascii: "b")) }
  mutating func setItems() { bytes.append(UInt8(ascii: "u")) }
  mutating func persistentID() { bytes.append(UInt8(ascii: "Q")) }
  mutating func none() { bytes.append(UInt8(ascii: "N")) }
  mutating func bool(_ value: Bool) { bytes.append(value ? 0x88 : 0x89) }

  mutating func finish() -> [UInt8] {
    bytes.append(UInt8(ascii: "."))
    return bytes
  }

  mutating func global(_ module: String, _ name: String) {
    bytes += Array("c\(module)\n\(name)\n".utf8)
  }

  mutating func text(_ text: String) {
    bytes.append(UInt8(ascii: "X"))  // BINUNICODE
    bytes.appendLittleEndian(text.utf8.count, width: 4)
    bytes += Array(text.utf8)
  }

  /// BININT1, BININT2, BININT or LONG1: the shortest, as Python does.
  mutating func integer(_ value: Int) {
    if (0...0xFF).contains(value) {
      bytes += [UInt8(ascii: "K"), UInt8(value)]
    } else if (0...0xFFFF).contains(value) {
      bytes.append(UInt8(ascii: "M"))
      bytes.appendLittleEndian(value, width: 2)
    } else if let short = Int32(exactly: value) {
      bytes.append(UInt8(ascii: "J"))
      bytes.appendLittleEndian(Int(short), width: 4)
    } else {
      bytes += [0x8A, 8]
      bytes.appendLittleEndian(value, width: 8)
    }
  }

  /// A tuple.
  mutating func integers(_ values: [Int]) {
    mark()
    for value in values { integer(value) }
    tuple()
  }

  /// A string of bytes.
  mutating func byteString(_ contents: [UInt8]) {
    beginByteString(contents.count)
    bytes += contents
  }

  /// SHORT_BINBYTES, BINBYTES or BINBYTES8, and the number of bytes. They themselves must follow.
  mutating func beginByteString(_ count: Int) {
    if count <= 0xFF {
      bytes += [UInt8(ascii: "C"), UInt8(count)]
    } else if count <= 0xFFFF_FFFF {
      bytes.append(UInt8(ascii: "B"))
      bytes.appendLittleEndian(count, width: 4)
    } else {
      bytes.append(0x8E)
      bytes.appendLittleEndian(count, width: 8)
    }
  }

  mutating func emptyOrderedDict() {
    global("collections", "OrderedDict")
    emptyTuple()
    reduce()
  }

  /// What `write` puts on the stack, from the memo if it was written before under this key.
  mutating func memoised(_ key: String, _ write: (inout PickleWriter) -> Void) {
    if let index = memo[key] {
      bytes += [UInt8(ascii: "h"), index]  // BINGET
      return
    }
    write(&self)
    let index = UInt8(memo.count)
    memo[key] = index
    bytes += [UInt8(ascii: "q"), index]  // BINPUT
  }

  /// Hands over what has been written since the last time.
  mutating func take() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }
}
