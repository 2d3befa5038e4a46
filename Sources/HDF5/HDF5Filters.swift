internal import CDeflate
internal import Tensors

/// A step between the elements of a chunk and its bytes in the file.
struct HDF5Filter: Sendable {
  enum Kind: Equatable {
    case deflate
    /// Bytes of the same significance side by side, for elements of this many bytes.
    case shuffle(Int)
    case fletcher32
    case lzf
    /// One of the HDF5 library's own that is not undone here.
    case known
    case unknown
  }
  var kind: Kind
  var id: Int
  var name: String

  /// Whether what comes out of it has no size that is known before.
  var isCompression: Bool { kind == .deflate || kind == .lzf }

  /// The steps of a filter pipeline message, in the order in which they were applied:
  ///
  ///     01, filters, 0 (6); each: id (2), length of the name (2), flags (2), values (2),
  ///       name padded to a multiple of 8, values (4 each), [odd number of values: 0 (4)]
  ///     02, filters; each: id (2), [id from 256 on: length of the name (2)], flags (2), values (2),
  ///       [name], values (4 each)
  static func list(_ message: HDF5Cursor) throws(ReadError) -> [HDF5Filter] {
    var cursor = message
    let version = try cursor.integer(1, "the version of a filter pipeline")
    guard version == 1 || version == 2 else {
      throw cursor.malformed(expected: "filters of version 1 or 2", found: "version \(version)")
    }
    let count = try cursor.integer(1, "the number of filters")
    // As many as HDF5 allows.
    guard count <= 32 else {
      throw cursor.malformed(expected: "at most 32 filters", found: "\(count)")
    }
    if version == 1 { try cursor.skip(6, "padding") }
    var filters: [HDF5Filter] = []
    for _ in 0..<count {
      let id = try cursor.integer(2, "the id of a filter")
      let nameLength =
        version == 1 || id >= 256 ? try cursor.integer(2, "the length of a filter's name") : 0
      try cursor.skip(2, "flags")
      let valueCount = try cursor.integer(2, "the number of a filter's values")
      let padded = version == 1 ? (nameLength + 7) / 8 * 8 : nameLength
      guard version == 2 || padded == nameLength else {
        throw cursor.malformed(
          expected: "a filter's name of a multiple of 8 bytes", found: "\(nameLength)")
      }
      let name = try cursor.take(padded, "the name of a filter").textUntilNUL
      var values: [Int] = []
      for _ in 0..<valueCount { values.append(try cursor.integer(4, "a filter's value")) }
      if version == 1 && valueCount % 2 == 1 { try cursor.skip(4, "padding") }
      // The level of deflate; the size of elements.
      let allowed = [1: 0...9, 2: 1...Int.max][id]
      guard allowed.map({ values.count == 1 && $0.contains(values[0]) }) ?? true else {
        throw cursor.malformed(
          expected: "filter \(id) with one value, \(id == 1 ? "0 to 9" : "the size of elements")",
          found: "\(values.count), \(values.first.map(String.init) ?? "none")")
      }
      let kind: Kind =
        switch id {
        case 1: .deflate
        case 2: .shuffle(values[0])
        case 3: .fletcher32
        case 4, 5, 6: .known
        case 32000: .lzf
        default: .unknown
        }
      filters.append(HDF5Filter(kind: kind, id: id, name: name.text))
    }
    return filters
  }

  /// `LZF`, `Blosc (filter 32001)`: what a user may have chosen.
  var title: String {
    let names = [
      4: "szip", 5: "n-bit packing", 6: "scale and offset", 32000: "LZF", 32001: "Blosc",
      32004: "LZ4", 32008: "bitshuffle", 32013: "ZFP", 32015: "Zstandard", 32026: "Blosc2",
    ]
    let name = names[id] ?? (self.name.isEmpty ? "an unknown method" : "'\(printable(self.name))'")
    return "\(name) (filter \(id))"
  }
}

/// Undoes filters. Memory is bounded by the size of a chunk, whatever its bytes say.
final class HDF5FilterDecoder {
  private let filters: [HDF5Filter]
  /// Bytes before the first filter.
  private let byteCount: Int
  private let inflater = Inflater()

  init(_ filters: [HDF5Filter], byteCount: Int) {
    self.filters = filters
    self.byteCount = byteCount
  }

  /// The elements of a chunk.
  ///
  /// - Parameters:
  ///   - mask: bit i says that filter i was left out.
  ///   - location: of the chunk, for errors.
  func decode(_ stored: [UInt8], mask: Int, at location: Location) throws(ReadError) -> [UInt8] {
    var bytes = stored
    for (index, filter) in filters.enumerated().reversed() where mask >> index & 1 == 0 {
      switch filter.kind {
      case .deflate, .lzf:
        // What the filters before it made of the chunk: only checksums add bytes.
        let checksums = filters[..<index].enumerated().count {
          $1.kind == .fletcher32 && mask >> $0 & 1 == 0
        }
        let count = byteCount + 4 * checksums
        bytes =
          filter.kind == .lzf
          ? try expandedLZF(bytes, to: count, at: location)
          : try inflater.inflate(bytes, to: count, at: location)
      case .shuffle(let size): bytes = unshuffled(bytes, elementSize: size)
      case .fletcher32: bytes = try checked(bytes, at: location)
      case .known, .unknown: preconditionFailure("refused when the dataset was opened")
      }
    }
    guard bytes.count == byteCount else {
      throw .malformed(
        location, expected: "a chunk of \(byteCount) bytes", found: "\(bytes.count)",
        remedy: fetchAgain)
    }
    return bytes
  }

