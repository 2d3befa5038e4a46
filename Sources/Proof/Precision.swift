public import Tensors

/// How finely one of the element types of weights resolves numbers.
public struct Precision: Equatable, Sendable {
  /// The type that it is of.
  public let elementType: ElementType
  /// Bits of the significand, the hidden one included.
  let significandBits: Int
  /// The exponent of the smallest normal number.
  let leastExponent: Int
  /// The largest finite number.
  let greatest: Double

  /// Nil for types that weights do not come in.
  public init?(_ elementType: ElementType) {
    self.elementType = elementType
    switch elementType {
    case .float64:
      (significandBits, leastExponent, greatest) = (53, -1022, .greatestFiniteMagnitude)
    case .float32:
      (significandBits, leastExponent, greatest) = (24, -126, Double(Float.greatestFiniteMagnitude))
    case .bfloat16: (significandBits, leastExponent, greatest) = (8, -126, 0x1.FEp127)
    case .float16: (significandBits, leastExponent, greatest) = (11, -14, 65504)
    default: return nil
    }
  }

  /// The largest relative error of rounding a normal number: `2^-24` for float32.
  public var unitRoundoff: Double { power(-significandBits) }

  /// The distance from one number of this type to the next where `value` lies: the unit in the last
  /// place. Infinite if `value` is not finite.
  public func ulp(of value: Double) -> Double {
    guard value.isFinite else { return .infinity }
    let exponent = value == 0 ? leastExponent : max(leastExponent, Int(value.exponent))
    return power(max(-1074, exponent - significandBits + 1))
  }

  /// The nearest number of this type; of two equally near, the one with an even significand.
  public func rounded(_ value: Double) -> Double {
    switch elementType {
    case .float64: return value
    case .float32: return Double(Float(value))
    default:
      guard value.isFinite, value != 0 else { return value }
      let unit = ulp(of: value)
      // Exact, both ways: the unit is a power of two, far from the limits of float64.
      let result = (value / unit).rounded(.toNearestOrEven) * unit
      guard result.magnitude <= greatest else { return value < 0 ? -.infinity : .infinity }
      return result == 0 && value < 0 ? -0.0 : result
    }
  }

  private func power(_ exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: 1)
  }
}

/// How much a deploy file may differ from what its training checkpoint amounts to.
public enum Tolerance: Equatable, Sendable {
  /// What rounding explains, as many of them as the block's tree asks for. Copies must be equal.
  case rounding
  /// At most so many units in the last place of the stored type away from the correctly rounded value.
  case ulps(Double)
  /// At most this fraction of the tensor's largest magnitude.
  case relative(Double)

  /// What four results too small for float32 can be off by, if the processor makes them zero.
  static let float32Underflow = 0x1p-124
}
