extension Tensor {
  /// Numbers in memory as a tensor, row-major.
  ///
  /// - Parameter name: what to call it in an error.
  public init(float32 numbers: [Float], shape: Shape, name: Name) throws(ReadError) {
    try self.init(.float32, copying: numbers, shape: shape, name: name)
  }

  /// Numbers in memory as a tensor, row-major.
  ///
  /// - Parameter name: what to call it in an error.
  public init(float64 numbers: [Double], shape: Shape, name: Name) throws(ReadError) {
    try self.init(.float64, copying: numbers, shape: shape, name: name)
  }

  private init<Number: WeightNumber>(
    _ elementType: ElementType, copying numbers: [Number], shape: Shape, name: Name
  ) throws(ReadError) {
    precondition(numbers.count == shape.elementCount)
    // Safe: numbers are little-endian on every machine that Swift runs on.
    let bytes = unsafe numbers.withBytes { (bytes) in unsafe Array(bytes) }
    try self.init(
      elementType, shape: shape, in: MemoryBytes(bytes, location: Location(path: printable(name))),
      name: name)
  }

  /// Integers in memory as a tensor, row-major.
  ///
  /// - Parameter name: what to call it in an error.
  public init(int64 numbers: [Int64], shape: Shape, name: Name) throws(ReadError) {
    precondition(numbers.count == shape.elementCount)
    let bytes = numbers.flatMap { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
    try self.init(
      .int64, shape: shape, in: MemoryBytes(bytes, location: Location(path: printable(name))),
      name: name)
  }

  /// Integers in memory as a tensor of a type of integers that holds them, row-major.
  ///
  /// - Parameter name: what to call it in an error.
  public init<Integer: FixedWidthInteger>(
    _ elementType: ElementType, _ numbers: [Integer], shape: Shape, name: Name
  ) throws(ReadError) {
    precondition(
      numbers.count == shape.elementCount && elementType.byteCount == Integer.bitWidth / 8)
    let bytes = numbers.flatMap { number in
      (0..<elementType.byteCount).map { UInt8(truncatingIfNeeded: number >> Integer($0 * 8)) }
    }
    try self.init(
      elementType, shape: shape, in: MemoryBytes(bytes, location: Location(path: printable(name))),
      name: name)
  }

  /// All elements of a tensor of int64.
  public func int64s() throws(ReadError) -> [Int64] {
    precondition(elementType == .int64)
    let bytes = try bytes()
    return (0..<shape.elementCount).map { element in
      (0..<8).reduce(0) { $0 | Int64(bytes[element * 8 + $1]) << ($1 * 8) }
    }
  }
}
