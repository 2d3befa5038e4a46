public import Graphs

/// What a file says of a network beside its tensors. Nil is what it does not say.
public struct ModelDescription: Equatable, Sendable {
  /// The whole network. Its operands are indices into the tensors that stand beside this: of a
  /// `DeployModel`, or of a checkpoint's only state dict.
  public var graph: Graph?
  /// `RepVGG-A0`, if it is one of the named architectures.
  public var architecture: String?
  /// Classes of the classifier.
  public var classes: Int?
  /// What people want to know of it.
  public var metadata: ModelMetadata
  /// What the network expects as input.
  public var input: InputConvention?
  /// Where it came from.
  public var provenance: Provenance?
  /// SHA-256 over the tensors, in hexadecimal, as the file records it: who the model is, whatever the
  /// tensors' order and storage. A writer computes its own.
  public var contentSHA256: String?

  public init(
    graph: Graph? = nil, architecture: String? = nil, classes: Int? = nil,
    metadata: ModelMetadata = ModelMetadata(), input: InputConvention? = nil,
    provenance: Provenance? = nil, contentSHA256: String? = nil
  ) {
    self.graph = graph
    self.architecture = architecture
    self.classes = classes
    self.metadata = metadata
    self.input = input
    self.provenance = provenance
    self.contentSHA256 = contentSHA256
  }
}

/// How biases make up for weights in steps; see `formats/rvd.md`.
public enum BiasCorrection: Sendable {
  /// They do not, or it is not known how.
  case none
  /// By the means that BatchNorms told.
  case batchNorms
  /// By the means that images made, which only who has them can tell.
  case images
}

extension ModelDescription {
  /// How biases make up for weights in steps.
  public var biasCorrection: BiasCorrection {
    switch provenance?.biasCorrection {
    case Provenance.batchNormStatistics: .batchNorms
    case Provenance.calibrationImages: .images
    default: .none
    }
  }
}

/// How an image becomes the network's input: channels in `channelOrder`, each value scaled so that
/// white is `scale`, less `mean`, over `standardDeviation`, at `size` x `size` pixels.
public struct InputConvention: Equatable, Sendable {
  /// The order of an image's colours.
  public enum ChannelOrder: String, Sendable {
    case rgb = "RGB"
    case bgr = "BGR"
  }
  public var channelOrder: ChannelOrder
  /// The value of white before normalising: 1 or 255.
  public var scale: Double
  /// One for each channel, in `channelOrder`.
  public var mean: [Double]
  /// One for each channel, in `channelOrder`.
  public var standardDeviation: [Double]
  /// Height and width in pixels; nil where it is not known.
  public var size: Int?

  /// A convention; of a size that is not known if none is given.
  public init(
    channelOrder: ChannelOrder, scale: Double, mean: [Double], standardDeviation: [Double],
    size: Int? = nil
  ) {
    self.channelOrder = channelOrder
    self.scale = scale
    self.mean = mean
    self.standardDeviation = standardDeviation
    self.size = size
  }
}

extension InputConvention: CustomStringConvertible {
  /// `RGB, values 0…1, mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225, 224x224 pixels`
  public var description: String {
    func list(_ values: [Double]) -> String { values.map { "\($0)" }.joined(separator: " ") }
    let white = scale == scale.rounded() && scale < 1e9 ? "\(Int(scale))" : "\(scale)"
    return
      "\(channelOrder.rawValue), values 0…\(white), mean \(list(mean)), deviation \(list(standardDeviation))"
      + (size.map { ", \($0)x\($0) pixels" } ?? "")
  }
}

/// Where a deploy model came from. No dates and no paths: the same input gives the same bytes.
public struct Provenance: Equatable, Sendable {
  /// SHA-256 of the whole source file, in hexadecimal; nil if it is not recorded.
  public var sourceSHA256: String?
  /// The container of the source: `PyTorch zip`.
  public var container: String
  /// The dialect of the source's names: `official`.
  public var dialect: String
  /// The BatchNorm epsilons used, each once, ascending; empty if nothing was fused.
  public var epsilons: [Double]
  /// How kernels were computed: `float64, rounded once`.
  public var arithmetic: String
  /// How biases make up for weights in steps: `batch-norm-statistics`, `calibration-images`; nil if they do
  /// not.
  public var biasCorrection: String?
  /// The program and its version: `repconv 0.1.0`.
  public var tool: String

  /// Biases are less by what steps add to the means that BatchNorms tell; see `formats/rvd.md`.
  public static let batchNormStatistics = "batch-norm-statistics"
  /// Biases are changed by what steps, of weights and maybe of values, change of the means that images
  /// make; see `formats/rvd.md`.
  public static let calibrationImages = "calibration-images"

  public init(
    sourceSHA256: String?, container: String, dialect: String, epsilons: [Double],
    arithmetic: String, biasCorrection: String? = nil, tool: String
  ) {
    self.sourceSHA256 = sourceSHA256
    self.container = container
    self.dialect = dialect
    self.epsilons = epsilons
    self.arithmetic = arithmetic
    self.biasCorrection = biasCorrection
    self.tool = tool
  }
}
