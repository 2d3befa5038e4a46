/// A tensor whose bytes stay where they are until they are asked for.
///
/// Elements are addressed by strides over a byte source, as PyTorch and NumPy do; every reading
/// method yields them in row-major order of `shape`.
public struct Tensor: Sendable {
  /// Of the bytes in `source`.
  public let elementType: ElementType
  /// The size of each axis, outermost first.
  public let shape: Shape
  /// Of each element in `source`.
  public let byteOrder: ByteOrder
  /// Where the bytes are.
  public let source: any ByteSource
  /// Bytes from the start of `source` to the element with all indices zero.
  public let byteOffset: Int
  /// The axes that the strides belong to. May differ from `shape` after `reshaped(to:)`; both have the
  /// same row-major order.
  let axes: Shape
  /// Elements from one index to the next, per axis of `axes`. May be zero or negative.
  let strides: [Int]
  /// Of int8 weights: what their steps are worth.
  public private(set) var scales: ChannelScales?

  /// - Parameters:
  ///   - strides: in elements, one for each axis; row-major if nil.
  ///   - offset: bytes from the start of `source` to the first element.
  ///   - name: what to call the tensor in an error.
  /// - Throws: `ReadError.malformed` if an element would lie outside `source`.
  public init(
    _ elementType: ElementType, shape: Shape, strides: [Int]? = nil,
    byteOrder: ByteOrder = .little, in source: any ByteSource, at offset: Int = 0, name: Name
  ) throws(ReadError) {
    let strides = strides ?? shape.rowMajorStrides
    precondition(strides.count == shape.rank)
    self.init(elementType, shape, byteOrder, source, offset, axes: shape, strides: strides)
    guard shape.elementCount > 0 else { return }

    // In wide arithmetic, since strides from a file can be anything.
    var (first, last) = (Int128(0), Int128(0))
    for (size, stride) in zip(shape.dimensions, strides) {
      let reach = Int128(size - 1) * Int128(stride)
      if reach < 0 { first += reach } else { last += reach }
    }
    let size = Int128(elementType.byteCount)
    guard Int128(offset) + first * size >= 0,
      Int128(offset) + (last + 1) * size <= Int128(source.count)
    else {
      throw .malformed(
        source.location,
        expected:
          "the elements of '\(name)' (\(elementType.rawValue) \(shape), strides \(strides), "
          + "byte offset \(offset)) inside its storage",
        found: "a storage of \(source.count) bytes", remedy: fetchAgain)
    }
  }

  private init(
    _ elementType: ElementType, _ shape: Shape, _ byteOrder: ByteOrder, _ source: any ByteSource,
    _ byteOffset: Int, axes: Shape, strides: [Int], scales: ChannelScales? = nil
  ) {
    self.elementType = elementType
    self.shape = shape
    self.byteOrder = byteOrder
    self.source = source
    self.byteOffset = byteOffset
    self.axes = axes
    self.strides = strides
    self.scales = scales
  }

  /// Integers as the weights that they are steps of: each times the scale of its channel, the index along
  /// the first axis.
  ///
  /// - Precondition: `elementType` is int8, and there is a scale for each channel.
  public func scaled(by scales: [Float]) -> Tensor {
    precondition(elementType == .int8 && !shape.dimensions.isEmpty && scales.count == shape[0])
    var result = self
    result.scales = ChannelScales(
      values: scales, run: shape.dimensions.dropFirst().reduce(1, *))
    return result
  }

  /// Whether `readNumbers` can decode it: a weight type, or integers with scales.
  public var isWeight: Bool { elementType.isWeightType || scales != nil }

  /// Bytes of all elements, packed.
  public var byteCount: Int { shape.elementCount * elementType.byteCount }

  /// Whether the elements lie one after the other in row-major order.
  public var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(axes.dimensions, strides).reversed() where size != 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }

  /// Whether `shape` is not the one the strides belong to, so that axes cannot be rearranged.
  public var isReshaped: Bool { shape != axes }

  /// The same elements in the same row-major order under another shape.
  public func reshaped(to shape: Shape) -> Tensor {
    precondition(shape.elementCount == self.shape.elementCount)
    // Elements that lie in order do so under any shape.
    return isContiguous
      ? Tensor(
        elementType, shape, byteOrder, source, byteOffset, axes: shape,
        strides: shape.rowMajorStrides, scales: scales)
      : Tensor(
        elementType, shape, byteOrder, source, byteOffset, axes: axes, strides: strides,
        scales: scales)
  }

  /// A matrix, OI, as the kernel of 1x1 that does the same, OIHW; a kernel as it is.
  package var asKernel: Tensor {
    shape.rank == 2 ? reshaped(to: Shape(shape.dimensions + [1, 1])) : self
  }

  /// The tensor with the order of its elements along `axis` reversed.
  ///
  /// - Precondition: it has not been reshaped.
  public func flipped(axis: Int) -> Tensor {
    precondition(shape == axes)
    guard shape.elementCount > 0 else { return self }
    var strides = strides
    let start = byteOffset + (shape[axis] - 1) * strides[axis] * elementType.byteCount
    strides[axis].negate()
    var scales = scales
    if scales != nil, axis == scales!.axis(of: shape) { scales!.values.reverse() }
    return Tensor(
      elementType, shape, byteOrder, source, start, axes: axes, strides: strides, scales: scales)
  }

  /// The tensor with its axes in another order: axis `i` of the result is axis `order[i]` of this.
  ///
  /// - Precondition: it has not been reshaped.
  public func transposed(_ order: [Int]) -> Tensor {
    precondition(shape == axes && order.sorted() == Array(0..<shape.rank))
    let shape = Shape(order.map { self.shape[$0] })
    var scales = scales
    if let axis = scales?.axis(of: self.shape), let place = order.firstIndex(of: axis) {
      scales!.run = shape.dimensions[(place + 1)...].reduce(1, *)
    }
    return Tensor(
      elementType, shape, byteOrder, source, byteOffset, axes: shape,
      strides: order.map { strides[$0] }, scales: scales)
  }
}

/// One factor for each channel of integers, which makes them weights.
public struct ChannelScales: Equatable, Sendable {
  /// One for each channel, finite and greater than 0.
  public internal(set) var values: [Float]
  /// Elements of one channel that follow each other, in row-major order; the next channel's come then,
  /// and after the last channel the first one's again.
  public internal(set) var run: Int

  /// The channel of the element at `index`, in row-major order.
  package func channel(of index: Int) -> Int { index / run % values.count }

  /// The axis of `shape` that the channels are counted along.
  func axis(of shape: Shape) -> Int? {
    var inner = 1
    for axis in shape.dimensions.indices.reversed() {
      if inner == run, shape[axis] == values.count { return axis }
      inner *= shape[axis]
    }
    return nil
  }
}
