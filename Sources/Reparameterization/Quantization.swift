internal import Blocks
internal import Graphs
public import Naming
public import Tensors
internal import Topologies

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Weights as int8: in steps of one scale for each output channel, the largest magnitude over 127, found
/// before anything is written.
///
/// Nothing is clipped: in fused kernels the outliers are the middle taps, where the identity and the 1x1
/// branch landed, and they carry the signal.
public struct Quantization: Sendable {
  /// A kernel or matrix.
  public struct Layer: Sendable {
    /// Of its weight.
    public var role: Role
    /// One for each output channel.
    public var scales: [Float]
    /// The power of the weights over that of what the steps change, in decibels; infinite if they change
    /// nothing.
    public var signalToNoise: Double
    /// What the steps add to the mean of each output channel; nil where the mean of its input is not
    /// known.
    public var shift: [Double]?
    /// Weights that are infinite or not a number.
    public var notFinite: Int
  }

  /// One for each weight that can be in steps, in the order of the tensors.
  public let layers: [Layer]

  /// Goes through all weights once.
  ///
  /// - Parameters:
  ///   - tensors: of a deploy network.
  ///   - means: of each channel of the input of a layer, by the role of its weight.
  ///   - isLayer: whether a tensor is the weight of a convolution or linear layer.
  /// - Throws: `ReadError`.
  public init(
    of tensors: [DeployTensor], inputMeans means: [Role: [Double]] = [:], threads: Threads,
    where isLayer: (Role) -> Bool = \.isWeightOfLayer
  ) throws(ReadError) {
    let weights = tensors.filter { tensor in
      guard case .numbers = tensor.contents, tensor.shape.elementCount > 0 else { return false }
      return isLayer(tensor.role)
    }
    layers = try concurrentMap(
      of: weights, largestFirst: \.shape.elementCount, threads: threads
    ) { (tensor, worker) throws(ReadError) in
      guard case .numbers(let numbers) = tensor.contents else { preconditionFailure() }
      return try Layer(
        numbers, tensor.shape, tensor.role, inputMeans: means[tensor.role], &worker.workspace)
    }
  }

  /// The tensors with the weights of layers in steps, and the biases made up for it.
  ///
  /// - Parameter isInSteps: whether a layer is to be in steps; the others stay as they are.
  public func apply(
    to tensors: [DeployTensor], correctingBiases: Bool, where isInSteps: (Layer) -> Bool
  ) -> [DeployTensor] {
    var byRole: [Role: Layer] = [:]
    for layer in layers where isInSteps(layer) { byRole[layer.role] = layer }
    return tensors.map { tensor in
      var tensor = tensor
      switch tensor.contents {
      case .numbers(let numbers):
        if let layer = byRole[tensor.role] {
          tensor.contents = .steps(numbers, scales: layer.scales)
        } else if correctingBiases, let weight = tensor.role.weightOfBias,
          let shift = byRole[weight]?.shift
        {
          tensor.contents = .numbers(Corrected(numbers, by: shift))
        }
      case .steps, .others: break
      }
      return tensor
    }
  }
}

/// Biases less what steps add to the means.
private struct Corrected: NumberSource {
  let numbers: any NumberSource
  let shift: [Double]

  init(_ numbers: any NumberSource, by shift: [Double]) {
    self.numbers = numbers
    self.shift = shift
  }

  var granularity: Int { numbers.granularity }
  var pieceBytes: Int { numbers.pieceBytes }

  func compute(_ range: Range<Int>, workspace: inout Workspace) throws(ReadError) {
    try numbers.compute(range, workspace: &workspace)
    for (index, channel) in range.enumerated() { workspace.doubles[index] -= shift[channel] }
  }
}

extension Role {
  /// Whether it is that of a kernel or matrix of the network's own.
  public var isWeightOfLayer: Bool {
    switch self {
    case .block(_, let address): address.part == .weight
    case .classifier(.weight): true
    default: false
    }
  }

  /// Of a bias, its layer's weight.
  public var weightOfBias: Role? { exchanging(.bias, for: .weight) }

  /// Of a weight, its layer's bias.
  public var biasOfWeight: Role? { exchanging(.weight, for: .bias) }

  private func exchanging(_ part: Part, for other: Part) -> Role? {
    switch self {
    case .block(let block, let address) where address.part == part:
      .block(block, ParameterAddress(address.layer, other))
    case .classifier(part): .classifier(other)
    default: nil
    }
  }
}

extension Quantization.Layer {
  /// Numbers that are computed at a time.
  private static let pieceLength = 1 << 17

