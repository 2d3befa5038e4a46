public import Tensors

/// A layer of a family's blocks: what it is called, which parameters it has, and whether every block has
/// it. Projects' tables (`Dialect`) give each a name of theirs.
public struct Layer: Sendable {
  /// What weights look like.
  public enum WeightForm: Sendable {
    /// `[O, I/groups, height, width]`.
    case kernel
    /// `[out, in]`.
    case matrix
    /// Of Squeeze-and-Excitation: `[out, in, 1, 1]`.
    case squeezeExcitation
    /// A parameter without a layer, of any shape: `layer_scale`, `alpha`.
    case parameter
  }

  /// The family's name for it, which addresses and dialect tables use: `dense`.
  public let name: String
  /// Of a convolution or linear layer; nil if it has none.
  public let weightForm: WeightForm?
  /// Whether BatchNorm is part of it.
  public let hasBatchNorm: Bool
  /// Whether there can be blocks without it.
  public private(set) var isOptional: Bool
  /// What the numbers are called that tell several alike apart: `n` of those that are counted from 0.
  public private(set) var places: [String]
  /// Layers that have to be there if this one is.
  public private(set) var partners: [String] = []
  /// Height and width of its kernel where every block has that: then names need not be enough to tell it,
  /// and all layers of which it is known stand side by side, of as many channels.
  public private(set) var kernelSize: Int?

  /// Whether its name says by itself that here is a block, as a kernel's does, and other parameters' only
  /// where their family says so.
  public var tells: Bool { weightForm == .kernel || isTelling }
  private var isTelling = false
  /// Whether no optimiser changes it.
  public private(set) var isFixed = false

  /// Of BatchNorm alone: whether it follows other layers, and no identity.
  public var isAfterOthers: Bool { weightForm == nil && follows }
  private var follows = false

  /// Whether it has no parameters, so that no tensor shows whether a block has it.
  public var isModule: Bool { weightForm == nil && !hasBatchNorm }

  private init(
    _ name: String, _ weightForm: WeightForm?, hasBatchNorm: Bool, isOptional: Bool,
    places: [String] = [], partners: [String] = []
  ) {
    self.name = name
    self.weightForm = weightForm
    self.hasBatchNorm = hasBatchNorm
    self.isOptional = isOptional
    self.places = places
    self.partners = partners
  }

  /// A convolution with BatchNorm after it.
  ///
  /// - Parameters:
  ///   - size: height and width of its kernel, if all have the same.
  ///   - places: of several, what their numbers are called.
  public static func convBN(
    _ name: String, size: Int? = nil, optional: Bool = false, numbered places: [String] = [],
    with partners: [String] = []
  ) -> Layer {
    var layer = Layer(
      name, .kernel, hasBatchNorm: true, isOptional: optional, places: places, partners: partners)
    layer.kernelSize = size
    return layer
  }

  /// A convolution without BatchNorm.
  public static func convolution(
    _ name: String, optional: Bool = false, with partners: [String] = []
  ) -> Layer {
    Layer(name, .kernel, hasBatchNorm: false, isOptional: optional, partners: partners)
  }

  /// BatchNorm alone.
  ///
  /// - Parameter afterOthers: whether it follows other layers; else an identity.
  public static func batchNorm(
    _ name: String, optional: Bool = false, afterOthers: Bool = false, with partners: [String] = []
  ) -> Layer {
    var layer = Layer(name, nil, hasBatchNorm: true, isOptional: optional, partners: partners)
    layer.follows = afterOthers
    return layer
  }

  /// A matrix with a bias, as of a classifier.
  public static func linear(
    _ name: String, optional: Bool = false, with partners: [String] = []
  ) -> Layer {
    Layer(name, .matrix, hasBatchNorm: false, isOptional: optional, partners: partners)
  }

  /// A parameter that belongs to no layer: factors, or what a kernel is made of.
  ///
  /// - Parameters:
  ///   - telling: whether its name says by itself that here is a block.
  ///   - fixed: whether no optimiser changes it.
  public static func parameter(
    _ name: String, optional: Bool = false, numbered places: [String] = [],
    with partners: [String] = [], telling: Bool = false, fixed: Bool = false
  ) -> Layer {
    var layer = Layer(
      name, .parameter, hasBatchNorm: false, isOptional: optional, places: places,
      partners: partners)
    (layer.isTelling, layer.isFixed) = (telling, fixed)
    return layer
  }

