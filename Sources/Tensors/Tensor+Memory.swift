extension Tensor {
  /// Numbers in memory as a tensor, row-major.
  ///
  /// - Parameter name: what to call it in an error.
  public init(float32 numbers: [Float], shape: Shape, name: String) throws(ReadError) {
    try self.init(.float32, copying: numbers, shape: shape, name: name)
  }

  /// Numbers in memory as a tensor, row-major.
  ///
  /// - Parameter name: what to call it in an error.
  public init(float64 numbers: [Double], shape: Shape, name: String) throws(ReadError) {
    try self.init(.float64, copying: numbers, shape: shape, name: name)
  }

  private init<Number: WeightNumber>(
    _ elementType: ElementType, copying numbers: [Number], shape: Shape, name: String
  ) throws(ReadError) {
    precondition(numbers.count == shape.elementCount)
    // Safe: numbers are little-endian on every machine that Swift runs on.
    let bytes = unsafe numbers.withBytes { (bytes) in unsafe Array(bytes) }
    try self.init(
      elementType, shape: shape, in: MemoryBytes(bytes, location: Location(path: name)), name: name)
  }
}
