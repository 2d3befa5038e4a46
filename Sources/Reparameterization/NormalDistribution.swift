/// The mean of `max(0, z)` where `z` is normally distributed: `mean Phi(mean / deviation) + deviation
/// phi(mean / deviation)`.
///
/// With basic arithmetic alone, which gives the same bits on every machine, as the functions of the
/// system's libraries do not.
func meanOfRectifiedNormal(mean: Double, deviation: Double) -> Double {
  let z = mean / deviation
  // Beyond that, the tail is less than float64 resolves.
  guard deviation > 0, z.magnitude < 8.5 else { return max(0, mean) }
  let density = exponential(-z * z / 2) * 0.398_942_280_401_432_677_94  // 1 / sqrt(2 pi)
  // Phi(z) = 1/2 + phi(z) (z + z^3 / 3 + z^5 / (3 5) + ...)  (Marsaglia 2004, J. Stat. Softw. 11(4)).
  var (term, sum, factor) = (z, z, 1.0)
  while term.magnitude > sum.magnitude * 0x1p-60 {
    factor += 2
    term *= z * z / factor
    sum += term
  }
  return mean * (0.5 + density * sum) + deviation * density
}

/// `e^x` for `x` from -40 to 0.
private func exponential(_ x: Double) -> Double {
  // x = k log 2 + rest, with the rest so small that a few terms of the series do.
  let k = (x * 1.442_695_040_888_963_407_4).rounded()
  let rest = (x - k * 0x1.62E42FEFA4p-1) + k * 0x1.8432A1B0E2634p-43
  var (term, sum) = (1.0, 1.0)
  for index in 1..<20 {
    term *= rest / Double(index)
    sum += term
  }
  return sum * Double(sign: .plus, exponent: Int(k), significand: 1)
}