  /// A layer without parameters, such as an identity or an average: it is in a file's list of modules or
  /// in none, and else follows from where the block stands.
  public static func module(_ name: String) -> Layer {
    Layer(name, nil, hasBatchNorm: false, isOptional: true)
  }

  /// The same, several with numbers each.
  func numbered(_ places: [String]) -> Layer {
    var layer = self
    layer.places = places
    return layer
  }

  static func squeezeExcitation(_ name: String) -> Layer {
    Layer(name, .squeezeExcitation, hasBatchNorm: false, isOptional: true)
  }

  /// Its address, or that of the first of several.
  public var address: LayerAddress { LayerAddress(name, numbers: places.map { _ in 0 }) }

  /// The parameters it can have, in the order of a state dict.
  public var parts: [Part] {
    switch weightForm {
    case nil: hasBatchNorm ? Part.ofBatchNorm : []
    case .parameter: [.value]
    default: Part.ofConvolution + (hasBatchNorm ? Part.ofBatchNorm : [])
    }
  }

  /// The parameters it cannot do without. A convolution's bias is rare where BatchNorm follows, and
  /// BatchNorm without gamma and beta (`affine=False`) is told from a damaged one by nothing.
  public var requiredParts: [Part] { parts.filter { $0 != .bias && $0 != .batchesTracked } }
}

/// What the deploy kernels of a family are like. Projects have the same names for several families' deploy
/// forms, and `.wts` files have names only.
public enum DeployKernels: Sendable {
  /// Nothing is known of them but that they are kernels.
  case any
  /// Of this height and width, or another one above 1.
  case spatial(Int)
  /// One input channel for each group, height and width above 1.
  case depthwise
  /// One input channel for each group, or height and width 1; the first block's takes images.
  case depthwiseOrPointwise

  /// Whether a kernel, OIHW, can be one.
  public func fits(_ shape: Shape) -> Bool {
    guard shape.rank == 4 else { return false }
    return switch self {
    case .any: true
    case .spatial: shape[2] > 1
    case .depthwise: shape[1] == 1 && shape[2] > 1
    case .depthwiseOrPointwise: shape[1] == 1 || shape[1] == 3 || shape[2] == 1
    }
  }

  /// Height and width where nothing tells them; nil if that cannot be guessed.
  public var usualSize: Int? { if case .spatial(let size) = self { size } else { nil } }
}

/// A kind of re-parameterizable block: which layers it has, and what they compute together.
///
/// One file in `Families` says all there is to say of a family; projects' names for its layers are
/// dialects.
///
///     static let repVGG = BlockFamily(
///       "RepVGG", source: "arXiv:2101.03697, 3.3",
///       layers: [.batchNorm("identity", optional: true), .convBN("dense"), .convBN("pointwise")]
///     ) { $0.dense + $0.pointwise + $0.identity }
///
/// Never changes; a class, since the address of every parameter says the family.
public final class BlockFamily: Sendable {
  /// Makes the tree of a block's layers; nil where the family is no convolution.
  public typealias Expression = @Sendable (BlockLayers) throws -> Branch?

  /// As its authors call it: `RepVGG`.
  public let name: String
  /// Where the formula comes from.
  public let source: String
  /// In the order in which the family's first project stores them; the first kernel is the one that a
  /// fused one is said to come from.
  public let layers: [Layer]
  /// Layers of its blocks that are no part of what is fused, and stay under the names that they have:
  /// those that stand behind the sum in the project's own deploy form as well.
  public let kept: [Layer]
  /// Whether no deployed network has it.
  public let isForTrainingOnly: Bool
  /// Whether its blocks have as many input as output channels.
  public let keepsWidth: Bool
  /// Whether its blocks have one branch: there is a convolution and nothing else to tell them by, so
  /// they are looked for only beside blocks that have several.
  public let isPlain: Bool
  /// What kernels of its deploy form look like.
  public let deployKernels: DeployKernels
  /// What no tensor shows and is taken for granted, as it holds for all published networks; to be said of
  /// what was fused.
  public let assumption: Assumption?
  /// The layer without parameters that `assumption` is about; where the file tells of it, nothing is taken
  /// for granted.
  public let assumedLayer: String?
  /// Whether its project leaves a deploy kernel beside live branches that was never trained: noise, which
  /// is no damage.
  public let hasNoiseBesideBranches: Bool
  /// Of a variant: the family that it has the names of, so that it is looked for only when it is asked for.
  public let base: String?
  /// Of a variant: whether layers without parameters are there, where no tensor would show it.
  public let settled: [String: Bool]
  private let expression: Expression

