/// What `readNumbers` decodes to: a Swift number that holds every value of the stored type.
public protocol WeightNumber: BinaryFloatingPoint, BitwiseCopyable, Sendable {}
extension Float: WeightNumber {}
extension Double: WeightNumber {}

extension Tensor {
  /// Whether every element is exactly a `Float`, as for all weight types but float64.
  public var fitsFloat: Bool { elementType != .float64 }

  /// Fills the first elements of `numbers` with those of `range`, counted in row-major order.
  ///
  /// - Precondition: `elementType.isWeightType`; as `Float` also `fitsFloat`.
  public func readNumbers<Number: WeightNumber>(
    _ range: Range<Int>, into numbers: inout [Number]
  ) throws(ReadError) {
    precondition(elementType.isWeightType && numbers.count >= range.count)
    switch elementType {
    case .float32 where Number.self == Float.self, .float64 where Number.self == Double.self:
      let bytes = range.count * elementType.byteCount
      try unsafe numbers.withMutableBytes { (buffer) throws(ReadError) in
        // Safe: the same layout on the little-endian machines that Swift runs on.
        try unsafe read(range, into: .init(rebasing: buffer[..<bytes]))
      }
    case .float64:
      preconditionFailure("float64 is read as Double")
    case .float32:
      try convert(range, into: &numbers) { (bits: UInt32) in Number(Float(bitPattern: bits)) }
    case .bfloat16:
      try convert(range, into: &numbers) { (bits: UInt16) in
        Number(Float(bitPattern: UInt32(bits) << 16))
      }
    case .float16:
      try convert(range, into: &numbers) { (bits: UInt16) in Number(Float(halfBits: bits)) }
    default:
      preconditionFailure("\(elementType) is not a weight type")
    }
  }

  /// All elements as `Double`; for the short vectors of BatchNorm.
  public func doubles() throws(ReadError) -> [Double] {
    var numbers = [Double](repeating: 0, count: shape.elementCount)
    try readNumbers(0..<numbers.count, into: &numbers)
    return numbers
  }

  private func convert<Bits: FixedWidthInteger & BitwiseCopyable, Number>(
    _ range: Range<Int>, into numbers: inout [Number], _ decode: (Bits) -> Number
  ) throws(ReadError) {
    var bits = [Bits](repeating: 0, count: range.count)
    try unsafe bits.withMutableBytes { (buffer) throws(ReadError) in
      try unsafe read(range, into: buffer)
    }
    for index in bits.indices { numbers[index] = decode(bits[index]) }
  }
}

extension Float {
  /// The value of an IEEE 754 binary16 bit pattern. `Float16` is missing on Intel macOS.
  public init(halfBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:  // zero or subnormal: fraction * 2^-24, exact in Float
      self = Float(bitPattern: sign | (Float(fraction) * 0x1p-24).bitPattern)
    case 0x1F:  // infinity or NaN, payload kept
      self = Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default:
      self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
