internal import Synchronization

/// Bytes that a decoder yields from front to back.
public protocol ByteStream {
  /// Fills all of `buffer` with the next bytes.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ReadError)

  /// Checks that nothing follows the last byte and that the checksum, if any, is right.
  mutating func finish() throws(ReadError)
}

/// A byte source over a decoder: read forward in constant memory; the first step backwards decodes
/// the whole into memory once, so that no order of reading costs more than two passes.
public final class StreamedBytes: ByteSource {
  public let location: Location
  public let count: Int
  public let storedCount: Int
  public let limits: ReadingLimits
  private let open: @Sendable () throws(ReadError) -> any ByteStream
  private let state: Mutex<State>

  private struct State: @unchecked Sendable {  // only ever touched under the mutex
    var stream: (any ByteStream)?
    var position = 0
    var whole: MemoryBytes?
  }

  /// - Parameters:
  ///   - count: the number of bytes the decoder is expected to yield.
  ///   - storedCount: bytes of the file that the decoder may read; as many by default.
  ///   - limits: of what the file may ask for that the bytes are of.
  ///   - open: starts a decoder at the first byte.
  public init(
    count: Int, storedCount: Int? = nil, location: Location,
    limits: ReadingLimits = ReadingLimits(),
    open: @escaping @Sendable () throws(ReadError) -> any ByteStream
  ) {
    self.count = count
    self.storedCount = storedCount ?? count
    self.location = location
    self.limits = limits
    self.open = open
    state = Mutex(State())
  }

  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    try withState { (state) throws(ReadError) in
      if state.whole == nil && offset < state.position {
        state.stream = nil
        var bytes = [UInt8](repeating: 0, count: count)
        var stream = try open()
        try unsafe bytes.withMutableBytes { (all) throws(ReadError) in
          try unsafe stream.read(into: all)
        }
        try stream.finish()
        state.whole = MemoryBytes(bytes, location: location)
      }
      if let whole = state.whole {
        return try unsafe whole.read(into: buffer, at: offset)
      }
      try advance(&state, to: offset)
      try unsafe state.stream!.read(into: buffer)
      state.position += buffer.count
    }
  }

  public func verify() throws(ReadError) {
    try withState { (state) throws(ReadError) in
      guard state.whole == nil else { return }
      try advance(&state, to: count)
      try state.stream!.finish()
    }
  }

  private func withState(
    _ body: (inout State) throws(ReadError) -> Void
  ) throws(ReadError) {
    try state.withLock { (state) throws(ReadError) in
      do throws(ReadError) {
        try body(&state)
      } catch {
        // Where the decoder stands now is not known: begin again next time.
        state.stream = nil
        throw error
      }
    }
  }

  /// Opens the decoder if need be and skips forward to `offset`.
  private func advance(_ state: inout State, to offset: Int) throws(ReadError) {
    if state.stream == nil {
      state.stream = try open()
      state.position = 0
    }
    guard state.position < offset else { return }
    var skipped = [UInt8](repeating: 0, count: min(1 << 18, offset - state.position))
    while state.position < offset {
      let size = min(skipped.count, offset - state.position)
      try unsafe skipped.withMutableBytes { (bytes) throws(ReadError) in
        try unsafe state.stream!.read(into: .init(rebasing: bytes[..<size]))
      }
      state.position += size
    }
  }
}