  /// - Parameter expression: the tree that the layers of a block make; nil where the family is no
  ///   convolution. A closure of its own constant: an array of them is more than the type checker
  ///   manages.
  public init(
    _ name: String, source: String, layers: [Layer], kept: [Layer] = [],
    isForTrainingOnly: Bool = false,
    keepsWidth: Bool = false, isPlain: Bool = false, deployKernels: DeployKernels = .any,
    assumption: Assumption? = nil, about assumedLayer: String? = nil,
    hasNoiseBesideBranches: Bool = false, expression: @escaping Expression
  ) {
    self.name = name
    self.source = source
    self.layers = layers
    self.kept = kept
    hasMatrices =
      layers.contains { $0.weightForm == .matrix } && !layers.contains { $0.weightForm == .kernel }
    let fused = LayerAddress.fused.name
    allLayers =
      BlockFamily.commonLayers
      + [hasMatrices ? .linear(fused, optional: true) : .convolution(fused, optional: true)]
      + layers + kept
    self.isForTrainingOnly = isForTrainingOnly
    self.keepsWidth = keepsWidth
    self.isPlain = isPlain
    self.deployKernels = deployKernels
    self.assumption = assumption
    self.assumedLayer = assumedLayer
    self.hasNoiseBesideBranches = hasNoiseBesideBranches
    base = nil
    settled = [:]
    self.expression = expression
  }

  /// A family with the names of another, of which is known what no tensor shows.
  ///
  /// - Parameter settled: for layers without parameters, whether blocks have them where shapes allow it.
  init(_ name: String, variantOf base: BlockFamily, settled: [String: Bool]) {
    self.name = name
    source = base.source
    layers = base.layers
    kept = base.kept
    hasMatrices = base.hasMatrices
    allLayers = base.allLayers
    isForTrainingOnly = base.isForTrainingOnly
    keepsWidth = base.keepsWidth
    isPlain = base.isPlain
    deployKernels = base.deployKernels
    assumption = nil
    assumedLayer = nil
    hasNoiseBesideBranches = base.hasNoiseBesideBranches
    self.base = base.name
    self.settled = settled
    expression = base.expression
  }

  /// Every family there is.
  public static let all: [BlockFamily] = [
    .repVGG, .insertedBatchNorm, .mobileOne, .dbb, .acb, .repLKNet, .repGhost, .uniRepLKNet,
    .dilatedReparam, .repViT, .repViTLegacy, .normalizedClassifier,
    .repVGGDepthwise, .implicitDetect,
    .convolutionBatchNorm, .auxiliaryHead, .repMixer, .repCPE,
    .span, .ecbsr, .orepa, .orepaRepVGG, .orepa1x1, .orepaLarge, .responseNormalizedLinear,
    .repMLPNet, .resRep, .qaRepVGG, .qaRepVGGV1, .qaRepVGGFirst, .yolov6QARepVGG,
    .superGradientsQARepVGG,
    .repVGGAlpha, .ppYOLOE, .ppLCNetV3, .linearAdd, .realVGG,
  ]

  /// Families with the names of others, which blocks are taken for only when that is asked for.
  public static let variants: [BlockFamily] = [
    .repGhostIdentity, .yolov6QARepVGGBlock, .yolov6QARepVGGBlockV2,
  ]

  /// The family or variant that is called so, in capitals or not.
  public static func named(_ name: String) -> BlockFamily? {
    (all + variants).first { $0.name.lowercased() == name.lowercased() }
  }

  /// Layers that blocks of all families may have beside their own.
  public static let commonLayers: [Layer] =
    Placement.allCases.flatMap {
      [
        Layer.squeezeExcitation(LayerAddress.squeeze($0).name),
        .squeezeExcitation(LayerAddress.excite($0).name),
      ]
    }

  /// Its own layers and the common ones, in the order of a state dict.
  public let allLayers: [Layer]

  /// A layer by its name, of its own or common.
  public func layer(named name: String) -> Layer? { allLayers.first { $0.name == name } }

  /// Whether its blocks are linear layers, and so a matrix in deploy form; their trees have kernels of 1x1.
  public let hasMatrices: Bool

  /// Whether its blocks are looked for only beside those of another family.
  public var standsBesideOthers: Bool { isPlain || isForTrainingOnly }

  /// Whether a layer is one of its own, and of training only.
  public func isOwn(_ layer: LayerAddress) -> Bool {
    layers.contains { $0.name == layer.name }
  }

