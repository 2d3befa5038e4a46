/// How the values of one tensor differ from those they should have.
///
/// Differences are taken from the correctly rounded value, so a tensor without any is as exact as its
/// type allows.
public struct Difference: Equatable, Sendable {
  /// One value of a tensor, by its index in row-major order.
  public struct Site: Equatable, Sendable {
    /// In row-major order.
    public var index: Int
    /// What it should be, rounded to the tensor's type.
    public var expected: Double
    /// What it is.
    public var found: Double
  }

  /// Values compared.
  public var count = 0
  /// Values that are not the correctly rounded ones.
  public var unequal = 0
  /// Values further off than rounding explains.
  public var failing = 0
  /// In the tensor's own unit.
  public var largestAbsolute = 0.0
  /// The difference over the larger of both magnitudes.
  public var largestRelative = 0.0
  /// In units in the last place of the tensor's type, at the expected value.
  public var largestUlps = 0.0
  /// The largest magnitude expected.
  public var scale = 0.0
  /// The value that is off the most, by what rounding explains.
  public var worst: Site?
  /// The first few of the failing values.
  public var firstFailing: [Site] = []
  /// The difference at `worst` over what rounding explains there; infinite where that is nothing.
  public var excess = 0.0

  /// How many sites are kept.
  static let siteLimit = 8

  /// Adds a value that is not the one expected.
  ///
  /// - Parameters:
  ///   - expected: correctly rounded.
  ///   - allowed: what rounding explains.
  mutating func add(
    _ index: Int, expected: Double, found: Double, ulp: Double, allowed: Double
  ) {
    unequal += 1
    let difference = (found - expected).magnitude
    let absolute = difference.isNaN ? .infinity : difference
    let larger = max(expected.magnitude, found.magnitude)
    largestAbsolute = max(largestAbsolute, absolute)
    largestRelative = max(
      largestRelative, absolute.isFinite ? (larger > 0 ? absolute / larger : 0) : .infinity)
    largestUlps = max(largestUlps, absolute / ulp)
    let site = Site(index: index, expected: expected, found: found)
    let ratio = absolute.isFinite ? (allowed > 0 ? absolute / allowed : .infinity) : .infinity
    if worst == nil || ratio > excess {
      worst = site
      excess = ratio
    }
    // Equal numbers of which one is -0, or NaNs, are not the same copy.
    if !(absolute <= allowed) || (allowed == 0) {
      failing += 1
      if firstFailing.count < Difference.siteLimit { firstFailing.append(site) }
    }
  }

  /// The differences of two parts of a tensor.
  mutating func add(_ other: Difference) {
    count += other.count
    unequal += other.unequal
    failing += other.failing
    largestAbsolute = max(largestAbsolute, other.largestAbsolute)
    largestRelative = max(largestRelative, other.largestRelative)
    largestUlps = max(largestUlps, other.largestUlps)
    scale = max(scale, other.scale)
    if let site = other.worst, worst == nil || other.excess > excess {
      worst = site
      excess = other.excess
    }
    firstFailing += other.firstFailing.prefix(Difference.siteLimit - firstFailing.count)
  }

  /// Whether the tolerance covers it.
  func isWithin(_ tolerance: Tolerance) -> Bool {
    switch tolerance {
    case .rounding: failing == 0
    case .ulps(let limit): largestUlps <= limit
    case .relative(let limit): largestAbsolute <= limit * scale
    }
  }
}
