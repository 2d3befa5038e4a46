import Checksums
import Foundation
import Tensors

// Files of any length, in the formats that the program reads: no more of each than it takes to be read.

/// `part`, so many times.
func repeated(_ part: [UInt8], _ count: Int) -> [UInt8] {
  if part.count == 1 { return [UInt8](repeating: part[0], count: count) }
  var result: [UInt8] = []
  result.reserveCapacity(part.count * count)
  for _ in 0..<count { result += part }
  return result
}

func repeated(_ part: String, _ count: Int) -> [UInt8] { repeated(Array(part.utf8), count) }

/// An integer of so many bytes, the lowest first.
func number(_ value: Int, _ width: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.appendLittleEndian(value, width: width)
  return bytes
}

/// The parts of pickles.
enum PickleText {
  static func text(_ string: String) -> [UInt8] {
    [0x58] + number(string.utf8.count, 4) + Array(string.utf8)
  }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    Array("c\(module)\n\(name)\n".utf8)
  }

  static func file(_ parts: [UInt8]...) -> [UInt8] { [0x80, 4] + parts.joined() + [0x2E] }

  /// A tensor of one number in storage 0.
  static let tensor: [UInt8] =
    global("torch._utils", "_rebuild_tensor_v2") + Array("((".utf8) + text("storage")
    + global("torch", "FloatStorage") + text("0") + text("cpu")
    + Array("K\u{1}tQK\u{0}K\u{1}".utf8) + [0x85] + Array("K\u{1}".utf8) + [0x85, 0x89]
    + Array("}tR".utf8)

  /// A tensor in the memo, under 0, below what follows.
  static let knownTensor: [UInt8] = tensor + Array("q\u{0}0".utf8)

  /// A zip archive as PyTorch saves it, with a storage of one number.
  static func zip(_ pickle: [UInt8]) -> [UInt8] {
    zipArchive([
      ZipMember("a/data.pkl", pickle), ZipMember("a/version", Array("3\n".utf8)),
      ZipMember("a/data/0", [0, 0, 0x80, 0x3F]),
    ])
  }

  /// A file as PyTorch before 1.6 saved it.
  static func legacy(_ pickle: [UInt8]) -> [UInt8] {
    let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    return [0x80, 2, 0x8A, 10] + magic + [0x2E] + file(Array("M".utf8) + number(1001, 2))
      + file(Array("}".utf8) + text("little_endian") + [0x88, 0x73]) + pickle
      + file(Array("]".utf8) + text("0") + Array("a".utf8)) + number(1, 8) + [0, 0, 0x80, 0x3F]
  }
}

/// A safetensors file of this header.
func safetensors(header: String, _ data: [UInt8] = []) -> [UInt8] {
  number(header.utf8.count, 8) + Array(header.utf8) + data
}

/// One with a number under each name.
func safetensors(_ names: [String]) -> [UInt8] {
  let entries = names.enumerated().map { index, name in
    "\"\(name)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\(4 * index),\(4 * index + 4)]}"
  }
  return safetensors(
    header: "{" + entries.joined(separator: ",") + "}",
    [UInt8](repeating: 0, count: 4 * names.count))
}

/// A member of a zip archive, without a checksum.
struct ZipMember {
  var name: String
  var stored: [UInt8]
  /// What it expands to, if it is deflated.
  var expandedCount: Int?

  init(_ name: String, _ contents: [UInt8]) {
    (self.name, stored) = (name, contents)
  }

  /// Deflated: `start`, a pattern of at most four bytes many times, `end`.
  init(
    _ name: String, _ start: [UInt8], _ pattern: [UInt8], times count: Int, _ end: [UInt8] = []
  ) {
    self.name = name
    stored = deflated(start, pattern, times: count, end)
    expandedCount = start.count + pattern.count * count + end.count
  }
}

func zipArchive(_ members: [ZipMember], comment: [UInt8] = []) -> [UInt8] {
  var (file, directory): ([UInt8], [UInt8]) = ([], [])
  for member in members {
    let sizes =
      number(0, 4) + number(member.stored.count, 4)
      + number(member.expandedCount ?? member.stored.count, 4)
    let common =
      number(20, 2) + number(0, 2) + number(member.expandedCount == nil ? 0 : 8, 2) + number(0, 4)
      + sizes + number(member.name.utf8.count, 2) + number(0, 2)
    directory += number(0x0201_4B50, 4) + number(20, 2) + common + number(0, 10)
    directory += number(file.count, 4) + Array(member.name.utf8)
    file += number(0x0403_4B50, 4) + common + Array(member.name.utf8) + member.stored
  }
  return file + directory + number(0x0605_4B50, 4) + number(0, 4) + number(members.count, 2)
    + number(members.count, 2) + number(directory.count, 4) + number(file.count, 4)
    + number(comment.count, 2) + comment
}

