public import Tensors

// The elements of single tensors, for programs that run networks: mapped, or decoded on several
// processors. Neither compares checksums; `verify` does, or the source of the tensor.

extension RVDFile {
  /// The tensor of a name.
  ///
  /// - Throws: `ReadError.unsupported` if there is none, or it is the scales of another.
  public func tensor(named name: Name) throws(ReadError) -> NamedTensor {
    guard let tensor = tensors.first(where: { $0.name == name }) else {
      throw .unsupported(
        source.location, what: "no tensor is called '\(printable(name))'",
        remedy: "It has \(tensors.count) others.")
    }
    return tensor
  }

  /// Runs `body` with the elements of a tensor as they are in the file, mapped into memory instead of
  /// copied: little-endian, in row-major order, read-only, and valid only during the call. They begin at
  /// a multiple of 64.
  ///
  /// While they are mapped nobody may cut the file short; the system ends a program that touches what is
  /// not there any more.
  ///
  /// - Throws: `ReadError.unsupported` if there is no such tensor, or it is compressed; what the system
  ///   reports; what `body` throws.
  public func withMappedBytes<Result>(
    of name: Name, _ body: (borrowing RawSpan) throws -> Result
  ) throws -> Result {
    let tensor = try tensor(named: name).tensor
    guard !(tensor.source is FramedBytes) else {
      throw ReadError.unsupported(
        tensor.source.location, what: "a compressed tensor cannot be mapped",
        remedy: "Decode it, or write the file without compression.")
    }
    var result: Result?
    try unsafe tensor.source.withMappedBytes(0..<tensor.byteCount) { bytes in
      result = try unsafe body(bytes.bytes)
    }
    return result!
  }

  /// Fills `numbers` with all weights of a tensor, on several processors: as float32, of float64 and int8
  /// rounded once.
  ///
  /// - Precondition: `numbers` has as many elements as the tensor.
  /// - Throws: `ReadError.unsupported` if there is no such tensor, or it is of a type that weights do not
  ///   come in; what reading and decoding throw.
  public func decode(
    _ name: Name, into numbers: inout MutableSpan<Float>, threads: Threads = .all
  ) throws(ReadError) {
    let tensor = try tensor(named: name).tensor
    guard tensor.isWeight else {
      throw .unsupported(
        tensor.source.location,
        what: "elements of type \(tensor.elementType.rawValue) are no weights",
        remedy: "Decode the bytes.")
    }
    precondition(numbers.count == tensor.shape.elementCount)
    var bytes = unsafe numbers.mutableBytes
    try decode(
      tensor, RoundedContents(tensor, to: .float32), .float32, into: &bytes, threads: threads)
  }

  /// Fills `bytes` with all elements of a tensor, little-endian and in row-major order, on several
  /// processors.
  ///
  /// - Precondition: `bytes` has as many bytes as the tensor's elements, and is aligned for them.
  /// - Throws: `ReadError.unsupported` if there is no such tensor; what reading and decoding throw.
  public func decode(
    _ name: Name, into bytes: inout MutableRawSpan, threads: Threads = .all
  ) throws(ReadError) {
    let tensor = try tensor(named: name).tensor
    precondition(bytes.byteCount == tensor.byteCount)
    try decode(tensor, tensor, tensor.elementType, into: &bytes, threads: threads)
  }

  private func decode(
    _ tensor: Tensor, _ contents: any TensorContents, _ type: ElementType,
    into bytes: inout MutableRawSpan, threads: Threads
  ) throws(ReadError) {
    // Whole frames, so that none is decoded twice.
    let step = 2 * Frames.byteCount / tensor.elementType.byteCount
    let count = tensor.shape.elementCount
    try unsafe bytes.withUnsafeMutableBytes { (all) throws(ReadError) in
      // Safe: each thread fills elements of its own, of memory that lasts until all are done.
      nonisolated(unsafe) let all = unsafe all
      try forEachIndex(below: (count + step - 1) / step, threads: threads) {
        (index, worker) throws(ReadError) in
        let range = index * step..<min((index + 1) * step, count)
        let part = unsafe UnsafeMutableRawBufferPointer(
          rebasing: all[range.lowerBound * type.byteCount..<range.upperBound * type.byteCount])
        try unsafe contents.read(range, into: part, workspace: &worker.workspace)
      }
    }
  }
}
