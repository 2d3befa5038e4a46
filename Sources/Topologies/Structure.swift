public import Blocks
public import Graphs
public import Naming
public import Tensors

/// A whole network, as far as its function goes: the graph of its deploy form, the parameters of both
/// forms, and what each block is. Equal for equal networks, whatever file they come from.
public struct Structure: Equatable, Sendable {
  /// A parameter by its role, with its shape.
  public struct Parameter: Equatable, Sendable {
    /// What it is for.
    public var role: Role
    /// In the layout of `Part`.
    public var shape: Shape
  }

  /// The name of the topology that it is one of: `RepVGG`.
  public let topology: String
  /// In execution order.
  public let blocks: [BlockShape]
  /// Outputs of the classifier.
  public let classes: Int
  /// The deploy form; operands are indices into `deployParameters`. The training form is the same, with
  /// the branches of blocks in the place of their convolutions.
  public let graph: Graph
  /// Every parameter of the deploy form, in execution order.
  public let deployParameters: [Parameter]
  /// Every parameter of the training form, BatchNorm's counters and what is for training only left out.
  public let trainParameters: [Parameter]
  /// Whether the training form has classifiers beside the network.
  public let hasAuxiliaryHeads: Bool
  /// What stands behind the stem, each at half the resolution of the one before.
  public let stages: [StageShape]
  /// Channels of the stem's result.
  public let stemChannels: Int

  /// Trainable parameters of the training form, auxiliary heads left out.
  public var trainParameterCount: Int {
    trainParameters.reduce(0) { $0 + ($1.role.isTrainable ? $1.shape.elementCount : 0) }
  }

  /// Parameters of the deploy form.
  public var deployParameterCount: Int {
    deployParameters.reduce(0) { $0 + ($1.role.isTrainable ? $1.shape.elementCount : 0) }
  }

  /// The published architecture that this is, if any; the number of classes does not matter, nor that of
  /// like branches in training.
  public var architecture: Architecture? {
    Architecture.all.first { architecture in
      guard architecture.topology == topology else { return false }
      let other = architecture.structure(classes: classes)
      return other.graph == graph && other.deployParameters == deployParameters
    }
  }

  /// `RepVGG-A0`, or `a custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels)`.
  public var description: String {
    architecture?.name ?? Topology.named(topology)!.describe(self)
  }
}

/// A part of a network that works at one resolution.
public struct StageShape: Equatable, Sendable {
  /// How many blocks follow each other, as the authors count.
  public var depth: Int
  /// Channels that come out.
  public var channels: Int
}

/// What one block of a network is.
public struct BlockShape: Equatable, Sendable {
  /// A layer of the training form that runs beside others.
  public struct Branch: Equatable, Sendable {
    /// The layer of the family.
    public var layer: LayerAddress
    /// Height and width of its kernel; nil for BatchNorm alone.
    public var kernelSize: Int?
    /// Whether its convolution has a bias of its own.
    public var hasBias = false
  }

  /// The gate of a block's channels.
  public struct SqueezeExcitation: Equatable, Sendable {
    /// Where in the block it stands.
    public var placement: Placement
    /// Channels between its two layers.
    public var channels: Int
  }

  /// Where it stands, and of which family it is.
  public var address: BlockAddress
  /// Of all groups together.
  public var inputChannels: Int
  /// Of all groups together.
  public var outputChannels: Int
  /// Of every branch with a kernel.
  public var groups: Int
  /// In both directions.
  public var stride: Int
  /// Height and width of the fused kernel.
  public var kernelSize: Int
  /// Nil if the block has none.
  public var squeezeExcitation: SqueezeExcitation?
  /// In the order of a state dict.
  public var branches: [Branch] = []
  /// Layers of the training form that are nothing but a parameter, with their shapes.
  public var factors: [LayerAddress: Shape] = [:]

  /// In the numbering of the family's first project.
  public var path: Name { address.path }

  /// Whether what comes in could be added to what comes out: where families have an identity.
  public var keepsShape: Bool { inputChannels == outputChannels && stride == 1 }

  /// Whether an identity is among its branches, with parameters or without.
  public var hasIdentity: Bool {
    let family = address.family
    return keepsShape
      && (family.keepsWidth
        || family.layers.contains { $0.isModule && $0.name == "identity" }
        || branches.contains { branch in
          let layer = family.layer(named: branch.layer.name)
          return layer?.weightForm == nil && layer?.isAfterOthers == false
        })
  }

  /// The parameters of its branches with their shapes, but for BatchNorm's counters.
  var trainParameters: [Structure.Parameter] {
    let factors = factors.sorted { $0.key < $1.key }.map { layer, shape in
      Structure.Parameter(role: .block(address, ParameterAddress(layer, .value)), shape: shape)
    }
    return factors
      + branches.flatMap { branch in
        let layer = address.family.layer(named: branch.layer.name)!
        let parts = layer.requiredParts + (branch.hasBias ? [.bias] : [])
        return parts.map { part -> Structure.Parameter in
          let shape: Shape =
            switch (part, layer.weightForm) {
            case (.weight, .matrix): [outputChannels, inputChannels]
            case (.weight, _):
              [outputChannels, inputChannels / groups, branch.kernelSize!, branch.kernelSize!]
            default: [outputChannels]
            }
          return Structure.Parameter(
            role: .block(address, ParameterAddress(branch.layer, part)), shape: shape)
        }
      }
  }
}

/// Why a network is not a whole one of a known topology: in words, for people.
public struct Deviation: Error, Equatable, Sendable {
  /// Without a full stop.
  public var reason: String
  /// Whether nothing says that it is meant to be one: its blocks stand in another kind of network.
  public var isForeign: Bool

  package init(reason: String, isForeign: Bool = false) {
    self.reason = reason
    self.isForeign = isForeign
  }
}

extension Structure {
  /// A chain of blocks, each with its activation and perhaps Squeeze-and-Excitation, the mean over what
  /// is left of the image, and a linear classifier.
  init(
    topology: String, chain blocks: [BlockShape], classes: Int, hasAuxiliaryHeads: Bool = false
  ) {
    var builder = NetworkBuilder()
    var value = Graph.input
    for block in blocks { value = builder.add(block, on: value, .relu) }
    builder.classifier(
      (.classifier(.weight), .classifier(.bias)), blocks.last!.outputChannels, classes, of: value)
    self = builder.structure(
      topology: topology, classes: classes, stages: Structure.stages(of: blocks.dropFirst()),
      stemChannels: blocks[0].outputChannels, hasAuxiliaryHeads: hasAuxiliaryHeads)
  }

  /// Blocks at paths that begin alike: `stage3` of `stage3.1` and `stage3_first.blocks.1`.
  private static func stages(of blocks: ArraySlice<BlockShape>) -> [StageShape] {
    var stages: [StageShape] = []
    var last: Name?
    for block in blocks {
      let name = Name(
        Substring(block.path.utf8.prefix { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "_") }))
      if name != last { stages.append(StageShape(depth: 0, channels: 0)) }
      last = name
      stages[stages.count - 1].depth += 1
      stages[stages.count - 1].channels = block.outputChannels
    }
    return stages
  }
}
