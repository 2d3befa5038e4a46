package import Tensors

extension HDF5Dataset {
  /// Why the numbers cannot be read, whoever wants them; nil if nothing is known to forbid it.
  var refusal: (what: String, remedy: String)? {
    if case .oddNumber(let what) = type.kind {
      return (
        "the elements of the dataset are \(what), which no tensor has",
        "Save it as float32, float64 or an integer type."
      )
    }
    switch storage {
    case .external:
      return (
        "the dataset keeps its numbers in another file (external storage), which is not opened",
        "Such a file can show the contents of any file on this computer. If you trust it, copy the "
          + "dataset to a new file with h5py."
      )
    case .chunked(let chunks):
      guard let filter = chunks.filters.first(where: { $0.kind == .unknown }) else { return nil }
      return (
        "the dataset is compressed with \(filter.title), which is not read",
        "In Python, copy it with h5py to a new file, uncompressed or with gzip."
      )
    case .contiguous, .compact, .virtual: return nil
    }
  }

  /// The numbers of the dataset where they are in the file: in place if they lie one after the other,
  /// else put together from chunks while they are read.
  ///
  /// - Parameters:
  ///   - type: what the elements are, if the file says so elsewhere.
  ///   - name: the name of the tensor.
  /// - Throws: `ReadError`, if the dataset is not of numbers, or claims more than the file can hold;
  ///   `.unsupported` for what the HDF5 library may read.
  package func tensor(
    in file: HDF5File, as elementType: ElementType? = nil, name: Name
  ) throws(ReadError) -> Tensor {
    let location = file.location(of: path)
    if let (what, remedy) = refusal { throw .unsupported(location, what: what, remedy: remedy) }
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
    guard byteCount > 0 || storage.hasBytes else { return try tensor(in: file.source) }

    let stored: Int
    switch storage {
    case .external: preconditionFailure("refused above")
    case .virtual:
      throw .unsupported(
        location, what: "the dataset is put together from others (a virtual dataset)",
        remedy: "In Python, copy it with h5py to a new file.")
    case .contiguous(let address, let count):
      stored = count
      guard count == byteCount else { break }
      guard let address else {
        try file.checkExpansion(of: 0, to: byteCount, at: location)
        return try tensor(
          in: RepeatedBytes(fillValue(in: file), count: byteCount, location: location))
      }
      try file.check(address, count: count, of: "the data of '\(printable(path))'")
      return try tensor(in: file.source, at: file.base + address)
    case .compact(let bytes, let place):
      stored = bytes.count
      if bytes.count == byteCount { return try tensor(in: MemoryBytes(bytes, location: place)) }
    case .chunked(let chunks):
      try check(chunks.filters, at: location)
      try file.countChunks(chunks.neededCount, at: location)
      try file.checkExpansion(
        of: chunks.storedByteCount, to: max(byteCount, chunks.byteCount), at: location)
      let fillValue = try fillValue(in: file)
      return try tensor(
        in: StreamedBytes(count: byteCount, location: location) { () throws(ReadError) in
          HDF5ChunkStream(chunks, shape: shape, fillValue: fillValue, in: file, at: location)
        })
    }
    throw .malformed(
      location, expected: "\(byteCount) bytes for \(element.rawValue) \(shape)",
      found: "\(stored)", remedy: fetchAgain)
  }

  private func check(_ filters: [HDF5Filter], at location: Location) throws(ReadError) {
    if let filter = filters.first(where: { $0.kind == .known }) {
      throw .unsupported(
        location, what: "the dataset is compressed with \(filter.title)",
        remedy: "In Python, copy it with h5py to a new file, uncompressed or with gzip.")
    }
    guard filters.count(where: \.isCompression) <= 1 else {
      throw .unsupported(
        location, what: "the dataset is compressed several times over",
        remedy: "In Python, copy it with h5py to a new file, uncompressed or with gzip.")
    }
  }
}

extension HDF5File {
  /// Throws if so many bytes are more than the stored ones can stand for: a shape costs nothing.
  ///
  /// - Parameter what: that expands; the stored bytes by default.
  package func checkExpansion(
    of stored: Int, to claimed: Int, at place: Location, what: String? = nil
  ) throws(ReadError) {
    let (product, overflow) = stored.multipliedReportingOverflow(
      by: source.limits[.datasetInflation])
    let allowed = max(overflow ? .max : product, source.limits[.inflatedSize])
    guard claimed <= allowed else {
      throw source.exceeded(
        .inflatedSize, at: place, what: what ?? "bytes that \(stored) stored ones expand to",
        allowed: allowed, found: claimed == .max ? "2^63 or more" : String(claimed))
    }
  }
}
