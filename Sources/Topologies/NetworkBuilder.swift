internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

/// Puts a network together layer by layer, as its authors' code does: the graph of the deploy form, and
/// the parameters of both forms.
struct NetworkBuilder {
  private(set) var graph = Graph()
  private var blocks: [BlockShape] = []
  private var (deploy, train): ([Structure.Parameter], [Structure.Parameter]) = ([], [])

  /// Adds a parameter of the deploy form.
  ///
  /// - Parameter isShared: whether the training form has it too.
  /// - Returns: what a node calls it.
  mutating func operand(_ role: Role, _ shape: Shape, isShared: Bool = true) -> Int {
    deploy.append(Structure.Parameter(role: role, shape: shape))
    if isShared { train.append(deploy.last!) }
    return deploy.count - 1
  }

  /// Appends a node without parameters; the graph's value of the result.
  mutating func append(_ kind: NodeKind, _ inputs: Int..., block: Name? = nil) -> Int {
    graph.append(Graph.Node(kind, inputs: inputs, block: block))
  }

  /// A re-parameterizable block, or a convolution and its BatchNorm.
  ///
  /// - Parameter label: what the graph calls the block it belongs to.
  mutating func block(_ shape: BlockShape, of value: Int, label: Name? = nil) -> Int {
    blocks.append(shape)
    train += shape.trainParameters
    let isMatrix = shape.address.family.hasMatrices
    let weight = operand(
      .block(shape.address, .fused(.weight)),
      isMatrix
        ? [shape.outputChannels, shape.inputChannels]
        : [
          shape.outputChannels, shape.inputChannels / shape.groups, shape.kernelSize,
          shape.kernelSize,
        ], isShared: false)
    let bias = operand(
      .block(shape.address, .fused(.bias)), [shape.outputChannels], isShared: false)
    if isMatrix {
      return graph.linear(value, weight: weight, bias: bias, block: label ?? shape.path)
    }
    return graph.convolution(
      value, weight: weight, bias: bias,
      stride: [shape.stride, shape.stride],
      padding: [shape.kernelSize / 2, shape.kernelSize / 2], groups: shape.groups,
      block: label ?? shape.path)
  }

  /// A block with its Squeeze-and-Excitation and activation.
  ///
  /// - Parameter activation: nil if nothing follows the sum of the branches.
  mutating func add(_ shape: BlockShape, on input: Int, _ activation: NodeKind?) -> Int {
    let path = shape.path
    var value = block(shape, of: input)
    let squeeze = shape.squeezeExcitation
    if squeeze?.placement != .beforeActivation, let activation {
      value = append(activation, value, block: path)
    }
    if let squeeze {
      value = squeezeExcitation(
        shape.outputChannels, inner: squeeze.channels, of: value, label: path
      ) { isSqueeze, part in
        let layer: LayerAddress =
          isSqueeze ? .squeeze(squeeze.placement) : .excite(squeeze.placement)
        return .block(shape.address, ParameterAddress(layer, part))
      }
    }
    if squeeze?.placement == .beforeActivation, let activation {
      value = append(activation, value, block: path)
    }
    return value
  }

  /// A block with the branches that a file has, whatever they are: whether they fit each other is seen when
  /// they are fused.
  ///
  /// - Parameter channels: that go in.
  /// - Returns: the result, and how many channels come out.
  /// - Throws: `Deviation` if its kernel does not fit.
  mutating func block(
    _ block: Block, after channels: Int, stride: Int, of value: Int
  ) throws(Deviation) -> (value: Int, channels: Int) {
    guard let kernel = block.mainKernel?.tensor.shape, kernel[1] > 0,
      channels.isMultiple(of: kernel[1]), kernel[0].isMultiple(of: channels / kernel[1]),
      kernel[2] == kernel[3], kernel[2] % 2 == 1
    else {
      throw Deviation(reason: "the kernel of '\(block.path)' does not fit \(channels) channels")
    }
    train += block.parameters.filter { address, _ in
      block.family.isOwn(address.layer) && address.part != .batchesTracked
    }.map { Structure.Parameter(role: .block(block.address, $0), shape: $1.tensor.shape) }
    let shape = BlockShape(
      address: block.address, inputChannels: channels, outputChannels: kernel[0],
      groups: channels / kernel[1], stride: stride, kernelSize: kernel[2])
    return (self.block(shape, of: value), kernel[0])
  }

  /// The mean or the largest number of a square.
  mutating func pool(
    _ kind: NodeKind, _ value: Int, kernelSize: Int, stride: Int, padding: Int, block: Name
  ) -> Int {
    graph.pool(
      kind, value, kernel: [kernelSize, kernelSize], stride: [stride, stride],
      padding: [padding, padding], block: block)
  }

  /// A convolution with BatchNorm that the project's deploy code folds.
  mutating func convolutionBatchNorm(
    _ path: Name, _ inputs: Int, _ outputs: Int, kernelSize: Int = 1, stride: Int = 1,
    groups: Int = 1, of value: Int, label: Name? = nil
  ) -> Int {
    block(
      BlockShape(
        address: BlockAddress(.convolutionBatchNorm, path), inputChannels: inputs,
        outputChannels: outputs, groups: groups, stride: stride, kernelSize: kernelSize,
        branches: [.init(layer: "conv", kernelSize: kernelSize)]), of: value, label: label)
  }

