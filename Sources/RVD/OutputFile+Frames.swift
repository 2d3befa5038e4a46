internal import Checksums
internal import Tensors

/// What became of a tensor in a file.
struct WrittenTensor {
  var codec: Codec
  var offset = 0
  /// What each plane of each frame takes.
  var frames: [[Int]] = []
  var byteCount = 0
  /// Of the stored bytes.
  var crc = CRC32()
}

extension OutputFile {
  /// Writes tensors in frames, one behind the other from the end of the header on, and computes the hash
  /// of each.
  ///
  /// What a frame takes is known when it is coded, and where it goes when all before it are. So threads
  /// take runs of frames in their order, all of a tensor's before the next one's; they compute, hash and
  /// write them in turn, and code them side by side. Memory: a run for each thread, as it is and coded,
  /// of about a megabyte.
  ///
  /// - Parameter aside: other work, that one thread does first.
  /// - Precondition: room was reserved for the tensors as they are.
  func write(
    _ tensors: [OutputTensor], codec: Codec, _ compression: Compression, threads: Threads,
    aside: @Sendable () throws -> Void
  ) throws -> (tensors: [WrittenTensor], digests: [ElementDigest]) {
    guard let coding = codec.planes else { preconditionFailure("'\(codec.name)' has no frames") }
    let runs = FrameRun.all(of: tensors)
    let encoders = Pool { FrameEncoder(coding.encoder(compression)) }
    let computing = InTurn(RunComputation())
    let hashing = InTurn(tensors.map(ElementDigest.init))
    let writing = InTurn(FrameLayout(count: tensors.count, codec))

    try forEachIndex(below: runs.count + 1, threads: threads) { index, worker in
      guard index > 0 else { return try aside() }
      let (number, run) = (index - 1, runs[index - 1])
      let tensor = tensors[run.tensor]
      let computed = Result {
        try computing.take(number) { try $0.compute(run, of: tensor, into: &worker.buffer) }
      }
      try unsafe worker.buffer.withMutableBytes { buffer in
        let bytes = unsafe UnsafeRawBufferPointer(
          rebasing: UnsafeRawBufferPointer(buffer).prefix(run.bytes.count))
        hashing.take(number) { digests in
          if case .success = computed { unsafe digests[run.tensor].update(bytes) }
        }
        try encoders.withObject { encoder in
          let sizes = computed.map {
            unsafe encoder.encode(bytes, elementSize: tensor.elementType.byteCount)
          }
          try writing.take(number) { layout in
            try unsafe encoder.withOutput { stored in
              try unsafe layout.write(stored, sizes.get(), of: run, of: tensor, to: self)
            }
          }
        }
      }
    }
    return (writing.final.tensors, hashing.final)
  }
}

/// Frames that are computed and coded together.
private struct FrameRun {
  /// Its index.
  var tensor: Int
  /// The elements to be computed. What the run before left over goes before them; what is behind the last
  /// whole frame is left for the next.
  var elements: Range<Int>
  /// The decoded bytes of the frames.
  var bytes: Range<Int>

  /// All runs of `tensors`; of one without elements, an empty run.
  static func all(of tensors: [OutputTensor]) -> [FrameRun] {
    var runs: [FrameRun] = []
    for (index, tensor) in tensors.enumerated() {
      let (count, size) = (tensor.shape.elementCount, tensor.elementType.byteCount)
      let step = tensor.pieceLength()
      var (next, start) = (0, 0)
      repeat {
        var end = next
        repeat {
          end = min(end + step, count)
        } while end < count && end * size - start < Frames.byteCount
        let stop = end == count ? end * size : end * size / Frames.byteCount * Frames.byteCount
        runs.append(FrameRun(tensor: index, elements: next..<end, bytes: start..<stop))
        (next, start) = (end, stop)
      } while next < count
    }
    return runs
  }
}

/// Computes runs in their order.
private struct RunComputation {
  private var workspace = Workspace()
  /// Of the same tensor, computed with the run before.
  private var rest: [UInt8] = []
  private var failure: (any Error)?

  /// Fills the beginning of `buffer` with the bytes of `run`.
  mutating func compute(
    _ run: FrameRun, of tensor: OutputTensor, into buffer: inout [UInt8]
  ) throws {
    // What is left over is not known behind an error.
    if let failure { throw failure }
    let count = rest.count + run.elements.count * tensor.elementType.byteCount
    if buffer.count < count { buffer = [UInt8](repeating: 0, count: count) }
    buffer.replaceSubrange(0..<rest.count, with: rest)
    do {
      try unsafe buffer.withMutableBytes { [start = rest.count] (all) throws(ReadError) in
        // Aligned for the elements, as frames end where elements do.
        let computed = unsafe UnsafeMutableRawBufferPointer(rebasing: all[start..<count])
        try unsafe tensor.contents.read(run.elements, into: computed, workspace: &workspace)
      }
    } catch {
      failure = error
      throw error
    }
    rest = Array(buffer[run.bytes.count..<count])
  }
}

/// Places runs in a file, in their order.
private struct FrameLayout {
  var tensors: [WrittenTensor]
  private let codec: Codec
  /// Of the tensors before.
  private var end = Header.byteCount

  init(count: Int, _ codec: Codec) {
    tensors = [WrittenTensor](repeating: WrittenTensor(codec: codec), count: count)
    self.codec = codec
  }

  /// - Parameters:
  ///   - stored: the bytes of the frames.
  ///   - sizes: of their planes.
  mutating func write(
    _ stored: UnsafeRawBufferPointer, _ sizes: [[Int]], of run: FrameRun, of tensor: OutputTensor,
    to file: OutputFile
  ) throws(WriteError) {
    var written = tensors[run.tensor]
    if run.bytes.lowerBound == 0 { written.offset = Header.aligned(end) }
    unsafe written.crc.update(stored)
    try unsafe file.write(stored, at: written.offset + written.byteCount)
    written.frames += sizes
    written.byteCount += stored.count
    if run.bytes.upperBound == tensor.byteCount {
      // Nothing gained.
      if written.byteCount == tensor.byteCount {
        try Self.join(&written, elementSize: tensor.elementType.byteCount, in: file)
      }
      end = written.offset + written.byteCount
    }
    tensors[run.tensor] = written
  }

  /// Makes raw elements of planes none of which is coded.
  private static func join(
    _ written: inout WrittenTensor, elementSize: Int, in file: OutputFile
  ) throws(WriteError) {
    written.codec = .raw
    written.frames = []
    guard elementSize > 1 else { return }
    written.crc = CRC32()
    var planes = [UInt8](repeating: 0, count: min(Frames.byteCount, written.byteCount))
    var elements = planes
    for frame in 0..<Frames.count(ofBytes: written.byteCount) {
      let place = Frames.range(of: frame, ofBytes: written.byteCount)
      try unsafe planes.withMutableBytes { (all) throws(WriteError) in
        let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<place.count])
        try unsafe file.read(into: bytes, at: written.offset + place.lowerBound)
        try unsafe elements.withMutableBytes { (all) throws(WriteError) in
          let joined = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<place.count])
          let length = place.count / elementSize
          unsafe Frames.join(
            (0..<elementSize).map {
              unsafe UnsafeRawBufferPointer(rebasing: bytes[$0 * length..<($0 + 1) * length])
            }, into: joined)
          unsafe written.crc.update(UnsafeRawBufferPointer(joined))
          try unsafe file.write(
            UnsafeRawBufferPointer(joined), at: written.offset + place.lowerBound)
        }
      }
    }
  }
}
