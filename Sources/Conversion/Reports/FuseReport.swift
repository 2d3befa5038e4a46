public import Checkpoints
public import Proof
public import Reparameterization
public import Tensors

/// What `fuse` did.
public struct FuseReport: Encodable, Sendable {
  /// The training checkpoint.
  public var source: FileSummary
  /// The deploy file.
  public var output: OutputSummary
  /// Blocks that were fused.
  public var blocks: Int
  /// Those of them that had an identity branch.
  public var blocksWithIdentity: Int
  /// Tensors outside the blocks, which are copied.
  public var passedThrough: Int
  /// Elements that an optimiser changes.
  public var trainParameters: Int
  /// Elements of the output's tensors.
  public var deployParameters: Int
  /// BatchNorm's, each once, ascending.
  public var epsilons: [Double]
  /// Who says them.
  public var epsilonSource: EpsilonSource
  /// Nil if nothing was written.
  public var largestWeight: LargestWeight?
  /// Deploy kernels that stood beside the branches of their blocks.
  public var besideBranches: [DeployKernelComparison]
  /// Nil for blocks inside a larger network, unless it is given.
  public var input: KnownInput?
  /// What the output says for people; nil if that is nothing.
  public var metadata: ModelMetadata?
  /// What each tensor of the output comes from; of a fused one, its block's dense kernel.
  public var mapping: Mapping
  /// What should be said of the conversion, beside the notes on the source.
  public var notes: [Note]
  /// If weights are int8.
  public var quantization: QuantizationReport?
  /// If it was asked for.
  public var verification: Verification?

  private enum CodingKeys: String, CodingKey {
    case source, output, blocks, blocksWithIdentity, passedThrough, trainParameters
    case deployParameters, epsilons, epsilonSource, largestWeight, besideBranches, input
    case metadata, mapping, notes, quantization
    case verification = "algebra"
  }
}

/// The value of the largest magnitude, and the tensor it is in.
public struct LargestWeight: Encodable, Equatable, Sendable {
  /// The tensor's, in the output.
  public var name: Name
  /// Of the value in float32.
  public var magnitude: Float
}

extension DeployKernelComparison: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "block": path, "agrees": agrees, "difference": largestDifference, "scale": scale,
    ])
  }
}
