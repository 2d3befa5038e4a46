internal import Blocks
internal import Naming
internal import Reparameterization
public import Tensors

/// What tells, without an image, how a convolution or linear layer takes int8.
public struct WeightSurvey: Encodable, Equatable, Sendable {
  /// Of the weight, fused if it was not.
  public var name: Name
  /// The largest magnitude over the root of the mean square.
  public var peak: Double
  /// The largest magnitude of a channel, of the channel that has most over the one in the middle.
  public var spread: Double
  /// The power of the weights over that of what int8 changes, in decibels, with a scale for each channel.
  public var perChannel: Double?
  /// Likewise, with one scale for all.
  public var perTensor: Double?
  /// Of a block of RepVGG in training form the authors' weight decay that keeps the fused kernel small
  /// (`get_custom_L2` of `repvgg.py`, github.com/DingXiaoH/RepVGG).
  public var customL2: Double?

  private enum CodingKeys: String, CodingKey {
    case name, peak, spread
    case perChannel = "decibelsPerChannel"
    case perTensor = "decibelsPerTensor"
    case customL2
  }
}

/// Surveys the weights that a network has when it is fused, in the order of its deploy form.
///
/// - Throws: `NamingError` if no block is found, `FusionError`, `ReadError`.
public func surveyWeights(
  of path: String, options: ReadingOptions = ReadingOptions(), threads: Threads = .all
) throws -> [WeightSurvey] {
  let checkpoint = try openCheckpoint(path, family: options.family, limits: options.limits)
  let network = try Network(recognising: checkpoint, options)
  let isFused = network.form == .deploy
  let plan = isFused ? nil : try FusionPlan(network, isForGraph: true)
  let tensors =
    plan?.deployTensors ?? network.parameters.map { DeployTensor($0.tensor, role: $0.role) }
  let blocks = Dictionary(
    uniqueKeysWithValues: (plan?.blocks ?? []).map { (Role.block($0.address, .fused(.weight)), $0) }
  )
  let layers = tensors.filter { tensor in
    guard case .numbers = tensor.contents else { return false }
    return tensor.role.isWeightOfLayer && tensor.shape.elementCount > 0
  }
  return try concurrentMap(of: layers, largestFirst: \.shape.elementCount, threads: threads) {
    tensor, worker in
    guard case .numbers(let numbers) = tensor.contents else { preconditionFailure() }
    return WeightSurvey(
      name: network.dialect.label(of: tensor.role),
      try WeightStatistics(of: numbers, shape: tensor.shape, workspace: &worker.workspace),
      customL2: try blocks[tensor.role]?.branch.customL2)
  }
}

extension WeightSurvey {
  fileprivate init(name: Name, _ weights: WeightStatistics, customL2: Double?) {
    self.name = name
    peak = weights.peak
    spread = weights.spread
    perChannel = weights.int8PerChannel
    perTensor = weights.int8PerTensor
    self.customL2 = customL2
  }
}

extension Branch {
  /// Nil of what is no block of RepVGG: a 3x3 and a 1x1 kernel, each with BatchNorm.
  ///
  /// The sum of squares of the 3x3 kernel without its middle, and of the middle that both amount to, over the
  /// sum of the squares of both BatchNorms' factors.
  fileprivate var customL2: Double? {
    get throws {
      var dense: (kernel: Tensor, norm: BatchNorm)?
      var pointwise: (kernel: Tensor, norm: BatchNorm)?
      var left = [self]
      while let branch = left.popLast() {
        switch branch {
        case .sum(let branches): left += branches
        case .layer(_, let branch): left.append(branch)
        case .batchNorm(let inner, let norm):
          var inner = inner
          while case .layer(_, let branch) = inner { inner = branch }
          guard case .convolution(let kernel, nil) = inner else { continue }
          switch kernel.shape.dimensions.suffix(2) {
          case [3, 3]: dense = (kernel, norm)
          case [1, 1]: pointwise = (kernel, norm)
          default: return nil
          }
        default: return nil
        }
      }
      guard let dense, let pointwise else { return nil }
      let (large, small) = (try dense.kernel.doubles(), try pointwise.kernel.doubles())
      func factors(_ norm: BatchNorm) -> [Double] {
        zip(norm.gamma, norm.runningVariance).map { $0 / ($1 + norm.epsilon).squareRoot() }
      }
      let (t3, t1) = (factors(dense.norm), factors(pointwise.norm))
      let inputs = small.count / t1.count
      var sum = 0.0
      for index in small.indices {
        let channel = index / inputs
        for tap in 0..<9 where tap != 4 { sum += large[index * 9 + tap] * large[index * 9 + tap] }
        let middle = large[index * 9 + 4] * t3[channel] + small[index] * t1[channel]
        sum += middle * middle / (t3[channel] * t3[channel] + t1[channel] * t1[channel])
      }
      return sum
    }
  }
}
