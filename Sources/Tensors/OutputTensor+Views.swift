internal import Synchronization

extension OutputTensor {
  /// The same elements in the same row-major order under another shape.
  public func reshaped(to shape: Shape) -> OutputTensor {
    precondition(shape.elementCount == self.shape.elementCount)
    var result = self
    result.shape = shape
    if let tensor = contents as? Tensor { result.contents = tensor.reshaped(to: shape) }
    return result
  }

  /// The tensor with its axes in another order: axis `i` of the result is axis `order[i]` of this.
  ///
  /// A stored tensor is read by its strides, in constant memory. Computed elements have to be held in
  /// memory, all of one tensor at a time.
  public func transposed(_ order: [Int]) -> OutputTensor {
    var result = self
    result.shape = Shape(order.map { shape[$0] })
    if let tensor = contents as? Tensor, !tensor.isReshaped {
      result.contents = tensor.transposed(order)
    } else {
      result.contents = TransposedContents(self, order: order)
    }
    return result
  }
}

/// Computed elements with their axes in another order. They are computed when the first is asked for,
/// and let go when the last has been.
private final class TransposedContents: TensorContents {
  private let original: OutputTensor
  private let order: [Int]
  private let whole = Mutex<Tensor?>(nil)

  init(_ original: OutputTensor, order: [Int]) {
    self.original = original
    self.order = order
  }

  var granularity: Int { 1 }

  func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    let tensor = try whole.withLock { (whole) throws(ReadError) -> Tensor in
      if let whole { return whole }
      var bytes = [UInt8](repeating: 0, count: original.byteCount)
      try unsafe bytes.withMutableBytes { (all) throws(ReadError) in
        try unsafe original.contents.read(
          0..<original.shape.elementCount, into: all, workspace: &workspace)
      }
      let tensor = try Tensor(
        original.elementType, shape: original.shape,
        in: MemoryBytes(bytes, location: Location(path: printable(original.name))),
        name: original.name
      ).transposed(order)
      whole = tensor
      return tensor
    }
    try unsafe tensor.read(range, into: buffer)
    if range.upperBound == original.shape.elementCount { whole.withLock { $0 = nil } }
  }
}
