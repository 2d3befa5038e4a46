/// Batch normalisation as it is applied after training: `gamma (x - mean) / sqrt(variance + epsilon)
/// + beta`, each a vector with one value for each channel.
public struct BatchNorm: Equatable, Sendable {
  /// One value for each channel.
  public var gamma, beta, runningMean, runningVariance: [Double]
  /// What is added to the variance; no state dict holds it.
  public var epsilon: Double

  /// - Precondition: all vectors have the same length.
  public init(
    gamma: [Double], beta: [Double], runningMean: [Double], runningVariance: [Double],
    epsilon: Double
  ) {
    precondition(
      Set([gamma.count, beta.count, runningMean.count, runningVariance.count]).count == 1)
    self.gamma = gamma
    self.beta = beta
    self.runningMean = runningMean
    self.runningVariance = runningVariance
    self.epsilon = epsilon
  }

  /// The length of each vector.
  public var channelCount: Int { gamma.count }
}
