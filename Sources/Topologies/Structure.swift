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

  /// Trainable parameters of the training form, auxiliary heads left out.
  public var trainParameterCount: Int {
    trainParameters.reduce(0) { $0 + ($1.role.isTrainable ? $1.shape.elementCount : 0) }
  }

  /// Parameters of the deploy form.
  public var deployParameterCount: Int {
    deployParameters.reduce(0) { $0 + $1.shape.elementCount }
  }

  /// The published architecture that this is, if any; the number of classes does not matter, nor that of
  /// like branches in training.
  public var architecture: Architecture? {
    Architecture.all.first { architecture in
      let other = architecture.structure(classes: classes)
      return other.topology == topology && other.graph == graph
        && other.deployParameters == deployParameters
    }
  }

  /// The blocks behind the first, by stages.
  public var stages: [[BlockShape]] {
    var stages: [[BlockShape]] = []
    for block in blocks.dropFirst() {
      // `stage3` of `stage3.1` and `stage3_first.blocks.1`.
      let name = { (block: BlockShape) in block.path.prefix { $0 != "." && $0 != "_" } }
      if let last = stages.last?.last, name(last) == name(block) {
        stages[stages.count - 1].append(block)
      } else {
        stages.append([block])
      }
    }
    return stages
  }

  /// `RepVGG-A0`, or `a custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels)`.
  public var description: String {
    architecture?.name ?? Topology.named(topology)!.describe(self)
  }
}

/// What one block of a network is.
public struct BlockShape: Equatable, Sendable {
  /// A layer of the training form that runs beside others.
  public struct Branch: Equatable, Sendable {
    /// The layer of the family.
    public var layer: LayerAddress
    /// Height and width of its kernel; nil for BatchNorm alone.
    public var kernelSize: Int?
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

  /// In the numbering of the family's first project.
  public var path: String { address.path }

  /// Whether what comes in could be added to what comes out: where families have an identity.
  public var keepsShape: Bool { inputChannels == outputChannels && stride == 1 }

  /// The parameters of its branches with their shapes, but for BatchNorm's counters.
  var trainParameters: [Structure.Parameter] {
    branches.flatMap { branch in
      // A bias is there or not.
      let parts = address.family.layer(named: branch.layer.name)!.requiredParts
      return parts.map { part -> Structure.Parameter in
        let shape: Shape =
          part == .weight
          ? [outputChannels, inputChannels / groups, branch.kernelSize!, branch.kernelSize!]
          : [outputChannels]
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
}

extension Structure {
  /// A chain of blocks, each with its activation and perhaps Squeeze-and-Excitation, the mean over what
  /// is left of the image, and a linear classifier.
  init(
    topology: String, chain blocks: [BlockShape], classes: Int, hasAuxiliaryHeads: Bool = false
  ) {
    var graph = Graph()
    var (deploy, train): ([Parameter], [Parameter]) = ([], [])
    /// Adds a parameter of the deploy form, and returns its index.
    func operand(_ role: Role, _ shape: Shape, isShared: Bool = true) -> Int {
      deploy.append(Parameter(role: role, shape: shape))
      if isShared { train.append(deploy.last!) }
      return deploy.count - 1
    }
    var value = Graph.input
    for block in blocks {
      let (path, channels) = (block.path, block.outputChannels)
      train += block.trainParameters
      value = graph.convolution(
        value,
        weight: operand(
          .block(block.address, .fused(.weight)),
          [channels, block.inputChannels / block.groups, block.kernelSize, block.kernelSize],
          isShared: false),
        bias: operand(.block(block.address, .fused(.bias)), [channels], isShared: false),
        stride: [block.stride, block.stride],
        padding: [block.kernelSize / 2, block.kernelSize / 2], groups: block.groups, block: path)
      let placement = block.squeezeExcitation?.placement
      if placement != .beforeActivation { value = graph.append(.relu, value, block: path) }
      if let squeeze = block.squeezeExcitation {
        func layer(_ layer: LayerAddress, _ input: Int, _ output: Int, of value: Int) -> Int {
          graph.convolution(
            value,
            weight: operand(
              .block(block.address, ParameterAddress(layer, .weight)), [output, input, 1, 1]),
            bias: operand(.block(block.address, ParameterAddress(layer, .bias)), [output]),
            block: path)
        }
        let means = graph.append(.globalAveragePool, value, block: path)
        let squeezed = layer(
          .squeeze(squeeze.placement), channels, squeeze.channels, of: means)
        let excited = layer(
          .excite(squeeze.placement), squeeze.channels, channels,
          of: graph.append(.relu, squeezed, block: path))
        value = graph.append(
          .multiply, value, graph.append(.sigmoid, excited, block: path), block: path)
      }
      if placement == .beforeActivation { value = graph.append(.relu, value, block: path) }
    }
    let features = blocks.last!.outputChannels
    graph.linear(
      graph.append(.flatten, graph.append(.globalAveragePool, value)),
      weight: operand(.classifier(.weight), [classes, features]),
      bias: operand(.classifier(.bias), [classes]))
    self.init(
      topology: topology, blocks: blocks, classes: classes, graph: graph, deployParameters: deploy,
      trainParameters: train, hasAuxiliaryHeads: hasAuxiliaryHeads)
  }
}
