internal import Tensors

/// A forward reader over the bytes of a pickle.
///
/// It keeps a small window of them. What is skipped is never read, so the weights in a pickle cost
/// nothing, and it never steps backwards, so a compressed source is decoded once.
struct PickleCursor {
  private let source: any ByteSource
  private var window: [UInt8] = []
  /// Offset in `source` of the first byte of the window.
  private var start: Int
  private var filled = 0
  private var index = 0
  private var nextFill = smallestFill

  /// Bytes read after a jump: between two arrays lie some hundred bytes.
  private static let smallestFill = 1 << 11
  /// Bytes read at once after reading on and on.
  private static let largestFill = 1 << 16

  init(_ source: any ByteSource, at offset: Int) {
    self.source = source
    start = offset
  }

  /// Offset in the source of the next byte.
  var position: Int { start + index }
  var remaining: Int { source.count - position }

  /// The next byte; nil at the end of the source.
  mutating func next() throws(ReadError) -> UInt8? {
    if index == filled {
      guard try fill() else { return nil }
    }
    defer { index += 1 }
    return window[index]
  }

  private mutating func fill() throws(ReadError) -> Bool {
    start += filled
    (index, filled) = (0, 0)
    let size = min(nextFill, source.count - start)
    guard size > 0 else { return false }
    nextFill = min(nextFill * 2, PickleCursor.largestFill)
    if window.count < size { window = [UInt8](repeating: 0, count: size) }
    let (source, start) = (source, start)
    try unsafe window.withMutableBytes { (bytes) throws(ReadError) in
      try unsafe source.read(
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<size]), at: start)
    }
    filled = size
    return true
  }

  /// A little-endian unsigned integer of `width` bytes, an argument of `opcode`.
  mutating func integer(_ width: Int, of opcode: Opcode) throws(ReadError) -> UInt64 {
    let place = position
    var result: UInt64 = 0
    for byte in 0..<width {
      guard let next = try next() else {
        throw truncated(place, "the argument of \(opcode.name)", needed: width)
      }
      result |= UInt64(next) << (8 * UInt64(byte))
    }
    return result
  }

  /// A length that opens an argument of `opcode`; the bytes it counts are all there.
  ///
  /// - Parameter isSigned: whether the format has a sign where a length needs none.
  mutating func length(
    _ width: Int, isSigned: Bool = false, of opcode: Opcode
  ) throws(ReadError) -> Int {
    let place = position
    let length = try integer(width, of: opcode)
    if isSigned && length >> (8 * UInt64(width) - 1) != 0 {
      throw .malformed(
        source.location(at: place), expected: "a length in \(opcode.name)",
        found: String(Int32(truncatingIfNeeded: length)), remedy: fetchAgain)
    }
    guard length <= UInt64(remaining) else {
      throw truncated(position, "the data of \(opcode.name)", needed: Int(clamping: length))
    }
    return Int(length)
  }

  /// Goes past `count` bytes that are known to be there.
  mutating func skip(_ count: Int) {
    precondition(count <= remaining)
    if count <= filled - index {
      index += count
    } else {
      start += index + count
      (index, filled) = (0, 0)
      nextFill = PickleCursor.smallestFill
    }
  }

  /// Appends the next `count` bytes, which are known to be there, to `bytes`.
  mutating func copy(_ count: Int, to bytes: inout [UInt8]) throws(ReadError) {
    var left = count
    while left > 0 {
      if index == filled {
        guard try fill() else { throw truncated(position, "a pickle", needed: left) }
      }
      let size = min(left, filled - index)
      bytes.append(contentsOf: window[index..<index + size])
      index += size
      left -= size
    }
  }

  /// The bytes up to the next `\n`, which is skipped.
  ///
  /// - Parameter isText: whether nothing bounds it but the file.
  mutating func line(
    of opcode: Opcode, isText: Bool = false
  ) throws(ReadError) -> [UInt8] {
    let limit = source.limits[.pickleLine]
    let place = position
    var line: [UInt8] = []
    while true {
      if index == filled {
        guard try fill() else {
          throw truncated(position, "the line of \(opcode.name)", needed: 1)
        }
      }
      let rest = window[index..<filled]
      let end = rest.firstIndex(of: UInt8(ascii: "\n"))
      line.append(contentsOf: rest[..<(end ?? filled)])
      index = end.map { $0 + 1 } ?? filled
      guard isText || line.count <= limit else {
        throw source.exceeded(
          .pickleLine, at: source.location(at: place),
          what: "characters in the line of \(opcode.name)", found: "\(line.count) or more")
      }
      if end != nil { return line }
    }
  }

  private func truncated(_ place: Int, _ field: String, needed: Int) -> ReadError {
    .truncated(
      source.location(at: place), field: field, needed: needed, available: source.count - place)
  }
}
