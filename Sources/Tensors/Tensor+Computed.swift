extension Tensor {
  /// Numbers as a tensor of float64, computed whenever they are read.
  ///
  /// - Parameters:
  ///   - location: the place to name in errors.
  ///   - name: what to call it in an error.
  package init(
    computing numbers: any NumberSource, shape: Shape, at location: Location, name: String
  ) throws(ReadError) {
    try self.init(
      .float64, shape: shape,
      in: ComputedBytes(numbers, count: shape.elementCount, location: location), name: name)
  }
}

/// The bytes of numbers that are computed when they are asked for.
private final class ComputedBytes: ByteSource {
  private let numbers: any NumberSource
  private let elements: Int
  let location: Location

  var count: Int { elements * 8 }

  init(_ numbers: any NumberSource, count: Int, location: Location) {
    self.numbers = numbers
    elements = count
    self.location = location
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    guard buffer.count > 0 else { return }
    var workspace = Workspace()
    let unit = max(1, numbers.granularity)
    let first = offset / 8 / unit * unit
    let end = min(elements, ((offset + buffer.count - 1) / 8 / unit + 1) * unit)
    try numbers.compute(first..<end, workspace: &workspace)
    // Safe: the numbers of `first..<end` are there, and cover all that is copied.
    unsafe workspace.doubles.withBytes { (bytes) in
      let start = offset - first * 8
      unsafe buffer.copyMemory(from: .init(rebasing: bytes[start..<start + buffer.count]))
    }
  }
}
