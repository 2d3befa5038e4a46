/// What a writer computes from the bytes of a tensor on their way to the file.
public protocol TensorChecksum: Sendable {
  /// Feeds the next bytes, in order.
  mutating func update(_ bytes: UnsafeRawBufferPointer)
}

/// Of some tensors, and not of others.
extension Optional: TensorChecksum where Wrapped: TensorChecksum {
  public mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe self?.update(bytes) }
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
  ///   - begin: begins the checksum of the tensor with this index.
  public func write<Checksum: TensorChecksum>(
    _ tensors: [OutputTensor], at offsets: [Int], threads: Threads,
    aside: @Sendable () throws -> Void = {}, checksum begin: @Sendable (Int) -> Checksum
  ) throws -> [Checksum] {
    // What is aside has no tensor, and comes first.
    let tasks: [(tensor: Int?, size: Int)] =
      [(nil, .max)] + tensors.enumerated().map { ($0, $1.byteCount) }
    let checksums = try concurrentMap(of: tasks, largestFirst: \.size, threads: threads) {
      task, worker -> Checksum? in
      guard let index = task.tensor else {
        try aside()
        return nil
      }
      var checksum = begin(index)
      var offset = offsets[index]
      try unsafe tensors[index].forEachPiece(
        workspace: &worker.workspace, buffer: &worker.buffer
      ) { piece in
        unsafe checksum.update(piece)
        try unsafe write(piece, at: offset)
        offset += piece.count
      }
      return checksum
    }
    return checksums.compactMap { $0 }
  }

  /// Writes each tensor at its offset, several at a time, as above.
  public func write(_ tensors: [OutputTensor], at offsets: [Int], threads: Threads) throws {
    struct None: TensorChecksum {
      func update(_ bytes: UnsafeRawBufferPointer) {}
    }
    _ = try write(tensors, at: offsets, threads: threads) { _ in None() }
  }
}
