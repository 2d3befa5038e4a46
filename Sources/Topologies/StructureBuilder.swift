internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

/// Puts a network together: its graph, and the parameters of both forms in the order they are used.
struct StructureBuilder {
  private(set) var graph = Graph()
  private(set) var blocks: [BlockShape] = []
  private(set) var deployParameters: [Structure.Parameter] = []
  private(set) var trainParameters: [Structure.Parameter] = []

  /// Adds a parameter of the deploy form, and returns its index.
  ///
  /// - Parameter isShared: whether the training form has it, too.
  private mutating func operand(_ role: Role, _ shape: Shape, isShared: Bool = true) -> Int {
    deployParameters.append(Structure.Parameter(role: role, shape: shape))
    if isShared { trainParameters.append(deployParameters.last!) }
    return deployParameters.count - 1
  }

  /// Adds a block: its convolution, Squeeze-and-Excitation and activation.
  ///
  /// - Parameter activation: nil if nothing follows the sum of the branches.
  /// - Returns: its value.
  mutating func add(_ block: BlockShape, on value: Int, _ activation: NodeKind?) -> Int {
    let (path, channels) = (block.path, block.outputChannels)
    blocks.append(block)
    trainParameters += block.trainParameters
    var value = graph.convolution(
      value,
      weight: operand(
        .block(block.address, .fused(.weight)),
        [channels, block.inputChannels / block.groups, block.kernelSize, block.kernelSize],
        isShared: false),
      bias: operand(.block(block.address, .fused(.bias)), [channels], isShared: false),
      stride: [block.stride, block.stride],
      padding: [block.kernelSize / 2, block.kernelSize / 2], groups: block.groups, block: path)
    let placement = block.squeezeExcitation?.placement
    if placement != .beforeActivation { value = activate(value, activation, path) }
    if let squeeze = block.squeezeExcitation {
      let means = graph.append(.globalAveragePool, value, block: path)
      let squeezed = layer(
        .squeeze(squeeze.placement), of: block, channels, squeeze.channels, on: means)
      let excited = layer(
        .excite(squeeze.placement), of: block, squeeze.channels, channels,
        on: graph.append(.relu, squeezed, block: path))
      value = graph.append(
        .multiply, value, graph.append(.sigmoid, excited, block: path), block: path)
    }
    if placement == .beforeActivation { value = activate(value, activation, path) }
    return value
  }

  private mutating func activate(_ value: Int, _ activation: NodeKind?, _ path: String) -> Int {
    activation.map { graph.append($0, value, block: path) } ?? value
  }

  /// Adds a layer of Squeeze-and-Excitation.
  private mutating func layer(
    _ layer: LayerAddress, of block: BlockShape, _ input: Int, _ output: Int, on value: Int
  ) -> Int {
    graph.convolution(
      value,
      weight: operand(
        .block(block.address, ParameterAddress(layer, .weight)), [output, input, 1, 1]),
      bias: operand(.block(block.address, ParameterAddress(layer, .bias)), [output]),
      block: block.path)
  }

  /// Adds a 1x1 convolution that is no block's.
  ///
  /// - Parameter name: of its weight and bias, less the last part.
  mutating func pointwise(
    _ name: String, _ input: Int, _ output: Int, on value: Int, block: String
  ) -> Int {
    graph.convolution(
      value, weight: operand(.other(name: name + ".weight"), [output, input, 1, 1]),
      bias: operand(.other(name: name + ".bias"), [output]), block: block)
  }

  /// Adds factors for each channel.
  ///
  /// - Parameter name: of the factors.
  mutating func scale(_ name: String, _ channels: Int, on value: Int, block: String) -> Int {
    graph.append(
      .scale, value, operands: [operand(.other(name: name), [channels]), nil], block: block)
  }

  /// Adds a node without parameters.
  mutating func append(_ kind: NodeKind, _ inputs: Int..., block: String) -> Int {
    graph.append(Graph.Node(kind, inputs: inputs, block: block))
  }

  /// Adds the mean over what is left of the image, and the classifier.
  mutating func classify(_ value: Int, classes: Int) {
    let features = blocks.last!.outputChannels
    graph.linear(
      graph.append(.flatten, graph.append(.globalAveragePool, value)),
      weight: operand(.classifier(.weight), [classes, features]),
      bias: operand(.classifier(.bias), [classes]))
  }

  /// The whole network.
  ///
  /// - Parameter stages: those of its blocks that make up stages.
  func structure(
    topology: String, stages: [[BlockShape]], classes: Int, hasAuxiliaryHeads: Bool = false
  ) -> Structure {
    Structure(
      topology: topology, blocks: blocks, stages: stages, classes: classes, graph: graph,
      deployParameters: deployParameters, trainParameters: trainParameters,
      hasAuxiliaryHeads: hasAuxiliaryHeads)
  }
}
