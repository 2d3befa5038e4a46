/// How the numbers of an element type are stored: a row of the table of the types that weights come in.
///
/// To add one, add its row: everything that decodes, rounds or judges weights goes by it.
///
/// `@safe`: the functions take memory, and check that it is as long as what they put there.
@safe public struct NumberFormat: Sendable {
  /// The type that it is of.
  public let elementType: ElementType
  /// Bits of the significand, the hidden one included.
  public let significandBits: Int
  /// The exponent of the smallest normal number.
  public let leastExponent: Int
  /// The largest finite number.
  public let greatest: Double
  /// Fills the memory with the elements of a range.
  let readDoubles: Decoder<Double>
  /// The same as `Float`; nil if not every number is one.
  let readFloats: Decoder<Float>?
  /// Rounds each number to the nearest of this type, of two equally near to the one with an even
  /// significand, and fills the memory with them, little-endian.
  let write: @Sendable (_ numbers: borrowing Span<Double>, UnsafeMutableRawBufferPointer) -> Void

  typealias Decoder<Number> =
    @Sendable (Tensor, Range<Int>, UnsafeMutableBufferPointer<Number>) throws(ReadError) -> Void

  /// Every type that weights come in.
  public static let all = [float64, float32, float16, bfloat16]

  /// IEEE 754 binary64.
  public static let float64 = unsafe NumberFormat(
    elementType: .float64, significandBits: 53, leastExponent: -1022,
    greatest: .greatestFiniteMagnitude,
    readDoubles: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.read(range, into: UnsafeMutableRawBufferPointer(numbers))
    }, readFloats: nil, write: { unsafe store($0, $1) { $0 } })

  /// IEEE 754 binary32.
  public static let float32 = unsafe NumberFormat(
    elementType: .float32, significandBits: 24, leastExponent: -126,
    greatest: Double(Float.greatestFiniteMagnitude),
    readDoubles: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.decode(range, into: numbers) { Double(Float(bitPattern: $0)) }
    },
    readFloats: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.read(range, into: UnsafeMutableRawBufferPointer(numbers))
    }, write: { unsafe store($0, $1) { Float($0) } })

  /// IEEE 754 binary16.
  public static let float16 = unsafe NumberFormat(
    elementType: .float16, significandBits: 11, leastExponent: -14, greatest: 65504,
    readDoubles: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.decode(range, into: numbers) { Double(Float(halfBits: $0)) }
    },
    readFloats: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.decode(range, into: numbers) { Float(halfBits: $0) }
    }, write: { unsafe store($0, $1) { $0.rounded(fractionBits: 10, bias: 15) } })

  /// The upper half of a binary32.
  public static let bfloat16 = unsafe NumberFormat(
    elementType: .bfloat16, significandBits: 8, leastExponent: -126, greatest: 0x1.FEp127,
    readDoubles: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.decode(range, into: numbers) { Double(Float(brainBits: $0)) }
    },
    readFloats: { (tensor, range, numbers) throws(ReadError) in
      try unsafe tensor.decode(range, into: numbers) { Float(brainBits: $0) }
    }, write: { unsafe store($0, $1) { $0.rounded(fractionBits: 7, bias: 127) } })

  /// Nil for types that weights do not come in.
  public init?(_ elementType: ElementType) {
    guard let row = NumberFormat.all.first(where: { $0.elementType == elementType }) else {
      return nil
    }
    self = row
  }

  private init(
    elementType: ElementType, significandBits: Int, leastExponent: Int, greatest: Double,
    readDoubles: @escaping Decoder<Double>, readFloats: Decoder<Float>?,
    write: @escaping @Sendable (borrowing Span<Double>, UnsafeMutableRawBufferPointer) -> Void
  ) {
    self.elementType = elementType
    self.significandBits = significandBits
    self.leastExponent = leastExponent
    self.greatest = greatest
    unsafe self.readDoubles = readDoubles
    unsafe self.readFloats = readFloats
    unsafe self.write = write
  }
}

extension NumberFormat {
  /// The number that has these bits and no sign; finite.
  package func magnitude(bits: UInt64) -> Double {
    let fraction = Double(bits & ((1 << UInt64(significandBits - 1)) - 1))
    let exponent = Int(bits >> UInt64(significandBits - 1))
    // Below the smallest normal number, the leading bit is 0 and the exponent stays the same.
    let leading =
      exponent > 0 ? Double(sign: .plus, exponent: significandBits - 1, significand: 1) : 0
    return Double(
      sign: .plus, exponent: max(exponent - 1, 0) + leastExponent - (significandBits - 1),
      significand: leading + fraction)
  }
}

extension NumberFormat: Equatable {
  /// Whether they are of the same type.
  public static func == (a: NumberFormat, b: NumberFormat) -> Bool {
    a.elementType == b.elementType
  }
}

/// Stores what `convert` makes of each number, one after the other.
private func store<Stored: BitwiseCopyable>(
  _ numbers: borrowing Span<Double>, _ bytes: UnsafeMutableRawBufferPointer,
  _ convert: (Double) -> Stored
) {
  precondition(bytes.count == numbers.count * MemoryLayout<Stored>.stride)
  // Safe: as long as `numbers`, as was just checked; all machines that Swift runs on are little-endian.
  let stored = unsafe bytes.assumingMemoryBound(to: Stored.self)
  for index in numbers.indices { unsafe stored[index] = convert(numbers[index]) }
}

extension Double {
  /// The bits of the nearest number of a smaller type with a sign, an exponent and a fraction; of two
  /// equally near, the one with an even significand. Too large a number becomes infinite; a NaN stays
  /// one.
  ///
  /// Without branches, so that loops over it are vectorised.
  func rounded(fractionBits: UInt64, bias: UInt64) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: bitPattern >> 48) & 0x8000
    let magnitude = bitPattern & 0x7FFF_FFFF_FFFF_FFFF
    // Half of what is cut off, less one if the last bit that is kept is 0, carries where it should.
    let cut = 52 &- fractionBits
    let carried = magnitude &+ ((1 << (cut &- 1)) &- 1) &+ ((magnitude >> cut) & 1)
    let normal = (carried >> cut) &- ((1023 &- bias) << fractionBits)
    // Where the unit is always the same, adding 2^52 units makes the processor round to it.
    let shifter = Double(bitPattern: (1023 &+ 53 &- bias &- fractionBits) << 52)
    let subnormal = (Double(bitPattern: magnitude) + shifter).bitPattern &- shifter.bitPattern
    let infinity: UInt64 = ((1 << (15 &- fractionBits)) &- 1) << fractionBits
    let finite = magnitude < (1024 &- bias) << 52 ? subnormal : normal
    let isNaN = magnitude > 0x7FF0_0000_0000_0000
    let limited = isNaN ? infinity | (1 << (fractionBits &- 1)) : Swift.min(finite, infinity)
    return sign | UInt16(truncatingIfNeeded: limited)
  }
}
