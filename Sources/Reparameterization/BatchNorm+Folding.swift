public import Blocks

extension BatchNorm {
  /// `gamma / sqrt(variance + epsilon)`.
  var scale: [Double] { zip(gamma, runningVariance).map { $0 / ($1 + epsilon).squareRoot() } }

  /// `beta - mean * scale`.
  var shift: [Double] {
    let scale = scale
    return gamma.indices.map { beta[$0] - runningMean[$0] * scale[$0] }
  }

  /// The first channel whose scale or shift is not a finite number: the variance is negative, or a
  /// parameter is infinite or NaN.
  public var firstInvalidChannel: Int? {
    let (scale, shift) = (scale, shift)
    return scale.indices.first { !scale[$0].isFinite || !shift[$0].isFinite }
  }
}
