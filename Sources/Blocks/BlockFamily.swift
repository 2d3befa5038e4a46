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

  /// Whether its name says by itself that here is a block, as a kernel's does, and other parameters' only
  /// where their family says so.
  public var tells: Bool { !stays && (weightForm == .kernel || isTelling) }
  private var isTelling = false
  /// Whether it stays as it is in deploy form: what acts on the sum of the branches.
  public private(set) var stays = false
  /// Whether no optimiser changes it.
  public private(set) var isFixed = false

  /// Of BatchNorm alone: whether it follows other layers, and no identity.
  public var isAfterOthers: Bool { weightForm == nil && follows }
  private var follows = false

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
  /// - Parameter places: of several, what their numbers are called.
  public static func convBN(
    _ name: String, optional: Bool = false, numbered places: [String] = [],
    with partners: [String] = []
  ) -> Layer {
    Layer(
      name, .kernel, hasBatchNorm: true, isOptional: optional, places: places, partners: partners)
  }

  /// A convolution without BatchNorm.
  ///
  /// - Parameter staying: whether deploy form has it, too, as it is.
  public static func convolution(
    _ name: String, optional: Bool = false, with partners: [String] = [], staying: Bool = false
  ) -> Layer {
    var layer = Layer(
      name, .kernel, hasBatchNorm: false, isOptional: optional, partners: partners)
    layer.stays = staying
    return layer
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
  ///   - staying: whether deploy form has it, too, as it is.
  ///   - fixed: whether no optimiser changes it.
  public static func parameter(
    _ name: String, optional: Bool = false, numbered places: [String] = [],
    with partners: [String] = [], telling: Bool = false, staying: Bool = false, fixed: Bool = false
  ) -> Layer {
    var layer = Layer(
      name, .parameter, hasBatchNorm: false, isOptional: optional, places: places,
      partners: partners)
    (layer.isTelling, layer.stays, layer.isFixed) = (telling, staying, fixed)
    return layer
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
    case nil: Part.ofBatchNorm
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
  /// One input channel for each group, or height and width 1; the first block's takes images.
  case depthwiseOrPointwise

  /// Whether a kernel, OIHW, can be one.
  public func fits(_ shape: Shape) -> Bool {
    guard shape.rank == 4 else { return false }
    return switch self {
    case .any: true
    case .spatial: shape[2] > 1
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
  public typealias Expression = @Sendable (BlockLayers) throws(BlockProblem) -> Branch?

  /// As its authors call it: `RepVGG`.
  public let name: String
  /// Where the formula comes from.
  public let source: String
  /// In the order in which the family's first project stores them; the first kernel is the one that a
  /// fused one is said to come from.
  public let layers: [Layer]
  /// Whether no deployed network has it.
  public let isForTrainingOnly: Bool
  /// Whether its blocks have as many input as output channels.
  public let keepsWidth: Bool
  /// Whether its blocks have one branch: there is a convolution and nothing else to tell them by, so
  /// they are looked for only beside blocks that have several.
  public let isPlain: Bool
  /// What kernels of its deploy form look like.
  public let deployKernels: DeployKernels
  /// Whether deploy form has the branches beside the deploy kernel, since the project's own code makes that
  /// of them whenever it runs.
  public let keepsBranches: Bool
  /// What no tensor shows and is taken for granted, as it holds for all published networks; to be said of
  /// what was fused.
  public let assumption: Assumption?
  private let expression: Expression

  /// - Parameter expression: the tree that the layers of a block make; nil where the family is no
  ///   convolution. A closure of its own constant: an array of them is more than the type checker
  ///   manages.
  public init(
    _ name: String, source: String, layers: [Layer], isForTrainingOnly: Bool = false,
    keepsWidth: Bool = false, isPlain: Bool = false, deployKernels: DeployKernels = .any,
    keepsBranches: Bool = false, assumption: Assumption? = nil, expression: @escaping Expression
  ) {
    self.name = name
    self.source = source
    self.layers = layers
    hasMatrices =
      layers.contains { $0.weightForm == .matrix } && !layers.contains { $0.weightForm == .kernel }
    let fused = LayerAddress.fused.name
    allLayers =
      BlockFamily.commonLayers
      + [hasMatrices ? .linear(fused, optional: true) : .convolution(fused, optional: true)]
      + layers
    self.isForTrainingOnly = isForTrainingOnly
    self.keepsWidth = keepsWidth
    self.isPlain = isPlain
    self.deployKernels = deployKernels
    self.keepsBranches = keepsBranches
    self.assumption = assumption
    self.expression = expression
  }

  /// Every family there is.
  public static let all: [BlockFamily] = [
    .repVGG, .insertedBatchNorm, .mobileOne, .dbb, .acb, .repLKNet, .repGhost, .uniRepLKNet,
    .dilatedReparam, .repViT, .repViTLegacy, .normalizedClassifier,
    .convolutionBatchNorm, .auxiliaryHead,
    .span, .ecbsr, .orepa, .orepaRepVGG, .orepa1x1, .orepaLarge, .responseNormalizedLinear,
    .repMLPNet,
    .resRep,
  ]

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
    layers.contains { $0.name == layer.name && !$0.stays }
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
}

/// What a file has of a block.
public struct BlockParameters: Sendable {
  /// In the shapes that `Part` says.
  public var tensors: [ParameterAddress: Tensor]
  /// BatchNorm's epsilon of each layer that has one.
  public var epsilon: @Sendable (LayerAddress) -> Double
  /// What no tensor shows.
  public var facts: BlockFacts

  public init(
    _ tensors: [ParameterAddress: Tensor], facts: BlockFacts = BlockFacts(),
    epsilon: @escaping @Sendable (LayerAddress) -> Double
  ) {
    self.tensors = tensors
    self.facts = facts
    self.epsilon = epsilon
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
    guard let branch = try expression(BlockLayers(values: values, facts: parameters.facts)) else {
      throw BlockProblem.mismatch("a block of \(name) is no convolution")
    }
    return branch
  }
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

  /// A convolution, with BatchNorm if the layer has it; a layer of BatchNorm alone follows an identity.
  public subscript(dynamicMember name: String) -> Branch? { branch(LayerAddress(name)) }

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