/// A stream of deflate, one block of fixed codes (RFC 1951, 3.2.6): `start`, a pattern many times, `end`.
private func deflated(
  _ start: [UInt8], _ pattern: [UInt8], times count: Int, _ end: [UInt8]
) -> [UInt8] {
  var (stream, accumulator, bits): ([UInt8], UInt32, Int) = ([], 0, 0)
  func put(_ value: UInt32, _ count: Int) {
    accumulator |= value << UInt32(bits)
    bits += count
    while bits >= 8 {
      stream.append(UInt8(truncatingIfNeeded: accumulator))
      accumulator >>= 8
      bits -= 8
    }
  }
  // Codes begin with their highest bit.
  func code(_ value: UInt32, _ count: Int) {
    put((0..<count).reduce(0) { $0 | (value >> UInt32($1) & 1) << UInt32(count - 1 - $1) }, count)
  }
  func literal(_ byte: UInt8) {
    if byte < 144 { code(0x30 + UInt32(byte), 8) } else { code(0x190 + UInt32(byte) - 144, 9) }
  }
  put(0b011, 3)
  for byte in start + pattern { literal(byte) }
  // The longest match, 258 bytes, with what is a pattern before: distances to 4 have no more than a code.
  let rest = pattern.count * (count - 1)
  for _ in 0..<rest / 258 {
    code(0b1100_0101, 8)
    code(UInt32(pattern.count - 1), 5)
  }
  for index in rest / 258 * 258..<rest { literal(pattern[index % pattern.count]) }
  for byte in end { literal(byte) }
  code(0, 7)
  put(0, 7)
  return stream
}

/// An array of NumPy of so many zero bytes.
func npy(_ count: Int, header: String? = nil) -> [UInt8] {
  let text = header ?? "{'descr': '|u1', 'fortran_order': False, 'shape': (\(count),), }\n"
  return [0x93] + Array("NUMPY".utf8) + [1, 0] + number(text.utf8.count, 2) + Array(text.utf8)
    + [UInt8](repeating: 0, count: count)
}

/// A field of a message of protobuf: bytes.
func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
  varint(number << 3 | 2) + varint(bytes.count) + bytes
}

func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

/// A field of a message of protobuf: an integer.
func field(_ number: Int, _ value: Int) -> [UInt8] { varint(number << 3) + varint(value) }

private func varint(_ value: Int) -> [UInt8] {
  var (rest, bytes): (Int, [UInt8]) = (value, [])
  while rest > 0x7F {
    bytes.append(UInt8(rest & 0x7F) | 0x80)
    rest >>= 7
  }
  return bytes + [UInt8(rest)]
}

/// An ONNX model of this graph; values are `x` and `y` at its ends.
func onnx(_ graph: [UInt8], _ more: [UInt8] = []) -> [UInt8] {
  let ends = field(11, field(1, "x")) + field(12, field(1, "y"))
  return field(1, 8) + field(2, "growth") + field(7, graph + ends) + field(8, field(2, 17)) + more
}

/// An `.rvd` file without tensors, of this manifest.
func rvd(manifest: String) -> [UInt8] {
  let text = Array(manifest.utf8)
  var header: [UInt8] = [0x89, 0x52, 0x56, 0x44, 0x0D, 0x0A, 0x1A, 0x0A]
  header += number(1, 4) + number(1, 4) + number(0, 8) + number(64, 8) + number(text.count, 8)
  header += number(Int(CRC32(text).value), 4) + number(0, 16)
  return header + number(Int(CRC32(header).value), 4) + text
}

/// An HDF5 file that is put together object by object (superblock 0, object headers 1).
struct HDF5Bytes {
  private var bytes = [UInt8](repeating: 0, count: 96)

  /// Where the next object will be.
  var end: Int { bytes.count }

  /// - Returns: the address of what was added.
  mutating func add(_ part: [UInt8]) -> Int {
    defer { bytes += part + [UInt8](repeating: 0, count: (8 - part.count % 8) % 8) }
    return bytes.count
  }

  /// Adds an object header.
  mutating func object(_ messages: [[UInt8]]) -> Int {
    let all = Array(messages.joined())
    return add(
      [1, 0] + number(messages.count & 0xFFFF, 2) + number(1, 4) + number(all.count, 8) + all)
  }

  static func message(_ type: Int, _ body: [UInt8]) -> [UInt8] {
    number(type, 2) + number(body.count, 2) + number(0, 4) + body
  }

  static func link(_ name: String, _ address: Int) -> [UInt8] {
    message(6, [1, 1] + number(name.utf8.count, 2) + Array(name.utf8) + number(address, 8))
  }

  static func softLink(_ name: String, _ path: String) -> [UInt8] {
    message(
      6,
      [1, 9, 1] + number(name.utf8.count, 2) + Array(name.utf8) + number(path.utf8.count, 2)
        + Array(path.utf8))
  }

  static let float32: [UInt8] =
    [0x11, 0x20, 0x1F, 0] + number(4, 4) + number(0, 2) + number(32, 2) + [23, 8, 0, 23]
    + number(127, 4)

  /// An unsigned number of 32 bits in so many bytes.
  static func integer(byteCount: Int) -> [UInt8] {
    [0x10, 0, 0, 0] + number(byteCount, 4) + number(0, 2) + number(32, 2)
  }

  /// The messages of a dataset.
  static func dataset(_ shape: [Int], of type: [UInt8] = float32, layout: [UInt8]) -> [[UInt8]] {
    let space = [1, UInt8(shape.count)] + number(0, 6) + shape.flatMap { number($0, 8) }
    return [message(1, space), message(3, type), message(8, layout)]
  }

  static func contiguous(_ address: Int, _ size: Int) -> [UInt8] {
    [3, 1] + number(address, 8) + number(size, 8)
  }

  /// The file, with a root of these messages.
  mutating func file(root messages: [[UInt8]]) -> [UInt8] {
    let root = object(messages)
    var head: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0, 0, 8, 8, 0]
    head += number(4, 2) + number(16, 2) + number(0, 4) + number(0, 8) + number(-1, 8)
    head += number(bytes.count, 8) + number(-1, 8) + number(0, 8) + number(root, 8) + number(0, 24)
    return head + bytes[96...]
  }
}