  fileprivate init(
    _ numbers: any NumberSource, _ shape: Shape, _ role: Role, inputMeans: [Double]?,
    _ workspace: inout Workspace
  ) throws(ReadError) {
    self.role = role
    let (channels, run) = (shape[0], shape.elementCount / shape[0])
    let (inputs, taps) = (shape[1], run / max(1, shape[1]))
    // Of all groups together, as far as they are known.
    let means = inputMeans.flatMap { $0.count.isMultiple(of: max(1, inputs)) ? $0 : nil }
    let groups = means.map { $0.count / max(1, inputs) } ?? 1
    scales = []
    shift = means.map { _ in [] }
    notFinite = 0
    var (signal, noise) = (0.0, 0.0)
    let step = max(1, Self.pieceLength / run)
    var next = 0
    while next < channels {
      let rows = next..<min(next + step, channels)
      try numbers.compute(rows.lowerBound * run..<rows.upperBound * run, workspace: &workspace)
      for (index, row) in rows.enumerated() {
        let weights = workspace.doubles.span.extracting(index * run..<(index + 1) * run)
        var largest = 0.0
        for position in weights.indices {
          largest = max(largest, weights[position].magnitude)
          if !weights[position].isFinite { notFinite += 1 }
        }
        let scale = scaleOfSteps(reaching: largest)
        scales.append(scale)
        var sum = 0.0
        let first = row / max(1, channels / groups) * inputs
        for input in 0..<inputs {
          var change = 0.0
          for position in input * taps..<(input + 1) * taps {
            let weight = weights[position]
            let error = Tensors.step(nearest: weight, of: scale) * Double(scale) - weight
            signal += weight * weight
            noise += error * error
            change += error
          }
          if let means { sum += change * means[first + input] }
        }
        shift?.append(sum)
      }
      next = rows.upperBound
    }
    signalToNoise = noise > 0 ? 10 * log10(signal / noise) : .infinity
  }
}

/// The scale of 127 steps that reach `largest`; 1 if that is 0.
private func scaleOfSteps(reaching largest: Double) -> Float {
  guard largest > 0, largest.isFinite else { return 1 }
  return max(Float(largest / 127), .leastNonzeroMagnitude)
}

extension FusionPlan {
  /// The mean of each input channel of the layers of the deploy form, by the role of their weights, where
  /// the BatchNorms of training tell it: a layer whose input is what a ReLU makes of a fused
  /// convolution, or the mean over such an image.
  ///
  /// The sum of branches that each end in BatchNorm has the sum of the betas as its mean, and, taken as
  /// independent, the sum of the squares of the gammas as its variance (Nagel et al. 2019,
  /// arXiv:1906.04721, 4.2.1).
  public var inputMeans: [Role: [Double]] {
    guard let structure = try? structure.get() else { return [:] }
    var moments: [Role: (means: [Double], variances: [Double])] = [:]
    for block in blocks {
      moments[.block(block.address, .fused(.weight))] = block.branch.moments
    }
    var result: [Role: [Double]] = [:]
    for (tensor, source) in structure.graph.rectifiedSources {
      guard let (means, variances) = moments[structure.deployParameters[source].role] else {
        continue
      }
      result[structure.deployParameters[tensor].role] = zip(means, variances).map {
        meanOfRectifiedNormal(mean: $0, deviation: $1.squareRoot())
      }
    }
    return result
  }
}

extension Graph {
  /// For the weight of each convolution or linear layer whose input is the ReLU of a convolution, or the mean over that: the
  /// weight of that convolution.
  package var rectifiedSources: [Int: Int] {
    /// The weight of the convolution whose ReLU a value has the means of.
    func source(of value: Int) -> Int? {
      guard value > 0 else { return nil }
      let node = nodes[value - 1]
      switch node.kind {
      case .relu:
        guard let before = node.inputs.first, before > 0, nodes[before - 1].kind == .convolution
        else { return nil }
        return nodes[before - 1].operand("weight")
      case .globalAveragePool: return source(of: node.inputs[0])
      case .flatten:
        // Of one position, channels stay what they are.
        let before = node.inputs[0]
        return before > 0 && nodes[before - 1].kind == .globalAveragePool
          ? source(of: before) : nil
      default: return nil
      }
    }
    var result: [Int: Int] = [:]
    for node in nodes where node.kind == .convolution || node.kind == .linear {
      guard let weight = node.operand("weight"), let source = source(of: node.inputs[0]) else {
        continue
      }
      result[weight] = source
    }
    return result
  }
}

extension Branch {
  /// The mean and variance of each output channel, if BatchNorms tell them: branches are taken as
  /// independent.
  fileprivate var moments: (means: [Double], variances: [Double])? {
    switch self {
    case .batchNorm(_, let norm): return (norm.beta, norm.gamma.map { $0 * $0 })
    case .layer(_, let branch): return branch.moments
    case .then(_, let second): return second.moments
    case .sum(let branches):
      let parts = branches.compactMap(\.moments)
      guard parts.count == branches.count, let first = parts.first else { return nil }
      return parts.dropFirst().reduce(first) { sum, part in
        (zip(sum.means, part.means).map(+), zip(sum.variances, part.variances).map(+))
      }
    case .convolution, .identity, .average, .scaled, .shifted, .dilated: return nil
    }
  }
}
