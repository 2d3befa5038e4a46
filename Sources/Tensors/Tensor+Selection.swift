extension Tensor {
  /// Some indices of an axis only, in the order given; bytes still stay where they are.
  ///
  /// - Parameters:
  ///   - indices: of `axis`.
  ///   - name: what to call the tensor in an error.
  public func selecting(
    _ indices: [Int], axis: Int, name: Name
  ) throws(ReadError) -> Tensor {
    precondition(indices.allSatisfy { 0..<shape[axis] ~= $0 } && scales == nil)
    var sizes = shape.dimensions
    sizes[axis] = indices.count
    let source = SelectedBytes(of: self, indices, axis: axis)
    return try Tensor(elementType, shape: Shape(sizes), in: source, name: name)
  }
}

/// The elements of a tensor that have some indices along an axis, packed and little-endian.
private final class SelectedBytes: ByteSource {
  private let base: Tensor
  private let indices: [Int]
  /// How many of the indices from each on follow one another, the first included.
  private let following: [Int]
  /// Bytes of all elements with one index of the axis and the axes before it.
  private let run: Int
  /// Of the axis in `base`.
  private let size: Int
  let count: Int

  init(of base: Tensor, _ indices: [Int], axis: Int) {
    (self.base, self.indices, size) = (base, indices, base.shape[axis])
    let inner = base.shape.dimensions[(axis + 1)...].reduce(1, *)
    run = inner * base.elementType.byteCount
    count = base.shape.dimensions[..<axis].reduce(1, *) * indices.count * run
    var following = [Int](repeating: 1, count: indices.count)
    for place in indices.indices.dropLast().reversed()
    where indices[place + 1] == indices[place] + 1 {
      following[place] = following[place + 1] + 1
    }
    self.following = following
  }

  var location: Location { base.source.location }

  func verify() throws(ReadError) { try base.source.verify() }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    var done = 0
    while done < buffer.count {
      let (runs, start) = (offset + done).quotientAndRemainder(dividingBy: run)
      let (outer, place) = runs.quotientAndRemainder(dividingBy: indices.count)
      let length = min(following[place] * run - start, buffer.count - done)
      // Safe: `length` bytes of the buffer from `done` on.
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + length])
      try unsafe read(from: (outer * size + indices[place]) * run + start, into: part)
      done += length
    }
  }

  /// Reads bytes of the packed elements of `base`, which need not begin or end between elements.
  private func read(
    from start: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ReadError) {
    let width = base.elementType.byteCount
    let elements = start / width..<(start + buffer.count + width - 1) / width
    if start.isMultiple(of: width), buffer.count.isMultiple(of: width) {
      return try unsafe base.read(elements, into: buffer)
    }
    var whole = [UInt8](repeating: 0, count: elements.count * width)
    try unsafe whole.withMutableBytes { (bytes) throws(ReadError) in
      try unsafe base.read(elements, into: bytes)
    }
    for index in 0..<buffer.count {
      unsafe buffer[index] = whole[start - elements.lowerBound * width + index]
    }
  }
}
