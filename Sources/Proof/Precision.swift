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
  /// The distance from one number to the next, where it is the same everywhere.
  let step: Double?
  /// How much of a step rounding may take away.
  let stepShare: Double

  /// Nil for types that weights do not come in.
  public init?(_ elementType: ElementType) {
    guard let format = NumberFormat(elementType) else { return nil }
    self.elementType = elementType
    significandBits = format.significandBits
    leastExponent = format.leastExponent
    greatest = format.greatest
    (step, stepShare) = (nil, 0.5)
  }

  /// Of int8 weights: 127 steps of a scale to either side.
  init(stepsOf scale: Float) {
    self.init(stepsOf: Double(scale), count: 127, share: 0.5)
  }

  /// Of integers that are steps of any size.
  ///
  /// - Parameters:
  ///   - count: how many there are to the larger side of 0.
  ///   - share: how much of a step rounding may take away.
  init(stepsOf size: Double, count: Double, share: Double) {
    elementType = .int8
    significandBits = 7
    step = size
    stepShare = share
    leastExponent = Int(size.exponent)
    greatest = count * size
  }

  /// Of an element of a tensor; nil if it is no weight.
  init?(of tensor: Tensor, at index: Int = 0) {
    guard let scales = tensor.scales else {
      self.init(tensor.elementType)
      return
    }
    guard !scales.values.isEmpty, scales.run > 0 else { return nil }
    self.init(stepsOf: scales.values[scales.channel(of: index)])
  }

  /// The largest relative error of rounding a normal number: `2^-24` for float32. Of steps, that of the
  /// largest number.
  public var unitRoundoff: Double { power(-significandBits) }

  /// The distance from one number of this type to the next where `value` lies: the unit in the last
  /// place. Infinite if `value` is not finite.
  public func ulp(of value: Double) -> Double {
    guard value.isFinite else { return .infinity }
    if let step { return step }
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
      // Exact, both ways, but for steps: the unit is a power of two, far from the limits of float64.
      let result = (value / unit).rounded(.toNearestOrEven) * unit
      if step != nil { return max(-greatest, min(greatest, result)) + 0 }  // There is no -0.
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
