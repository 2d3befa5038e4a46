internal import Blocks
public import Graphs
public import Naming
internal import Tensors
public import Topologies

/// A network in training form as a graph of operations: in the place of each block's convolution what its
/// tree of branches computes, every layer by itself, BatchNorms with their running statistics.
public struct TrainingForm {
  /// Operands are indices into `tensors`.
  public private(set) var graph = Graph()
  /// In the order in which the graph takes them. What is a parameter of the file has its role, what is not,
  /// a name after its block.
  public private(set) var tensors: [DeployTensor] = []
  /// The BatchNorm epsilons used, each once, ascending.
  public var epsilons: [Double] {
    Set(graph.nodes.filter { $0.kind == .batchNorm }.compactMap(\.epsilon)).sorted()
  }

  private var places: [Role: Int] = [:]

  /// - Parameters:
  ///   - structure: of `network`.
  ///   - epsilon: BatchNorm's, for files that do not say it; by default the dialect's.
  /// - Throws: `Deviation` if a block is no graph of operations; `FusionError`, `ReadError`.
  public init(of network: Network, _ structure: Structure, epsilon: Double? = nil) throws {
    var values = [Graph.input]
    for node in structure.graph.nodes {
      var node = node
      node.inputs = node.inputs.map { values[$0] }
      let roles = node.operands.map { $0.map { structure.deployParameters[$0].role } }
      if case .block(let address, .fused(.weight))? = roles.first ?? nil,
        let block = network.block(at: address.path), block.hasBranches
      {
        let fused = try FusedBlock(
          block, of: network, epsilon: epsilon ?? network.dialect.epsilon)
        var expansion = Expansion(of: block, node, self)
        let shape = structure.deployParameters[node.operands[0]!].shape
        let result = try expansion.append(
          fused.branch, to: node.inputs[0], channels: shape[1] * expansion.groups,
          expansion.window)
        self = expansion.form
        values.append(result.value)
        continue
      }
      node.operands = try roles.map { role in
        guard let role else { return nil }
        guard let parameter = network[role] else {
          throw Deviation(reason: "'\(network.dialect.label(of: role))' is missing")
        }
        return operand(DeployTensor(parameter.tensor, role: role))
      }
      values.append(graph.append(node))
    }
  }

  /// The place of a tensor, which is new or there already.
  fileprivate mutating func operand(_ tensor: DeployTensor) -> Int {
    if let place = places[tensor.role] { return place }
    places[tensor.role] = tensors.count
    tensors.append(tensor)
    return tensors.count - 1
  }

  fileprivate func has(_ role: Role) -> Bool { places[role] != nil }

  fileprivate mutating func append(_ node: Graph.Node) -> Int { graph.append(node) }
}

/// A block on its way into the graph.
private struct Expansion {
  var form: TrainingForm
  let block: Block
  /// The convolution or linear layer whose place its branches take.
  let node: Graph.Node

  init(of block: Block, _ node: Graph.Node, _ form: TrainingForm) {
    self.form = form
    self.block = block
    self.node = node
  }

  /// How a part moves over what comes in.
  struct Window {
    var stride = [1, 1]
    var padding = [0, 0]
    var dilation = 1
  }

  private var isLinear: Bool { node.kind == .linear }

  var groups: Int { isLinear ? 1 : node.attribute("groups")[0] }

  var window: Window {
    isLinear
      ? Window()
      : Window(stride: node.attribute("stride"), padding: node.attribute("padding"))
  }