  /// A convolution that is no block, under a name of its own.
  mutating func convolution(
    _ path: Name, _ inputs: Int, _ outputs: Int, kernelSize: Int = 1, stride: Int = 1,
    groups: Int = 1, hasBias: Bool = false, of value: Int, label: Name? = nil
  ) -> Int {
    graph.convolution(
      value,
      weight: operand(
        .other(name: "\(path).weight"), [outputs, inputs / groups, kernelSize, kernelSize]),
      bias: hasBias ? operand(.other(name: "\(path).bias"), [outputs]) : nil,
      stride: [stride, stride], padding: [kernelSize / 2, kernelSize / 2],
      groups: groups, block: label)
  }

  /// A BatchNorm that deploy form has as it is.
  mutating func batchNorm(
    _ path: Name, _ channels: Int, epsilon: Double, of value: Int, label: Name? = nil
  ) -> Int {
    func vector(_ name: Name) -> Int { operand(.other(name: "\(path).\(name)"), [channels]) }
    return graph.batchNorm(
      value, gamma: vector("weight"), beta: vector("bias"), mean: vector("running_mean"),
      variance: vector("running_var"), epsilon: epsilon, block: label)
  }

  /// A LayerNorm over the channels.
  mutating func layerNorm(
    _ path: Name, _ channels: Int, epsilon: Double, of value: Int, label: Name? = nil
  ) -> Int {
    func vector(_ name: Name) -> Int { operand(.other(name: "\(path).\(name)"), [channels]) }
    return graph.normalization(
      .layerNorm, value, gamma: vector("weight"), beta: vector("bias"), epsilon: epsilon,
      block: label)
  }

  /// A Global Response Normalization that only has factors.
  ///
  /// - Parameter gamma: the name of the factors.
  mutating func responseNorm(
    gamma: Name, _ channels: Int, epsilon: Double, of value: Int, label: Name? = nil
  ) -> Int {
    graph.normalization(
      .globalResponseNorm, value, gamma: operand(.other(name: gamma), [channels]), beta: nil,
      epsilon: epsilon, block: label)
  }

  /// A linear layer at each position, under a name of its own.
  mutating func linear(
    _ path: Name, _ inputs: Int, _ outputs: Int, hasBias: Bool = true, of value: Int,
    label: Name? = nil
  ) -> Int {
    graph.linear(
      value, weight: operand(.other(name: "\(path).weight"), [outputs, inputs]),
      bias: hasBias ? operand(.other(name: "\(path).bias"), [outputs]) : nil, block: label)
  }

  /// Attention of every position to all.
  mutating func attention(_ value: Int, heads: Int, block: Name) -> Int {
    graph.append(.attention, value, attributes: [[heads]], block: block)
  }

  /// A 1x1 convolution with a bias that is no block's.
  ///
  /// - Parameter name: of its weight and bias, less the last part.
  mutating func pointwise(
    _ name: Name, _ input: Int, _ output: Int, on value: Int, block: Name
  ) -> Int {
    pointwise(
      (.other(name: name + ".weight"), .other(name: name + ".bias")), input, output, of: value,
      label: block)
  }

  /// Factors for each channel.
  ///
  /// - Parameter name: of the factors.
  mutating func scale(_ name: Name, _ channels: Int, on value: Int, block: Name) -> Int {
    graph.append(
      .scale, value, operands: [operand(.other(name: name), [channels]), nil], block: block)
  }

  /// A pointwise convolution with a bias and nothing else, under a name of its own.
  private mutating func pointwise(
    _ roles: (weight: Role, bias: Role), _ inputs: Int, _ outputs: Int, of value: Int,
    label: Name?
  ) -> Int {
    graph.convolution(
      value, weight: operand(roles.weight, [outputs, inputs, 1, 1]),
      bias: operand(roles.bias, [outputs]), block: label)
  }

  /// Squeeze-and-Excitation: every channel times a factor between 0 and 1 that the means of all channels
  /// give.
  ///
  /// - Parameters:
  ///   - role: of the weights and biases of its two layers.
  ///   - inner: channels between them.
  mutating func squeezeExcitation(
    _ channels: Int, inner: Int, of value: Int, label: Name?,
    role: (_ isSqueeze: Bool, Part) -> Role
  ) -> Int {
    let means = append(.globalAveragePool, value, block: label)
    let squeezed = pointwise(
      (role(true, .weight), role(true, .bias)), channels, inner, of: means, label: label)
    let rectified = append(.relu, squeezed, block: label)
    let excited = pointwise(
      (role(false, .weight), role(false, .bias)), inner, channels, of: rectified, label: label)
    let factors = append(.sigmoid, excited, block: label)
    return append(.multiply, value, factors, block: label)
  }

  /// The mean over what is left of the image, and a linear layer.
  ///
  /// - Parameter train: what the training form has in its place; nil if it is the same.
  mutating func classifier(
    _ roles: (weight: Role, bias: Role), _ channels: Int, _ classes: Int, of value: Int,
    train parameters: [Structure.Parameter]? = nil
  ) {
    let means = append(.flatten, append(.globalAveragePool, value))
    graph.linear(
      means, weight: operand(roles.weight, [classes, channels], isShared: parameters == nil),
      bias: operand(roles.bias, [classes], isShared: parameters == nil))
    train += parameters ?? []
  }

  /// The whole network.
  ///
  /// - Parameter stages: how many of the blocks belong to each stage, in order, after those of the stem.
  func structure(
    topology: String, classes: Int, stages: [StageShape], stemChannels: Int,
    hasAuxiliaryHeads: Bool = false
  ) -> Structure {
    Structure(
      topology: topology, blocks: blocks, classes: classes, graph: graph, deployParameters: deploy,
      trainParameters: train, hasAuxiliaryHeads: hasAuxiliaryHeads, stages: stages,
      stemChannels: stemChannels)
  }
}
