public import Naming
public import Proof
public import Tensors

/// Whether a deploy file is a training checkpoint, fused.
public struct VerifyReport: Encodable, Sendable {
  /// The training checkpoint, and the file that should be its fused form.
  public var train, deploy: FileSummary
  /// What was recognised in them.
  public var trainNetwork, deployNetwork: Network
  /// What may differ.
  public var tolerance: Tolerance
  /// BatchNorm's, each once, ascending.
  public var epsilons: [Double]
  /// Who says them.
  public var epsilonSource: EpsilonSource
  /// The comparison of blocks and tensors.
  public var verification: Verification
  /// What of the training checkpoint is not part of the deploy form.
  public var dropped: [DroppedTensors]
  /// The key of another state dict of the training checkpoint, of which the deploy file is the fused
  /// form.
  public var matchingStateDict: Name?
  /// What the graph of the deploy file does, if it is an ONNX file.
  public var onnx: ONNXSummary?

  /// Whether everything that was looked at is right.
  public var holds: Bool {
    verification.holds && train.damage.isEmpty && deploy.damage.isEmpty
      && onnx?.isDeployed ?? true
  }

  /// All but the networks themselves.
  private enum CodingKeys: String, CodingKey {
    case train, deploy, tolerance, epsilons, epsilonSource
    case verification = "algebra"
    case dropped, matchingStateDict, onnx
  }
}

/// Who says BatchNorm's epsilon.
public enum EpsilonSource: String, Encodable, Sendable {
  /// The options.
  case given
  /// The modules in the file.
  case file
  /// The dialect of its names.
  case dialect
}
