/// A network in deploy form, ready to be written: what `.rvd` stores.
public struct DeployModel: Sendable {
  /// In execution order where the network is known, else in the order of the source.
  public var tensors: [OutputTensor]
  /// The whole network as an ordered list of operations; nil where it is not known.
  public var graph: [Operation]?
  /// `RepVGG-A0`, if it is one of the named architectures.
  public var architecture: String?
  /// Classes of the classifier.
  public var classes: Int?
  /// What the network expects as input; nil where nothing is known.
  public var input: InputConvention?
  /// Where it came from.
  public var provenance: Provenance

  public init(
    tensors: [OutputTensor], graph: [Operation]? = nil, architecture: String? = nil,
    classes: Int? = nil, input: InputConvention? = nil, provenance: Provenance
  ) {
    self.tensors = tensors
    self.graph = graph
    self.architecture = architecture
    self.classes = classes
    self.input = input
    self.provenance = provenance
  }
}

/// One step of a network. Each takes the result of the one before; names refer to tensors.
public enum Operation: Equatable, Sendable {
  case convolution(Convolution)
  /// Multiplies each channel by a factor computed from all channel means: two 1x1 convolutions, ReLU
  /// between and the logistic function after them.
  case squeezeExcitation(SqueezeExcitation)
  case relu
  /// The mean over height and width.
  case globalAveragePool
  /// `weight` is `[out, in]`.
  case linear(weight: String, bias: String)
}

/// A two-dimensional convolution with bias over NCHW data; `weight` is OIHW.
public struct Convolution: Equatable, Sendable {
  public var weight: String
  public var bias: String
  /// Vertical and horizontal, as are `padding` (on both sides each, with zeros) and `dilation`.
  public var stride: [Int]
  public var padding: [Int]
  public var dilation: [Int]
  public var groups: Int

  public init(
    weight: String, bias: String, stride: [Int], padding: [Int], dilation: [Int] = [1, 1],
    groups: Int
  ) {
    self.weight = weight
    self.bias = bias
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }
}

/// Names of the two layers of Squeeze-and-Excitation; weights `[out, in, 1, 1]`.
public struct SqueezeExcitation: Equatable, Sendable {
  public var squeezeWeight, squeezeBias: String
  public var exciteWeight, exciteBias: String

  public init(squeezeWeight: String, squeezeBias: String, exciteWeight: String, exciteBias: String)
  {
    self.squeezeWeight = squeezeWeight
    self.squeezeBias = squeezeBias
    self.exciteWeight = exciteWeight
    self.exciteBias = exciteBias
  }
}

/// How an image becomes the network's input: channels in `channelOrder`, each value scaled so that
/// white is `scale`, less `mean`, over `standardDeviation`, at `size` x `size` pixels.
public struct InputConvention: Equatable, Sendable {
  public enum ChannelOrder: String, Sendable {
    case rgb = "RGB"
    case bgr = "BGR"
  }
  public var channelOrder: ChannelOrder
  /// The value of white before normalising: 1 or 255.
  public var scale: Double
  /// One for each channel, in `channelOrder`.
  public var mean: [Double]
  public var standardDeviation: [Double]
  /// Height and width in pixels; nil where it is not known.
  public var size: Int?

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
  public var container: String
  public var dialect: String
  /// The BatchNorm epsilons used, each once, ascending; empty if nothing was fused.
  public var epsilons: [Double]
  /// How kernels were computed: `float64, rounded once`.
  public var arithmetic: String
  /// The program and its version: `repconv 0.1.0`.
  public var tool: String

  public init(
    sourceSHA256: String?, container: String, dialect: String, epsilons: [Double],
    arithmetic: String, tool: String
  ) {
    self.sourceSHA256 = sourceSHA256
    self.container = container
    self.dialect = dialect
    self.epsilons = epsilons
    self.arithmetic = arithmetic
    self.tool = tool
  }
}
