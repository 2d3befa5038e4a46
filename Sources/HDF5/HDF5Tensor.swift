package import Tensors

extension HDF5Dataset {
  /// Beyond this size, chunks must hold at least a thousandth of the bytes that they stand for. A shape
  /// costs nothing; deflate shrinks zeros to a thousandth, and weights hardly at all.
  package static let unquestionedSize = 256 << 20
  package static let maximumInflation = 1000

  /// Why the dataset must not be read, whatever it is for: its numbers are elsewhere.
  func checkIsSelfContained(in file: HDF5File) throws(ReadError) {
    let outside: String
    switch storage {
    case .external: outside = "keeps its numbers in another file (external storage)"
    case .virtual: outside = "is put together from other datasets or files (a virtual dataset)"
    case .contiguous, .compact, .chunked: return
    }
    throw .unsupported(
      file.location(of: path), what: "the dataset \(outside), which is not opened",
      remedy:
        "Such a file can show the contents of any file on this computer. If you trust it, copy the "
        + "dataset to a new file with h5py.")
  }

  /// The numbers of the dataset where they are in the file: in place if they lie one after the other,
  /// else put together from chunks while they are read.
  ///
  /// - Parameters:
  ///   - type: what the elements are, if the file says so elsewhere.
  ///   - name: the name of the tensor.
  /// - Throws: `ReadError`, if the dataset is not of numbers, has none or only some of them, or claims
  ///   more than the file can hold.
  package func tensor(
    in file: HDF5File, as elementType: ElementType? = nil, name: String
  ) throws(ReadError) -> Tensor {
    let location = file.location(of: path)
    try checkIsSelfContained(in: file)
    let (element, order): (ElementType, ByteOrder)
    switch (elementType, type.kind) {
    case (let given?, _) where given.byteCount == type.size: (element, order) = (given, .little)
    case (_, .element(let stored, let storedOrder)): (element, order) = (stored, storedOrder)
    case (_, .oddNumber(let what)), (_, .other(let what)):
      throw .unsupported(
        location, what: "the elements of the dataset are \(what), which no tensor has",
        remedy: "Save it as float32, float64 or an integer type.")
    }
    guard let shape else {
      throw .unsupported(
        location, what: "the dataset has no shape and no elements",
        remedy: "Save the tensor that belongs there.")
    }
    let (byteCount, overflow) = shape.elementCount.multipliedReportingOverflow(
      by: element.byteCount)
    guard !overflow else {
      throw .malformed(
        location, expected: "fewer than 2^63 bytes", found: "a shape of \(shape)",
        remedy: fetchAgain)
    }
    func tensor(in source: any ByteSource, at offset: Int = 0) throws(ReadError) -> Tensor {
      try Tensor(element, shape: shape, byteOrder: order, in: source, at: offset, name: name)
    }
    guard byteCount > 0 else { return try tensor(in: file.source) }

    let stored: Int
    switch storage {
    case .external, .virtual: preconditionFailure("checked above")
    case .contiguous(let address, let count):
      guard let address else { throw neverWritten(shape, element, at: location) }
      stored = count
      if count == byteCount {
        _ = try file.block(at: address, count: 0, of: "the data of '\(printable(path))'")
        return try tensor(in: file.source, at: file.base + address)
      }
    case .compact(let bytes, let place):
      stored = bytes.count
      if bytes.count == byteCount { return try tensor(in: MemoryBytes(bytes, location: place)) }
    case .chunked(let chunks):
      try check(chunks, byteCount: byteCount, shape, element, at: location)
      return try tensor(
        in: StreamedBytes(count: byteCount, location: location) { () throws(ReadError) in
          HDF5ChunkStream(
            chunks, shape: shape, elementSize: element.byteCount, in: file, at: location)
        })
    }
    throw .malformed(
      location, expected: "\(byteCount) bytes for \(element.rawValue) \(shape)",
      found: "\(stored)", remedy: fetchAgain)
  }

  private func check(
    _ chunks: HDF5Chunks, byteCount: Int, _ shape: Shape, _ element: ElementType,
    at location: Location
  ) throws(ReadError) {
    var expanding = 0
    for filter in chunks.filters {
      switch filter.kind {
      case .deflate: expanding += 1
      case .shuffle, .fletcher32: break
      case .unknown:
        throw .unsupported(
          location, what: "the dataset is compressed with \(filter.title), which is not read",
          remedy: "In Python, copy it with h5py to a new file, uncompressed or with gzip.")
      }
    }
    guard expanding <= 1 else {
      throw .unsupported(
        location, what: "the dataset is compressed with deflate \(expanding) times over",
        remedy: "In Python, copy it with h5py to a new file, uncompressed or with gzip.")
    }
    guard chunks.writtenCount > 0 else { throw neverWritten(shape, element, at: location) }
    guard chunks.writtenCount == chunks.neededCount else {
      throw .malformed(
        location, expected: "\(chunks.neededCount) chunks for \(element.rawValue) \(shape)",
        found: "\(chunks.writtenCount); the others were never written",
        remedy: "Save the checkpoint again.")
    }
    let claimed = max(byteCount, chunks.byteCount)
    let limit = chunks.storedByteCount.multipliedReportingOverflow(by: Self.maximumInflation)
    if claimed > Self.unquestionedSize, !limit.overflow, claimed > limit.partialValue {
      throw .limitExceeded(
        location, what: "bytes that \(chunks.storedByteCount) stored ones expand to",
        limit: max(limit.partialValue, Self.unquestionedSize), found: String(claimed))
    }
  }

  private func neverWritten(
    _ shape: Shape, _ element: ElementType, at location: Location
  ) -> ReadError {
    .malformed(
      location, expected: "the data of \(element.rawValue) \(shape)",
      found: "none: the dataset was created, but never written",
      remedy: "Save the checkpoint again; other programs read zeros here.")
  }
}
