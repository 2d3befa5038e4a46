internal import Checksums
internal import Dispatch
internal import Tensors

/// Copies tensors to a file, piece by piece, and computes their checksums on the way.
///
/// SHA-256 takes about as long as all the rest, so a piece is hashed by one processor while another
/// writes it and fetches the next. Two buffers, used by all tensors in turn, hold the two pieces.
final class TensorStream {
  private let file: OutputFile
  private var workspace = Workspace()
  /// The piece that is being hashed and written, and the one that is being fetched.
  private var current: [UInt8] = []
  private var next: [UInt8] = []
  private var crc = CRC32()
  private var hash = SHA256()
  private var failure: (any Error)?

  init(to file: OutputFile) {
    self.file = file
  }

  func write(_ tensor: OutputTensor) throws -> (CRC32, SHA256) {
    crc = CRC32()
    hash = ContentDigest.begin(name: tensor.name, tensor.elementType, tensor.shape)
    let pieces = TensorStream.pieces(of: tensor)
    guard let first = pieces.first else { return (crc, hash) }
    try fetch(first, of: tensor)
    for index in pieces.indices {
      swap(&current, &next)
      let size = pieces[index].count * tensor.elementType.byteCount
      let following = index + 1 < pieces.count ? pieces[index + 1] : nil
      // Safe: one iteration touches `hash` alone, the other all else but reads of `current`, and both
      // have ended when this returns.
      nonisolated(unsafe) let stream = self
      DispatchQueue.concurrentPerform(iterations: 2) { step in
        if step == 0 { return unsafe stream.hash(size) }
        do {
          try unsafe stream.store(size)
          if let following { try unsafe stream.fetch(following, of: tensor) }
        } catch { unsafe stream.failure = error }
      }
      if let failure { throw failure }
    }
    return (crc, hash)
  }

  private func hash(_ size: Int) {
    unsafe current.withBytes { unsafe hash.update(.init(rebasing: $0[..<size])) }
  }

  private func store(_ size: Int) throws {
    try unsafe current.withBytes { bytes in
      let piece = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<size])
      unsafe crc.update(piece)
      try unsafe file.append(piece)
    }
  }

  private func fetch(_ range: Range<Int>, of tensor: OutputTensor) throws {
    let size = range.count * tensor.elementType.byteCount
    if next.count < size { next = [UInt8](repeating: 0, count: size) }
    try unsafe next.withMutableBytes { bytes in
      try unsafe tensor.contents.read(
        range, into: .init(rebasing: bytes[..<size]), workspace: &workspace)
    }
  }

  /// Runs of elements of about half a megabyte, in order.
  private static func pieces(of tensor: OutputTensor) -> [Range<Int>] {
    let unit = max(1, tensor.contents.granularity)
    let step = max(1, (1 << 19) / (unit * tensor.elementType.byteCount)) * unit
    return stride(from: 0, to: tensor.shape.elementCount, by: step).map {
      $0..<min($0 + step, tensor.shape.elementCount)
    }
  }
}
