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

  /// - Parameters:
  ///   - strides: in elements, one for each axis; row-major if nil.
  ///   - offset: bytes from the start of `source` to the first element.
  ///   - name: what to call the tensor in an error.
  /// - Throws: `ReadError.malformed` if an element would lie outside `source`.
  public init(
    _ elementType: ElementType, shape: Shape, strides: [Int]? = nil,
    byteOrder: ByteOrder = .little, in source: any ByteSource, at offset: Int = 0, name: String
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
    _ byteOffset: Int, axes: Shape, strides: [Int]
  ) {
    self.elementType = elementType
    self.shape = shape
    self.byteOrder = byteOrder
    self.source = source
    self.byteOffset = byteOffset
    self.axes = axes
    self.strides = strides
  }

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
        strides: shape.rowMajorStrides)
      : Tensor(elementType, shape, byteOrder, source, byteOffset, axes: axes, strides: strides)
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
    return Tensor(elementType, shape, byteOrder, source, start, axes: axes, strides: strides)
  }

  /// The tensor with its axes in another order: axis `i` of the result is axis `order[i]` of this.
  ///
  /// - Precondition: it has not been reshaped.
  public func transposed(_ order: [Int]) -> Tensor {
    precondition(shape == axes && order.sorted() == Array(0..<shape.rank))
    let shape = Shape(order.map { self.shape[$0] })
    return Tensor(
      elementType, shape, byteOrder, source, byteOffset, axes: shape,
      strides: order.map { strides[$0] })
  }
}