  /// Appends the nodes of a branch.
  ///
  /// - Parameters:
  ///   - value: what the branch takes, of so many `channels`.
  ///   - layer: that it is in.
  /// - Returns: its value, and the channels of that.
  mutating func append(
    _ branch: Branch, to value: Int, channels: Int, _ window: Window, in layer: LayerAddress? = nil
  ) throws -> (value: Int, channels: Int) {
    switch branch {
    case .convolution(let weight, let bias):
      let result = try convolution(
        weight, bias, of: value, channels: channels, window, in: layer)
      return (result, weight.shape[0])
    case .separable(let depthwise, let pointwise):
      let between = try convolution(
        depthwise, nil, of: value, channels: channels, window, in: layer)
      let result = try convolution(
        pointwise, nil, of: between, channels: depthwise.shape[0], Window(), in: layer)
      return (result, pointwise.shape[0])
    case .identity:
      return (try identity(of: value, channels: channels, window), channels)
    case .average(let size):
      guard window.padding.allSatisfy({ 0..<size ~= $0 }) else { throw cropped }
      let node = Graph.Node(
        .averagePool, inputs: [value],
        attributes: [[size, size], window.stride, window.padding], block: node.block)
      return (form.append(node), channels)
    case .unrolled:
      throw Deviation(
        reason: "block '\(block.path)' works on maps that are cut out of the image's")
    case .layer(let address, let branch):
      return try append(branch, to: value, channels: channels, window, in: address)
    case .dilated(let branch, let rate):
      var window = window
      window.dilation *= rate
      return try append(branch, to: value, channels: channels, window, in: layer)
    case .batchNorm(let branch, let norm):
      let inner = try append(branch, to: value, channels: channels, window, in: layer)
      let vectors = [
        (norm.gamma, Part.gamma), (norm.beta, .beta), (norm.runningMean, .runningMean),
        (norm.runningVariance, .runningVariance),
      ]
      let operands = try vectors.map { numbers, part in
        try self.operand(of: numbers, part, in: layer)
      }
      let node = Graph.Node(
        .batchNorm, inputs: [inner.value], operands: operands, epsilon: norm.epsilon,
        block: node.block)
      return (form.append(node), inner.channels)
    case .scaled(let branch, let factors):
      let inner = try append(branch, to: value, channels: channels, window, in: layer)
      let result = scale(inner.value, by: operand(vector: factors, "factor", in: layer))
      return (result, inner.channels)
    case .shifted(let branch, let shifts):
      let inner = try append(branch, to: value, channels: channels, window, in: layer)
      let one = try operand(constant: 1, count: 1, [1], "one")
      let shift = operand(vector: shifts, "shift", in: layer)
      return (scale(inner.value, by: one, adding: shift), inner.channels)
    case .then(let first, let second):
      // The first over the image and its border of zeros: so the second sees its bias beyond the edge.
      let inner = try append(
        first, to: value, channels: channels,
        Window(padding: window.padding, dilation: window.dilation), in: layer)
      return try append(
        second, to: inner.value, channels: inner.channels,
        Window(stride: window.stride, dilation: window.dilation), in: layer)
    case .sum(let branches):
      let whole = branch.size(dilation: window.dilation)
      let parts = try branches.map { part in
        // In the middle of the largest.
        let size = part.size(dilation: window.dilation)
        var window = window
        window.padding[0] -= (whole.height - size.height) / 2
        window.padding[1] -= (whole.width - size.width) / 2
        return try append(part, to: value, channels: channels, window, in: layer)
      }
      let sum = parts.dropFirst().reduce(parts[0].value) { sum, part in
        form.append(Graph.Node(.add, inputs: [sum, part.value], block: node.block))
      }
      return (sum, parts[0].channels)
    }
  }

  private mutating func scale(_ value: Int, by factor: Int, adding shift: Int? = nil) -> Int {
    form.append(
      Graph.Node(.scale, inputs: [value], operands: [factor, shift], block: node.block))
  }

  /// What comes in, at the places where the window is.
  private mutating func identity(
    of value: Int, channels: Int, _ window: Window
  ) throws -> Int {
    if window.stride == [1, 1], window.padding == [0, 0] { return value }
    // Zeros around the image, or some of its pixels: a kernel of one 1 for each channel.
    let ones = try operand(constant: 1, count: channels, [channels, 1, 1, 1], "ones")
    return try convolution(ones, nil, of: value, groups: channels, window)
  }