  /// The bytes without the checksum behind them.
  private func checked(_ bytes: [UInt8], at location: Location) throws(ReadError) -> [UInt8] {
    guard bytes.count >= 4 else {
      throw .malformed(
        location, expected: "a chunk with a checksum", found: "\(bytes.count) bytes",
        remedy: fetchAgain)
    }
    let data = bytes.dropLast(4)
    let recorded = UInt32(bytes.suffix(4).littleEndian(at: 0, width: 4))
    let computed = fletcher32(data)
    // HDF5 before 1.6.3 wrote the bytes of each half the other way round.
    let reversed = (computed & 0x00FF_00FF) << 8 | computed >> 8 & 0x00FF_00FF
    guard recorded == computed || recorded == reversed else {
      throw .malformed(
        location, expected: "a chunk with the Fletcher-32 checksum \(String(recorded, radix: 16))",
        found: String(computed, radix: 16),
        remedy:
          "The file was damaged after it was written; fetch it again or restore it from a backup.")
    }
    return Array(data)
  }
}

/// Undoes LZF, the compression of h5py (http://oldhome.schmorp.de/marc/liblzf.html):
///
///     000LLLLL, L + 1 bytes                            these bytes
///     LLLooooo [L = 7: n] oooooooo                     L + 2 bytes, or n + 9, from o + 1 before the end
///
/// - Parameter count: bytes that must come out, no more and no fewer.
private func expandedLZF(
  _ bytes: [UInt8], to count: Int, at location: Location
) throws(ReadError) -> [UInt8] {
  func damaged(_ found: String) -> ReadError {
    .malformed(
      location, expected: "a chunk that expands to \(count) bytes", found: found,
      remedy: fetchAgain)
  }
  var result: [UInt8] = []
  result.reserveCapacity(count)
  var next = 0
  func take() throws(ReadError) -> Int {
    guard next < bytes.count else { throw damaged("damaged data") }
    defer { next += 1 }
    return Int(bytes[next])
  }
  while next < bytes.count {
    let control = try take()
    if control < 32 {
      guard control < bytes.count - next else { throw damaged("damaged data") }
      result += bytes[next...next + control]
      next += control + 1
    } else {
      let length = control >> 5 == 7 ? try take() + 9 : control >> 5 + 2
      let distance = (control & 31) << 8 + (try take()) + 1
      guard distance <= result.count else { throw damaged("damaged data") }
      // What is copied may be what was copied just now.
      let start = result.count - distance
      for index in start..<start + length { result.append(result[index]) }
    }
    guard result.count <= count else { throw damaged("more") }
  }
  guard result.count == count else { throw damaged("fewer") }
  return result
}

/// Elements from their bytes sorted by significance. Bytes beyond the last element stay at the end.
private func unshuffled(_ bytes: [UInt8], elementSize: Int) -> [UInt8] {
  guard elementSize > 1 else { return bytes }
  let count = bytes.count / elementSize
  var result = bytes
  var elements = result.mutableSpan
  let planes = bytes.span
  for byte in 0..<elementSize {
    let plane = planes.extracting(byte * count..<(byte + 1) * count)
    var position = byte
    for index in 0..<count {
      elements[position] = plane[index]
      position += elementSize
    }
  }
  return result
}

/// The checksum of HDF5's filter 3, over big-endian words of 16 bits.
private func fletcher32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var (low, high): (UInt32, UInt32) = (0, 0)
  let span = bytes.span
  func folded(_ sum: UInt32) -> UInt32 { sum & 0xFFFF + sum >> 16 }
  var index = 0
  while index + 1 < span.count {
    // So many words cannot overflow the sums.
    let end = min(index + 720, span.count & ~1)
    while index < end {
      low += UInt32(span[index]) << 8 | UInt32(span[index + 1])
      high += low
      index += 2
    }
    (low, high) = (folded(low), folded(high))
  }
  if index < span.count {
    low += UInt32(span[index]) << 8
    high += low
    (low, high) = (folded(low), folded(high))
  }
  (low, high) = (folded(low), folded(high))
  return high << 16 | low
}

/// libdeflate's decoder. Used by one thread at a time.
@safe private final class Inflater {
  private let decompressor: OpaquePointer

  init() {
    guard let made = unsafe libdeflate_alloc_decompressor() else {
      fatalError("out of memory")
    }
    unsafe decompressor = made
  }

  deinit { unsafe libdeflate_free_decompressor(decompressor) }

  /// - Parameter count: bytes that must come out, no more and no fewer.
  func inflate(
    _ bytes: [UInt8], to count: Int, at location: Location
  ) throws(ReadError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    let outcome = unsafe result.withMutableBytes { output in
      // Safe: libdeflate reads and writes no more than the counts given.
      unsafe bytes.withBytes { input in
        unsafe libdeflate_zlib_decompress(
          decompressor, input.baseAddress, input.count, output.baseAddress, output.count, nil)
      }
    }
    guard outcome == LIBDEFLATE_SUCCESS else {
      throw .malformed(
        location, expected: "a chunk that expands to \(count) bytes",
        found: outcome == LIBDEFLATE_BAD_DATA
          ? "damaged data" : outcome == LIBDEFLATE_SHORT_OUTPUT ? "fewer" : "more",
        remedy: fetchAgain)
    }
    return result
  }
}