  /// Whether blocks of every family can have a layer of this name, and the deploy convolution.
  public func isCommon(_ layer: String) -> Bool {
    !layers.contains { $0.name == layer } && !kept.contains { $0.name == layer }
  }
}

extension BlockFamily: Equatable {
  public static func == (a: BlockFamily, b: BlockFamily) -> Bool {
    a === b || a.name == b.name
  }
}

/// Why the layers of a block make no tree, by their addresses.
public enum BlockProblem: Error, Equatable, Sendable {
  /// What a layer cannot do without is not there.
  case missing([ParameterAddress])
  /// A vector has another length than its layer's others.
  case vectorLength(ParameterAddress, found: Int, channels: Int)
  /// Layers do not go together.
  case mismatch(String)
  /// Height and width of maps of so many values are in no tensor.
  case unknownMap(area: Int)
  /// Nothing tells whether the block has a layer without parameters.
  case undecided(layer: String)
  /// What the block computes is not one convolution, in words.
  case notOne(String)
}

/// What a file has of a block.
public struct BlockParameters: Sendable {
  /// In the shapes that `Part` says.
  public var tensors: [ParameterAddress: Tensor]
  /// BatchNorm's epsilon of each layer that has one.
  public var epsilon: @Sendable (LayerAddress) -> Double
  /// What no tensor shows.
  public var facts: BlockFacts
  /// Whether a layer without parameters is there, by the file's list of modules or by where the block
  /// stands; nil if neither tells.
  public var hasModule: @Sendable (_ layer: String) -> Bool?

  public init(
    _ tensors: [ParameterAddress: Tensor], facts: BlockFacts = BlockFacts(),
    epsilon: @escaping @Sendable (LayerAddress) -> Double,
    hasModule: @escaping @Sendable (_ layer: String) -> Bool? = { _ in nil }
  ) {
    self.tensors = tensors
    self.facts = facts
    self.epsilon = epsilon
    self.hasModule = hasModule
  }
}

extension BlockFamily {
  /// What a block computes. Reads BatchNorm's vectors, but no kernel.
  ///
  /// - Throws: `BlockProblem` if layers are missing, incomplete, or do not go together; `ReadError`.
  public func branch(of parameters: BlockParameters) throws -> Branch {
    let present = Set(parameters.tensors.keys.map(\.layer))
    var missing: [ParameterAddress] = []
    var values: [LayerAddress: BlockLayers.Value] = [:]
    for layer in layers {
      var addresses = present.filter { $0.name == layer.name }.sorted()
      let partners = layers.filter { $0.partners.contains(layer.name) }
      let isAsked = partners.contains { partner in present.contains { $0.name == partner.name } }
      if addresses.isEmpty, !layer.isOptional || isAsked {
        addresses = [layer.address]
      }
      for address in addresses {
        let absent = layer.requiredParts.map { ParameterAddress(address, $0) }
          .filter { parameters.tensors[$0] == nil }
        missing += absent
        guard absent.isEmpty else { continue }
        values[address] = try BlockLayers.Value(address, layer, parameters)
      }
    }
    guard missing.isEmpty else { throw BlockProblem.missing(missing) }
    let kernel = layers.lazy.compactMap { values[$0.address]?.kernel?.shape }.first
    let known = BlockLayers(
      values: values, facts: parameters.facts, present: present, kernel: kernel, settled: settled,
      hasModule: parameters.hasModule)
    guard let branch = try expression(known) else {
      throw BlockProblem.mismatch("a block of \(name) is no convolution")
    }
    return branch
  }
}

extension String {
  /// `an average`, `a plain identity`.
  package var withArticle: String { (first.map("aeiou".contains) == true ? "an " : "a ") + self }
}

/// The layers of one block, for a family's expression: `$0.dense` is the layer of that name, nil if the
/// block has none.
@dynamicMemberLookup
public struct BlockLayers: Sendable {
  struct Value: Sendable {
    var kernel: Tensor?
    var bias: Tensor?
    var norm: BatchNorm?
    var parameter: Tensor?

