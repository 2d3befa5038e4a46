internal import Checkpoints
internal import Graphs
internal import Naming
internal import Reparameterization
public import Tensors

/// The type that weights are stored in.
public enum WeightType: String, CaseIterable, Encodable, Sendable {
  case float32, float16, bfloat16
  /// Steps of one scale for each output channel; biases and all else in float32.
  case int8

  /// What numbers that are in no steps are rounded to.
  var format: NumberFormat {
    ElementType(rawValue: rawValue).flatMap { NumberFormat($0) } ?? .float32
  }
}

/// How weights become int8.
public struct QuantizationOptions: Sendable {
  /// Whether biases make up for what steps add to the means, where BatchNorms tell the means.
  public var correctsBiases = true
  /// Layers that stay in float32, by their path or their weight's name.
  public var keptLayers: [String] = []
  /// How many more stay in float32: those with the least signal-to-noise ratio.
  public var keptCount = 0

  public init() {}
}

/// What became of the weights.
public struct QuantizationReport: Encodable, Sendable {
  /// One kernel or matrix.
  public struct Layer: Encodable, Equatable, Sendable {
    /// Of its weight, in the output.
    public var name: Name
    /// What it is stored in.
    public var elementType: ElementType
    /// The power of the weights over that of what int8 changes of them, in decibels; nil if it changes
    /// nothing.
    public var signalToNoise: Double?
    /// Whether its bias makes up for the change.
    public var isCorrected: Bool

    private enum CodingKeys: String, CodingKey {
      case name
      case elementType = "dtype"
      case signalToNoise = "decibels"
      case isCorrected = "biasCorrected"
    }
  }
  /// In the order of the output.
  public var layers: [Layer]
  /// Whether a bias was changed.
  public var correctsBiases: Bool { layers.contains(where: \.isCorrected) }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["layers": layers, "biasCorrection": correctsBiases])
  }
}

/// Puts weights in steps.
///
/// - Parameters:
///   - means: of each channel of the input of layers, by the role of their weight.
///   - name: of a tensor in the output.
/// - Throws: `ConversionError.noLayer`, `.notFinite`, `ReadError`.
func quantize(
  _ tensors: [DeployTensor], inputMeans means: [Role: [Double]], path: String,
  _ options: QuantizationOptions, threads: Threads,
  where isLayer: (Role) -> Bool = \.isWeightOfLayer, name: (Role) -> Name
) throws -> (tensors: [DeployTensor], report: QuantizationReport) {
  let quantization = try Quantization(
    of: tensors, inputMeans: means, threads: threads, where: isLayer)
  let names = quantization.layers.map { name($0.role) }
  if let broken = zip(quantization.layers, names).first(where: { $0.0.notFinite > 0 }) {
    throw ConversionError.notFinite(path: path, name: broken.1, count: broken.0.notFinite)
  }
  var kept: Set<Role> = []
  for wanted in options.keptLayers.map({ Name($0) }) {
    let found = zip(quantization.layers, names).filter { layer, name in
      name == wanted || name == "\(wanted).weight" || layer.role.blockPath == wanted
    }
    guard !found.isEmpty else {
      throw ConversionError.noLayer(
        path: path, name: wanted, nearest: nearestNames(to: wanted, in: names))
    }
    kept.formUnion(found.map(\.0.role))
  }
  let worstFirst = quantization.layers.filter { !kept.contains($0.role) }
    .enumerated().sorted { ($0.1.signalToNoise, $0.0) < ($1.1.signalToNoise, $1.0) }
  kept.formUnion(worstFirst.prefix(options.keptCount).map(\.1.role))
  let result = quantization.apply(to: tensors, correctingBiases: options.correctsBiases) {
    !kept.contains($0.role)
  }
  let biases = Set(tensors.compactMap(\.role.weightOfBias))
  let layers = zip(quantization.layers, names).map { layer, name in
    let isKept = kept.contains(layer.role)
    return QuantizationReport.Layer(
      name: name, elementType: isKept ? .float32 : .int8,
      signalToNoise: layer.signalToNoise.isFinite ? layer.signalToNoise : nil,
      isCorrected: !isKept && options.correctsBiases && layer.shift != nil
        && biases.contains(layer.role))
  }
  return (result, QuantizationReport(layers: layers))
}

/// Tensors of a deploy network or a training checkpoint in the type that is asked for.
struct TypeChange {
  /// Without names, in the same order.
  let tensors: [OutputTensor]
  /// If weights became int8.
  let quantization: QuantizationReport?
  let notes: [Note]
  /// What became of the network, if it was changed.
  private(set) var changed: ChangedNetwork?

  /// Tensors of a deploy network that is known as a whole, changed, with all else in float32.
  ///
  /// - Parameters:
  ///   - graph: whose operands are indices into `tensors`.
  ///   - name: of a tensor in the output.
  init(
    of tensors: [(tensor: Tensor, role: Role)], _ graph: Graph, input: InputConvention?,
    changing change: NetworkChange, name: (Role) -> Name
  ) throws {
    let changed = try change(
      DeployNetwork(
        graph: graph, tensors: tensors.map { DeployTensor($0.tensor, role: $0.role) },
        names: tensors.map { name($0.role) }, input: input))
    self.tensors = changed.tensors.map { $0.output(as: WeightType.float32.format) }
    self.changed = changed
    (quantization, notes) = (nil, [])
  }

  /// - Parameters:
  ///   - type: nil to leave every tensor as it is, if the format has a place for it.
  ///   - isLayer: whether a role is that of the weight of a convolution or linear layer.
  ///   - name: of a tensor in the output.
  /// - Throws: `ConversionError`, `ReadError`.
  init(
    of tensors: [(tensor: Tensor, role: Role)], to type: WeightType?, _ format: OutputFormat,
    path: String, _ options: WritingOptions, where isLayer: (Role) -> Bool = \.isWeightOfLayer,
    name: (Role) -> Name
  ) throws {
    let keepsSteps = type == nil ? format.hasSteps : type == .int8
    var changed = tensors.map { tensor, role in
      let isKept = tensor.scales == nil ? type == nil : keepsSteps
      return isKept
        ? DeployTensor(role: role, shape: tensor.shape, contents: .others(tensor))
        : DeployTensor(tensor, role: role)
    }
    var quantization: QuantizationReport?
    if type == .int8 {
      (changed, quantization) = try quantize(
        changed, inputMeans: [:], path: path, options.quantization, threads: options.threads,
        where: isLayer, name: name)
    }
    self.tensors = changed.map { $0.output(as: (type ?? .float32).format) }
    self.quantization = quantization
    let steps = tensors.count { $0.tensor.scales != nil }
    notes = type == nil && steps > 0 && !keepsSteps ? [.stepsWidened(steps)] : []
  }
}

extension Role {
  fileprivate var blockPath: Name? {
    if case .block(let block, _) = self { block.path } else { nil }
  }
}