  private mutating func convolution(
    _ weight: Tensor, _ bias: Tensor?, of value: Int, channels: Int, _ window: Window,
    in layer: LayerAddress?
  ) throws -> Int {
    guard weight.shape[1] > 0 else { throw cropped }
    let kernel = operand(
      weight, shape: isLinear ? Shape(Array(weight.shape.dimensions.prefix(2))) : weight.shape,
      "weight", in: layer)
    return try convolution(
      kernel, bias.map { operand(vector: $0, "bias", in: layer) }, of: value,
      groups: channels / weight.shape[1], window)
  }

  private mutating func convolution(
    _ weight: Int, _ bias: Int?, of value: Int, groups: Int, _ window: Window
  ) throws -> Int {
    guard window.padding.allSatisfy({ $0 >= 0 }) else { throw cropped }
    if isLinear {
      return form.append(
        Graph.Node(.linear, inputs: [value], operands: [weight, bias], block: node.block))
    }
    return form.append(
      Graph.Node(
        .convolution, inputs: [value], operands: [weight, bias],
        attributes: [
          window.stride, window.padding, [window.dilation, window.dilation], [groups],
        ], block: node.block))
  }

  private var cropped: Deviation {
    Deviation(reason: "a branch of block '\(block.path)' sees less than the whole image")
  }

  // MARK: Tensors

  /// A tensor of the tree: under the role of the parameter that it is, else under a name of its own.
  private mutating func operand(
    _ tensor: Tensor, shape: Shape, _ what: String, in layer: LayerAddress?
  ) -> Int {
    let own = block.parameters.filter {
      let other = $1.tensor
      return other.source === tensor.source && other.byteOffset == tensor.byteOffset
        && other.shape.elementCount == tensor.shape.elementCount
    }.keys.min { ($0.layer, $0.part.rawValue) < ($1.layer, $1.part.rawValue) }
    let role = own.map { Role.block(block.address, $0) } ?? name(what, in: layer)
    return form.operand(
      DeployTensor(role: role, shape: shape, contents: .numbers(tensor.reshaped(to: shape))))
  }

  private mutating func operand(
    vector tensor: Tensor, _ what: String, in layer: LayerAddress?
  ) -> Int {
    operand(tensor, shape: [tensor.shape.elementCount], what, in: layer)
  }

  /// A vector of a BatchNorm.
  private mutating func operand(
    of numbers: [Double], _ part: Part, in layer: LayerAddress?
  ) throws -> Int {
    var role = name(part.rawValue, in: layer)
    if let layer {
      let own = ParameterAddress(layer, part)
      let isFree = !form.has(.block(block.address, own))
      if isFree, block[own]?.tensor.shape.elementCount == numbers.count {
        role = .block(block.address, own)
      }
    }
    let tensor = try Tensor(float64: numbers, shape: [numbers.count], name: Name(part.rawValue))
    return form.operand(
      DeployTensor(role: role, shape: tensor.shape, contents: .numbers(tensor)))
  }

  /// The same number for all channels; one tensor for the block.
  private mutating func operand(
    constant number: Double, count: Int, _ shape: Shape, _ what: String
  ) throws -> Int {
    let tensor = try Tensor(
      float64: [Double](repeating: number, count: count), shape: shape, name: Name(what))
    return form.operand(
      DeployTensor(
        role: .other(name: "\(block.path).\(what).\(count)"), shape: shape,
        contents: .numbers(tensor)))
  }

  /// A name that no tensor has.
  private func name(_ what: String, in layer: LayerAddress?) -> Role {
    let name = ([block.path] + (layer.map { [Name($0.description)] } ?? []) + [Name(what)])
      .joined(separator: ".")
    var role = Role.other(name: name)
    var number = 1
    while form.has(role) {
      number += 1
      role = .other(name: "\(name).\(number)")
    }
    return role
  }
}
