internal import Tensors

/// Bytes that a pickle of protocol 0 to 2 holds as text.
///
/// Python 3 writes `b"\x00\x80"` under these protocols as the call `_codecs.encode("\x00\x80",
/// "latin1")`: each byte is the character of its number, and the text is stored in UTF-8. So bytes from
/// 80 on take two: `C2 80`...`C2 BF`, `C3 80`...`C3 BF`.
enum Latin1Bytes {
  /// Bytes read at once.
  private static let chunk = 1 << 16

  /// The bytes that `count` bytes of UTF-8 at `offset` stand for, decoded whenever they are read.
  ///
  /// - Throws: `ReadError.malformed` if a character is no byte.
  static func source(
    of text: any ByteSource, at offset: Int, count: Int
  ) throws(ReadError) -> any ByteSource {
    let decodedCount = try decodedCount(of: text, at: offset, count: count)
    return StreamedBytes(count: decodedCount, location: text.location(at: offset)) {
      () throws(ReadError) in
      Stream(text: text, position: offset, end: offset + count)
    }
  }

  /// How many characters there are: one for each byte that does not continue another. Whether bytes
  /// stand in the right order is left to the decoder; that none is foreign is checked here.
  private static func decodedCount(
    of text: any ByteSource, at offset: Int, count: Int
  ) throws(ReadError) -> Int {
    var bytes = [UInt8](repeating: 0, count: min(chunk, count))
    var (leads, continuations) = (0, 0)
    var done = 0
    while done < count {
      let size = min(bytes.count, count - done)
      try unsafe bytes.withMutableBytes { (all) throws(ReadError) in
        try unsafe text.read(into: .init(rebasing: all[..<size]), at: offset + done)
      }
      var (inChunk, foreign) = (0, 0)
      for byte in bytes[..<size] {
        let isLead = byte == 0xC2 || byte == 0xC3
        let isContinuation = byte & 0xC0 == 0x80
        leads += isLead ? 1 : 0
        inChunk += isContinuation ? 1 : 0
        foreign += byte >= 0x80 && !isLead && !isContinuation ? 1 : 0
      }
      continuations += inChunk
      guard foreign == 0 else { throw foreignCharacter(text.location(at: offset + done)) }
      done += size
    }
    guard leads == continuations else { throw foreignCharacter(text.location(at: offset)) }
    return count - continuations
  }

  fileprivate static func foreignCharacter(_ place: Location) -> ReadError {
    .malformed(
      place, expected: "bytes stored as the characters U+0000 to U+00FF in UTF-8",
      found: "something else among them", remedy: fetchAgain)
  }

  private struct Stream: ByteStream {
    let text: any ByteSource
    /// The next byte of the text that is not in `buffer`.
    var position: Int
    let end: Int
    var buffer: [UInt8] = []
    var index = 0

    mutating func read(into target: UnsafeMutableRawBufferPointer) throws(ReadError) {
      var written = 0
      while written < target.count {
        guard let byte = try next() else {
          throw .truncated(
            text.location(at: end), field: "bytes stored as text", needed: target.count,
            available: written)
        }
        // Safe: `written` is less than the count.
        unsafe target[written] = byte
        written += 1
      }
      // Thousands of tensors may have their streams open at the same time.
      if position == end && index == buffer.count { (buffer, index) = ([], 0) }
    }

    mutating func finish() throws(ReadError) {
      guard try next() == nil else { throw Latin1Bytes.foreignCharacter(text.location(at: position)) }
    }

    private mutating func next() throws(ReadError) -> UInt8? {
      guard let byte = try nextOfText() else { return nil }
      if byte < 0x80 { return byte }
      guard byte == 0xC2 || byte == 0xC3, let low = try nextOfText(), low & 0xC0 == 0x80 else {
        throw Latin1Bytes.foreignCharacter(text.location(at: position - buffer.count + index - 1))
      }
      return byte << 6 | low & 0x3F
    }

    private mutating func nextOfText() throws(ReadError) -> UInt8? {
      if index == buffer.count {
        let size = min(Latin1Bytes.chunk, end - position)
        guard size > 0 else { return nil }
        buffer = try text.bytes(position..<position + size, field: "bytes stored as text")
        position += size
        index = 0
      }
      defer { index += 1 }
      return buffer[index]
    }
  }
}
