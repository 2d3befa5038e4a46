extension Tensor {
  /// Numbers as a tensor, computed and rounded whenever they are read.
  ///
  /// - Parameters:
  ///   - format: what they are rounded to.
  ///   - location: the place to name in errors.
  ///   - name: what to call it in an error.
  package init(
    computing numbers: any NumberSource, as format: NumberFormat, shape: Shape,
    at location: Location, name: Name
  ) throws(ReadError) {
    let contents = RoundedContents(numbers, to: format)
    try self.init(
      format.elementType, shape: shape,
      in: ComputedBytes(contents, count: shape.elementCount, location: location), name: name)
  }
}

/// The bytes of numbers that are computed when they are asked for.
private final class ComputedBytes: ByteSource {
  private let contents: RoundedContents
  private let elements: Int
  let location: Location

  private var width: Int { contents.format.elementType.byteCount }
  var count: Int { elements * width }

  init(_ contents: RoundedContents, count: Int, location: Location) {
    self.contents = contents
    elements = count
    self.location = location
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    guard buffer.count > 0 else { return }
    let unit = max(1, contents.granularity)
    let first = offset / width / unit * unit
    let end = min(elements, ((offset + buffer.count - 1) / width / unit + 1) * unit)
    var workspace = Workspace()
    var bytes = [UInt8](repeating: 0, count: (end - first) * width)
    // Safe: the memory is that of the elements of `first..<end`, which cover all that is copied.
    try unsafe bytes.withMutableBytes { (memory) throws(ReadError) in
      try unsafe contents.read(first..<end, into: memory, workspace: &workspace)
      let start = offset - first * width
      unsafe buffer.copyMemory(from: .init(rebasing: memory[start..<start + buffer.count]))
    }
  }
}
