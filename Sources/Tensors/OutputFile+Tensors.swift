internal import Synchronization

/// What a writer computes from the bytes of a tensor on their way to the file.
public protocol TensorChecksum: Sendable {
  /// Feeds the next bytes, in order.
  mutating func update(_ bytes: UnsafeRawBufferPointer)
}

extension OutputFile {
  /// Writes each tensor at its offset, several at a time, and computes a checksum of each.
  ///
  /// Every thread takes the largest tensor that is left and does all there is to do for it, so that
  /// threads share nothing and end at about the same time. The file is the same for any number of
  /// threads. Memory: a few pieces of about a megabyte for each thread.
  ///
  /// - Parameters:
  ///   - offsets: one for each tensor, inside parts that were reserved.
  ///   - aside: other work, of the length of a large tensor's, that one thread does first.
  ///   - checksum: begins the checksum of the tensor with this index.
  public func write<Checksum: TensorChecksum>(
    _ tensors: [OutputTensor], at offsets: [Int], threads: Threads,
    aside: @Sendable () throws -> Void = {}, checksum begin: @Sendable (Int) -> Checksum
  ) throws -> [Checksum] {
    let order = tensors.indices.sorted {
      (tensors[$1].byteCount, $0) < (tensors[$0].byteCount, $1)
    }
    let results = Mutex([Checksum?](repeating: nil, count: tensors.count))
    try forEachIndex(below: 1 + order.count, threads: threads) { position, worker in
      guard position > 0 else { return try aside() }
      let index = order[position - 1]
      var checksum = begin(index)
      var offset = offsets[index]
      try unsafe tensors[index].forEachPiece(
        workspace: &worker.workspace, buffer: &worker.buffer
      ) { piece in
        unsafe checksum.update(piece)
        try unsafe write(piece, at: offset)
        offset += piece.count
      }
      results.withLock { $0[index] = checksum }
    }
    // All are there, or an error was thrown.
    return results.withLock { $0.map { $0! } }
  }

  /// Writes each tensor at its offset, several at a time, as above.
  public func write(_ tensors: [OutputTensor], at offsets: [Int], threads: Threads) throws {
    struct None: TensorChecksum {
      func update(_ bytes: UnsafeRawBufferPointer) {}
    }
    _ = try write(tensors, at: offsets, threads: threads) { _ in None() }
  }
}
