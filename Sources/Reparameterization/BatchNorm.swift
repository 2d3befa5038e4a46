/// Batch normalisation as it is applied after training: `gamma (x - mean) / sqrt(variance + epsilon)
/// + beta`, each a vector with one value for each channel.
public struct BatchNorm: Sendable {
  /// `gamma / sqrt(variance + epsilon)`.
  public let scale: [Double]
  /// `beta - mean * scale`.
  public let shift: [Double]

  /// - Precondition: all vectors have the same length.
  public init(
    gamma: [Double], beta: [Double], runningMean: [Double], runningVariance: [Double],
    epsilon: Double
  ) {
    precondition(
      Set([gamma.count, beta.count, runningMean.count, runningVariance.count]).count == 1)
    let scale = zip(gamma, runningVariance).map { $0 / ($1 + epsilon).squareRoot() }
    self.scale = scale
    shift = gamma.indices.map { beta[$0] - runningMean[$0] * scale[$0] }
  }

  public var channelCount: Int { scale.count }

  /// The first channel whose scale or shift is not a finite number: the variance is negative, or a
  /// parameter is infinite or NaN.
  public var firstInvalidChannel: Int? {
    scale.indices.first { !scale[$0].isFinite || !shift[$0].isFinite }
  }
}
