/// What `readNumbers` decodes to: a Swift number that holds every value of the stored type.
public protocol WeightNumber: BinaryFloatingPoint, BitwiseCopyable, Sendable {}
extension Float: WeightNumber {}
extension Double: WeightNumber {}

extension Tensor {
  /// Whether every element is exactly a `Float`, as for all weight types but float64, and not for
  /// integers with scales.
  public var fitsFloat: Bool { elementType != .float64 && scales == nil }

  /// Fills the first elements of `numbers` with those of `range`, counted in row-major order.
  ///
  /// - Precondition: `isWeight`; as `Float` also `fitsFloat`.
  public func readNumbers<Number: WeightNumber>(
    _ range: Range<Int>, into numbers: inout [Number]
  ) throws(ReadError) {
    precondition(isWeight && numbers.count >= range.count)
    // Each type has a function of its own: code that is generic for callers in other modules is not
    // specialised for them, which made the loops forty times slower.
    try unsafe numbers.withMutableBytes { (bytes) throws(ReadError) in
      // Safe: the memory of `numbers`, bound to the very type that is tested for.
      if Number.self == Float.self {
        let floats = unsafe bytes.assumingMemoryBound(to: Float.self)
        try unsafe readFloats(range, into: .init(rebasing: floats[..<range.count]))
      } else {
        precondition(Number.self == Double.self)
        let doubles = unsafe bytes.assumingMemoryBound(to: Double.self)
        try unsafe readDoubles(range, into: .init(rebasing: doubles[..<range.count]))
      }
    }
  }

  /// The same in memory that is not an array's.
  ///
  /// - Precondition: `elementType.isWeightType && fitsFloat`, and `floats` is as long as `range`.
  package func readFloats(
    _ range: Range<Int>, into floats: UnsafeMutableBufferPointer<Float>
  ) throws(ReadError) {
    guard let read = unsafe NumberFormat(elementType)?.readFloats else {
      preconditionFailure("\(elementType) does not fit Float")
    }
    try unsafe read(self, range, floats)
  }

  private func readDoubles(
    _ range: Range<Int>, into doubles: UnsafeMutableBufferPointer<Double>
  ) throws(ReadError) {
    if let scales {
      try unsafe decode(range, into: doubles) { Double(Int8(bitPattern: $0)) }
      var next = range.lowerBound
      while next < range.upperBound {
        let end = min(range.upperBound, (next / scales.run + 1) * scales.run)
        // Exact: a product of seven bits and twenty-four.
        let scale = Double(scales.values[scales.channel(of: next)])
        for index in next..<end { unsafe doubles[index - range.lowerBound] *= scale }
        next = end
      }
    } else if let format = NumberFormat(elementType) {
      try unsafe format.readDoubles(self, range, doubles)
    } else {
      preconditionFailure("\(elementType) is not a weight type")
    }
  }

  /// Reads the elements into the end of the memory of `numbers` and decodes them from there, front to
  /// back: as the stored ones are smaller, none is overwritten before its turn, and no other memory is
  /// needed.
  func decode<Bits: FixedWidthInteger & BitwiseCopyable, Number: BitwiseCopyable>(
    _ range: Range<Int>, into numbers: UnsafeMutableBufferPointer<Number>,
    _ decode: (Bits) -> Number
  ) throws(ReadError) {
    let (size, blockLength) = (MemoryLayout<Bits>.size, 512)
    // Safe: all bytes are those of `numbers`, and every index is below its count.
    let bytes = UnsafeMutableRawBufferPointer(numbers)
    let stored = unsafe UnsafeMutableRawBufferPointer(
      rebasing: bytes[(bytes.count - range.count * size)...])
    try unsafe read(range, into: stored)
    // A copy of each block lets the compiler see that results do not change what is yet to be decoded.
    var block = InlineArray<512, Bits>(repeating: 0)
    for start in stride(from: 0, to: range.count, by: blockLength) {
      let count = min(blockLength, range.count - start)
      var span = block.mutableSpan
      unsafe span.withUnsafeMutableBytes {
        unsafe $0.copyMemory(from: .init(rebasing: stored[start * size..<(start + count) * size]))
      }
      let values = block.span.extracting(first: count)
      let results = unsafe UnsafeMutableBufferPointer(rebasing: numbers[start..<start + count])
      for index in values.indices { unsafe results[index] = decode(values[index]) }
    }
  }

  /// All elements as `Double`; for the short vectors of BatchNorm.
  public func doubles() throws(ReadError) -> [Double] {
    try requireMemory(for: shape.elementCount, Double.self, at: source.location)
    var numbers = [Double](repeating: 0, count: shape.elementCount)
    try readNumbers(0..<numbers.count, into: &numbers)
    return numbers
  }
}

extension Float {
  /// The value of a bfloat16 bit pattern: the upper half of a float32.
  init(brainBits bits: UInt16) { self.init(bitPattern: UInt32(bits) << 16) }

  /// The value of an IEEE 754 binary16 bit pattern. `Float16` is missing on Intel macOS.
  ///
  /// Without branches, so that loops over it are vectorised.
  public init(halfBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    // The exponent's bias is 112 less than float32's. Infinity and NaN (payload kept) have all bits of
    // it set; subnormals, with none set, are 2^-14 times a fraction without the leading one.
    let rebias: UInt32 = 112 << 23
    let isSpecial = magnitude >= 0x1F << 23
    let normal = magnitude &+ (isSpecial ? 2 &* rebias : rebias)
    let subnormal = (Float(bitPattern: magnitude &+ (113 << 23)) - 0x1p-14).bitPattern
    self.init(bitPattern: sign | (magnitude < 1 << 23 ? subnormal : normal))
  }
}
