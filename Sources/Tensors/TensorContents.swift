/// The elements of a tensor that is about to be written, computed or fetched piece by piece.
public protocol TensorContents: Sendable {
  /// Elements that are computed together: pieces begin and end at multiples of it.
  var granularity: Int { get }

  /// Bytes that are best asked for at a time.
  var pieceBytes: Int { get }

  /// Fills `buffer` with the elements of `range`, counted in row-major order, packed and
  /// little-endian.
  ///
  /// - Precondition: `buffer` is just as long, and aligned for the elements.
  func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError)
}

extension TensorContents {
  public var pieceBytes: Int { 1 << 20 }
}

/// A tensor to be written: what it is called, what it is, and where its elements come from.
public struct OutputTensor: Sendable {
  /// In the file to be written.
  public var name: Name
  /// In the file to be written.
  public var elementType: ElementType
  /// In the file to be written, row-major.
  public var shape: Shape
  /// Gives the elements in pieces.
  public var contents: any TensorContents
  /// Of int8 weights, for formats that have them: one for each index along the first axis.
  public var scales: [Float]?

  /// A tensor to be written; nothing is computed before it is.
  public init(name: Name, elementType: ElementType, shape: Shape, contents: any TensorContents) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.contents = contents
  }

  /// The elements of `tensor` as they are.
  public init(name: Name, _ tensor: Tensor) {
    self.init(name: name, elementType: tensor.elementType, shape: tensor.shape, contents: tensor)
    scales = tensor.scales?.values
  }

  /// Bytes of all elements, packed.
  public var byteCount: Int { shape.elementCount * elementType.byteCount }

  /// Hands out all elements in order, in pieces of about `pieceBytes` (by default what suits `contents`
  /// best), each valid only during the call.
  public func forEachPiece(
    ofAbout pieceBytes: Int? = nil, workspace: inout Workspace, buffer: inout [UInt8],
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let size = elementType.byteCount
    let step = pieceLength(ofAbout: pieceBytes)
    var next = 0
    while next < shape.elementCount {
      let end = min(next + step, shape.elementCount)
      let bytes = (end - next) * size
      if buffer.count < bytes { buffer = [UInt8](repeating: 0, count: bytes) }
      try unsafe buffer.withUnsafeMutableBytes { all in
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<bytes])
        try unsafe contents.read(next..<end, into: piece, workspace: &workspace)
        try unsafe body(UnsafeRawBufferPointer(piece))
      }
      next = end
    }
  }

  /// Elements that are asked for at a time: those of about `pieceBytes`, by default what suits `contents`
  /// best, and computed together.
  package func pieceLength(ofAbout pieceBytes: Int? = nil) -> Int {
    let unit = max(1, contents.granularity)
    return max(1, (pieceBytes ?? contents.pieceBytes) / (unit * elementType.byteCount)) * unit
  }
}

extension Tensor: TensorContents {
  /// Whole slices along the first axis where neighbours are not neighbours in the source, of which each
  /// piece would otherwise fetch a part at either end, element by element.
  public var granularity: Int {
    guard !isContiguous, let rows = shape.dimensions.first, rows > 0 else { return 1 }
    let slice = shape.elementCount / rows
    return slice * elementType.byteCount <= pieceBytes ? slice : 1
  }

  /// More where neighbours are not neighbours in the source: of a transposed kernel a piece has as many
  /// short runs to fetch however many bytes each has.
  public var pieceBytes: Int { isContiguous ? 1 << 20 : 1 << 22 }

  public func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    try unsafe read(range, into: buffer)
  }
}
