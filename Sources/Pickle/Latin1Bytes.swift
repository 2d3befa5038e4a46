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
    return StreamedBytes(
      count: decodedCount, location: text.location(at: offset), limits: text.limits
    ) {
      () throws(ReadError) in
      Stream(text: text, position: offset, end: offset + count)
    }
  }

  /// How many characters there are: one for each byte that does not continue another. That no byte is
  /// foreign is checked here; that each has its place is left to the decoder.
  private static func decodedCount(
    of text: any ByteSource, at offset: Int, count: Int
  ) throws(ReadError) -> Int {
    var words = [UInt64](repeating: 0, count: min(chunk, count + 7) / 8)
    var (leads, continuations) = (0, 0)
    var done = 0
    while done < count {
      let size = min(words.count * 8, count - done)
      words[(size - 1) / 8] = 0  // the last one may be filled in part
      try unsafe words.withMutableBytes { (all) throws(ReadError) in
        try unsafe text.read(into: .init(rebasing: all[..<size]), at: offset + done)
      }
      // Eight bytes at a time. Shifted left by k, bit 7 of each byte is its bit 7 - k: a lead has bits
      // 1100001x, a continuation 10xxxxxx.
      let top: UInt64 = 0x8080_8080_8080_8080
      var foreign: UInt64 = 0
      for word in words[...((size - 1) / 8)] {
        let lead = word & word << 1 & top
        leads += lead.nonzeroBitCount
        continuations += (word & ~(word << 1) & top).nonzeroBitCount
        foreign |= lead & (word << 2 | word << 3 | word << 4 | word << 5 | ~(word << 6))
      }
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
    /// A part of the text, and a zero.
    var buffer: [UInt8] = [0]
    var index = 0

    mutating func read(into target: UnsafeMutableRawBufferPointer) throws(ReadError) {
      var written = 0
      while written < target.count {
        // A lead that ends the part is left for the next.
        if index >= buffer.count - 2 && position < end { try refill() }
        guard index < buffer.count - 1 else {
          throw .truncated(
            text.location(at: end), field: "bytes stored as text", needed: target.count,
            available: written)
        }
        let limit = position < end ? buffer.count - 2 : buffer.count - 1
        var next = index
        let isSound = unsafe Stream.decode(
          buffer.span, &next, upTo: limit, into: target, &written)
        index = next
        guard isSound else {
          throw Latin1Bytes.foreignCharacter(text.location(at: position - buffer.count + 1))
        }
      }
      // Thousands of tensors may have their streams open at the same time.
      if position == end && index == buffer.count - 1 { (buffer, index) = ([0], 0) }
    }

    /// Decodes from `text[index]` on, up to `limit` or until `target` is full; a byte follows `limit`.
    ///
    /// - Returns: whether there were no characters above U+00FF.
    private static func decode(
      _ text: Span<UInt8>, _ index: inout Int, upTo limit: Int,
      into target: UnsafeMutableRawBufferPointer, _ written: inout Int
    ) -> Bool {
      // Half of a float's bytes are pairs, at random: a branch would be guessed wrong each other time.
      var foreign: UInt8 = 0
      while index < limit && written < target.count {
        let (byte, next) = (text[index], text[index + 1])
        let isPair = byte >> 7
        let mask = 0 &- isPair
        foreign |= mask & ((byte ^ 0xC2) & 0xFE | (next ^ 0x80) & 0xC0)
        // Safe: `written` is less than the count.
        unsafe target[written] = byte & ~mask | (byte << 6 | next & 0x3F) & mask
        index += 1 + Int(isPair)
        written += 1
      }
      return foreign == 0
    }

    mutating func finish() throws(ReadError) {
      guard position == end, index == buffer.count - 1 else {
        throw Latin1Bytes.foreignCharacter(text.location(at: position))
      }
    }

    private mutating func refill() throws(ReadError) {
      let rest = Array(buffer[index..<buffer.count - 1])
      let size = min(Latin1Bytes.chunk, end - position)
      buffer =
        rest + (try text.bytes(position..<position + size, field: "bytes stored as text")) + [0]
      position += size
      index = 0
    }
  }
}
