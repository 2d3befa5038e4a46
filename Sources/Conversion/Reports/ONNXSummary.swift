public import Tensors

/// What an ONNX graph does beside holding the right numbers.
public struct ONNXSummary: Encodable, Sendable {
  /// A layer whose weight is stored in steps.
  public struct Quantized: Encodable, Sendable {
    /// The path of a block, or the name of a weight of the training file.
    public var name: Name
    /// Of the steps: int8 or uint8.
    public var type: ElementType
    /// Whether each output channel has steps of its own.
    public var isPerChannel: Bool
    /// Whether 0 is not in the middle of the steps.
    public var isShifted: Bool
    /// What a step is, of the channel where it is smallest and of that where it is largest.
    public var smallest, largest: Double
  }

  /// Name and version of the program that wrote the file.
  public var producer: String
  /// The version of ONNX's operations.
  public var operatorSet: Int
  /// Of the graph.
  public var nodes: Int
  /// Convolutions and linear layers that were found to be one of the network's.
  public var layers: Int
  /// Those that the network has.
  public var expectedLayers: Int
  /// Those whose weights or biases other nodes compute, so that they could not be compared.
  public var unreadLayers: Int
  /// Whether each was found by its place in the graph; by its values else.
  public var isByOrder: Bool
  /// Blocks that are there branch by branch.
  public var unfused: [Name]
  /// Blocks whose convolution has a BatchNorm behind it.
  public var normsLeft: [Name]
  /// Nodes that compute as in training: `7 BatchNormalization`.
  public var training: [String]
  /// Layers in steps, in the order of the network.
  public var quantized: [Quantized]
  /// Tensors of the training file that are no block's, and that are not in the file as they are: folded into
  /// others, or computed by the exporter.
  public var notCompared: [Name]
  /// Why the graph cannot be run, in words without a full stop; nil if it can.
  public var notRun: String?
  /// Weights of layers that nothing in the training file accounts for.
  public var unexpected: [Name]

  /// Whether the graph computes what its numbers say, block by block in one convolution.
  public var isDeployed: Bool { unfused.isEmpty && training.isEmpty }
}