    init(_ address: LayerAddress, _ layer: Layer, _ parameters: BlockParameters) throws {
      func tensor(_ part: Part) -> Tensor? { parameters.tensors[ParameterAddress(address, part)] }
      parameter = tensor(.value)
      kernel = tensor(.weight)?.asKernel
      bias = tensor(.bias)
      let channels = kernel?.shape[0] ?? tensor(.gamma)?.shape.elementCount ?? 0
      func vector(_ part: Part) throws -> [Double] {
        let vector = tensor(part)!
        guard vector.shape.elementCount == channels else {
          throw BlockProblem.vectorLength(
            ParameterAddress(address, part), found: vector.shape.elementCount, channels: channels)
        }
        return try vector.doubles()
      }
      if let bias, bias.shape.elementCount != channels {
        throw BlockProblem.vectorLength(
          ParameterAddress(address, .bias), found: bias.shape.elementCount, channels: channels)
      }
      if layer.hasBatchNorm {
        norm = BatchNorm(
          gamma: try vector(.gamma), beta: try vector(.beta), runningMean: try vector(.runningMean),
          runningVariance: try vector(.runningVariance), epsilon: parameters.epsilon(address))
      }
    }
  }
  let values: [LayerAddress: Value]
  /// What no tensor shows.
  public let facts: BlockFacts
  /// All that the file has, those of other families and common ones too.
  let present: Set<LayerAddress>
  /// The first layer's, OIHW.
  let kernel: Shape?
  let settled: [String: Bool]
  let hasModule: @Sendable (String) -> Bool?

  /// Whether the block has a layer without parameters.
  ///
  /// - Parameter assumption: what is taken for granted where nothing tells; nil if that is an error.
  /// - Throws: `BlockProblem`: nothing tells, or the file says otherwise than was asked for.
  public func has(module layer: String, assuming assumption: Bool? = nil) throws(BlockProblem)
    -> Bool
  {
    let told = hasModule(layer)
    if let asked = settled[layer] {
      guard told == nil || told == asked else {
        throw .mismatch(
          "the block has \(asked ? "no \(layer)" : layer.withArticle) by the modules that the file lists"
        )
      }
      return asked
    }
    if let told = told ?? assumption { return told }
    guard canKeepWidth else { return false }
    throw .undecided(layer: layer)
  }

  /// Whether as many channels can go in as come out, of some number of groups.
  public var canKeepWidth: Bool {
    guard let kernel, kernel[1] > 0 else { return false }
    return kernel[0].isMultiple(of: kernel[1])
  }

  /// Whether Squeeze-and-Excitation stands between the sum and what follows it.
  public var hasSqueezeExcitation: Bool {
    present.contains(.squeeze(.beforeActivation)) || present.contains(.excite(.beforeActivation))
  }

  /// Whether a layer has a bias.
  public func hasBias(_ layer: LayerAddress) -> Bool { values[layer]?.bias != nil }

  /// A convolution, with BatchNorm if the layer has it; a layer of BatchNorm alone follows an identity.
  public subscript(dynamicMember name: String) -> Branch? { branch(LayerAddress(name)) }

  /// A layer by its name, times factors that are a parameter of their own.
  public func branch(_ address: LayerAddress, scaledBy parameter: LayerAddress) -> Branch? {
    guard case .layer(_, let inner)? = branch(address), let factors = self.parameter(parameter)
    else { return nil }
    return .layer(address, inner.scaled(by: factors))
  }

  /// The sum of all layers that are called so and counted.
  public func all(_ name: String) -> Branch? {
    let branches = addresses(name).compactMap { branch($0) }
    return branches.isEmpty ? nil : branches.count == 1 ? branches[0] : .sum(branches)
  }

  /// Of all layers that are called so, in the order of their numbers.
  public func addresses(_ name: String) -> [LayerAddress] {
    values.keys.filter { $0.name == name }.sorted()
  }

  /// The BatchNorm of a layer, to follow something else.
  public func norm(_ name: String) -> BatchNorm? { values[LayerAddress(name)]?.norm }

  /// A parameter that belongs to no layer; nil if the block has none.
  public func parameter(_ address: LayerAddress) -> Tensor? { values[address]?.parameter }

  /// Of a layer's kernel, OIHW.
  public func shape(_ layer: LayerAddress) -> Shape? { values[layer]?.kernel?.shape }

  /// Height and width of a layer's kernel.
  public func kernelSize(_ layer: LayerAddress) -> (height: Int, width: Int)? {
    values[layer]?.kernel.map { ($0.shape[2], $0.shape[3]) }
  }

  /// A layer by its address, as `$0.dense` is; of a convolution, with its taps `rate` apart.
  public func branch(_ address: LayerAddress, dilatedBy rate: Int = 1) -> Branch? {
    guard let value = values[address] else { return nil }
    var branch = value.kernel.map { Branch.convolution($0, bias: value.bias) } ?? .identity
    if rate != 1 { branch = branch.dilated(by: rate) }
    if let norm = value.norm { branch = branch.normalized(by: norm) }
    return .layer(address, branch)
  }
}
