internal import Checkpoints
public import Naming
internal import Tensors

/// A train-time RepVGG block: dense, pointwise and (where input and output are alike) identity branch,
/// summed.
///
/// `K = K'dense + pad(K'pointwise) + pad(K'identity)`, each with its BatchNorm folded in
/// (RepVGG, arXiv:2101.03697, section 3.3).
public struct RepVGGBlock: Sendable {
  public let path: String
  /// The equivalent convolution.
  public let kernel: Kernel
  /// Whether it has the identity branch.
  public let hasIdentity: Bool
  /// The BatchNorm epsilons used, in the order of the branches.
  public let epsilons: [Double]

  /// Reads the BatchNorm vectors of `block`, but no kernel.
  ///
  /// - Parameters:
  ///   - network: what the block is part of, for names and module attributes.
  ///   - epsilon: where the file does not say it.
  /// - Throws: `FusionError` for missing, mis-shaped or non-finite parameters; `ReadError`.
  public init(_ block: Block, of network: Network, epsilon: Double) throws {
    var reader = BranchReader(block: block, network: network, fallback: epsilon)
    try reader.requireAll()

    let weight = block[.kernel(.dense)]!.tensor
    let (output, inputPerGroup) = (weight.shape[0], weight.shape[1])
    let (height, width) = (weight.shape[2], weight.shape[3])
    guard height % 2 == 1, width % 2 == 1 else {
      throw reader.mismatch("the dense kernel is \(height)x\(width), which has no middle")
    }
    let pointwiseWeight = block[.kernel(.pointwise)]!.tensor
    guard pointwiseWeight.shape == [output, inputPerGroup, 1, 1] else {
      throw reader.mismatch(
        "the pointwise kernel is \(pointwiseWeight.shape), beside a dense one of \(weight.shape)")
    }

    let dense = Kernel(
      convolution: weight, bias: try reader.convolutionBias(.dense, channels: output))
    var kernel = dense.folding(try reader.batchNorm(.dense, channels: output))
    let pointwise = Kernel(
      convolution: pointwiseWeight, bias: try reader.convolutionBias(.pointwise, channels: output))
    kernel =
      kernel
      + pointwise.folding(try reader.batchNorm(.pointwise, channels: output)).padded(
        to: height, width)

    hasIdentity = block[.batchNorm(.identity, .gamma)] != nil
    if hasIdentity {
      // Identity adds input channel o to output channel o, so there are as many of both.
      guard inputPerGroup <= output, output % inputPerGroup == 0 else {
        throw reader.mismatch(
          "the identity branch needs as many input as output channels, "
            + "but the dense kernel is \(weight.shape)")
      }
      let identity = Kernel(identityOf: output, groups: output / inputPerGroup)
      kernel =
        kernel
        + identity.folding(try reader.batchNorm(.identity, channels: output)).padded(
          to: height, width)
    }
    self.path = block.path
    self.kernel = kernel
    epsilons = reader.epsilons
  }
}

/// Fetches the short vectors of a block, with errors that name it.
private struct BranchReader {
  let block: Block
  let network: Network
  let fallback: Double
  var epsilons: [Double] = []

  init(block: Block, network: Network, fallback: Double) {
    self.block = block
    self.network = network
    self.fallback = fallback
  }

  /// Throws unless both convolution branches are whole, and the identity branch if it has begun.
  func requireAll() throws(FusionError) {
    let fields = BatchNormField.allCases.filter { $0 != .batchesTracked }
    var needed: [BlockRole] = []
    for branch in [Branch.dense, .pointwise] {
      needed.append(.kernel(branch))
      needed += fields.map { .batchNorm(branch, $0) }
    }
    let identity = fields.map { BlockRole.batchNorm(.identity, $0) }
    if identity.contains(where: { block[$0] != nil }) { needed += identity }
    let absent = needed.filter { block[$0] == nil }
    let missing = absent.map { network.dialect.label(of: .block(path: block.path, $0)) }
    guard missing.isEmpty else {
      let branch: Branch? = [.dense, .pointwise].first { branch in
        absent.filter { $0.branch == branch } == needed.filter { $0.branch == branch }
      }
      let names = network.parameters.compactMap { parameter -> String? in
        if case .other(let name) = parameter.role { name } else { nil }
      }
      var nearest: [String] = []
      for name in missing.prefix(4) {
        nearest += nearestNames(to: name, in: names, limit: 2).filter { !nearest.contains($0) }
      }
      throw .incompleteBlock(
        path: network.path, block: block.path, branch: branch, missing: missing, nearest: nearest)
    }
  }

  func mismatch(_ what: String) -> FusionError {
    .mismatchedShapes(path: network.path, block: block.path, what: what)
  }

  func vector(_ role: BlockRole, channels: Int) throws -> [Double] {
    let parameter = block[role]!
    guard parameter.tensor.shape == [channels] else {
      throw mismatch(
        "'\(parameter.originalName)' has \(parameter.tensor.shape.elementCount) values "
          + "for \(channels) channels")
    }
    return try parameter.tensor.doubles()
  }

  func convolutionBias(_ branch: Branch, channels: Int) throws -> [Double]? {
    block[.convolutionBias(branch)] == nil
      ? nil : try vector(.convolutionBias(branch), channels: channels)
  }

  mutating func batchNorm(_ branch: Branch, channels: Int) throws -> BatchNorm {
    let gamma = block[.batchNorm(branch, .gamma)]!
    let epsilon = network.module(of: gamma)?.epsilon ?? fallback
    epsilons.append(epsilon)
    let norm = BatchNorm(
      gamma: try vector(.batchNorm(branch, .gamma), channels: channels),
      beta: try vector(.batchNorm(branch, .beta), channels: channels),
      runningMean: try vector(.batchNorm(branch, .runningMean), channels: channels),
      runningVariance: try vector(.batchNorm(branch, .runningVariance), channels: channels),
      epsilon: epsilon)
    if let channel = norm.firstInvalidChannel {
      let name = network.dialect.label(
        of: .block(path: block.path, .batchNorm(branch, .runningVariance)))
      throw FusionError.invalidBatchNorm(path: network.path, name: name, channel: channel)
    }
    return norm
  }
}
