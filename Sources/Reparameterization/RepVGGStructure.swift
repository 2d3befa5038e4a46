internal import Checkpoints
public import Graphs
public import Naming
public import Tensors

/// A whole RepVGG, as far as its function goes: what each block is and in which order they stand.
/// Compares equal for equal networks, whatever file they come from.
public struct RepVGGStructure: Equatable, Sendable {
  public struct Layer: Equatable, Sendable {
    /// In the official numbering: `stage1.0`.
    public var path: String
    public var inputChannels: Int
    public var outputChannels: Int
    public var groups: Int
    public var stride: Int
    /// Height and width of the dense and of the fused kernel.
    public var kernelSize: Int
    /// Channels of the inner layer of Squeeze-and-Excitation.
    public var squeezed: Int?

    /// Whether the training form has the identity branch.
    public var hasIdentity: Bool { inputChannels == outputChannels && stride == 1 }
  }

  public var layers: [Layer]
  public var squeezeExcitation: Placement?
  public var classes: Int
  public var isPlus: Bool

  /// The published architecture that this is, if any; the number of classes does not matter.
  public var architecture: Architecture? {
    Architecture.all.first { $0.structure(classes: classes) == self }
  }

  /// `RepVGG-A0`, or `a custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels)`.
  public var description: String {
    if let architecture { return architecture.name }
    let stages = Dictionary(grouping: layers.dropFirst()) {
      $0.path.dropFirst("stage".count).first!
    }
    .sorted { $0.key < $1.key }
    let depths = stages.map { String($0.value.count) }.joined(separator: ",")
    let widths = ([layers[0]] + stages.map { $0.value[0] }).map { String($0.outputChannels) }
      .joined(separator: ",")
    var text = "custom RepVGG\(isPlus ? "plus" : "") (\(depths) blocks; \(widths) channels"
    let groups = Set(layers.map(\.groups)).subtracting([1]).sorted()
    if !groups.isEmpty { text += "; \(groups.map(String.init).joined(separator: "/")) groups" }
    if let squeezeExcitation {
      text += squeezeExcitation == .beforeActivation ? "; SE before ReLU" : "; SE after ReLU"
    }
    return text + ")"
  }
}

// MARK: What a structure consists of

extension RepVGGStructure {
  /// Every parameter of the training form with its shape, in the official order; BatchNorm's counters
  /// and auxiliary heads left out.
  public var trainParameters: [(role: Role, shape: Shape)] {
    parameters { layer in
      var list: [(BlockRole, Shape)] = []
      func batchNorm(_ branch: Branch, _ channels: Int) {
        for field in BatchNormField.allCases where field != .batchesTracked {
          list.append((.batchNorm(branch, field), [channels]))
        }
      }
      let (output, input) = (layer.outputChannels, layer.inputChannels / layer.groups)
      if layer.hasIdentity { batchNorm(.identity, output) }
      list.append((.kernel(.dense), [output, input, layer.kernelSize, layer.kernelSize]))
      batchNorm(.dense, output)
      list.append((.kernel(.pointwise), [output, input, 1, 1]))
      batchNorm(.pointwise, output)
      return list
    }
  }

  /// Every parameter of the deploy form with its shape, in execution order.
  public var deployParameters: [(role: Role, shape: Shape)] {
    parameters { layer in
      [
        (
          .fused(.weight),
          [
            layer.outputChannels, layer.inputChannels / layer.groups, layer.kernelSize,
            layer.kernelSize,
          ]
        ),
        (.fused(.bias), [layer.outputChannels]),
      ]
    }
  }

  private func parameters(
    _ convolutions: (Layer) -> [(BlockRole, Shape)]
  ) -> [(role: Role, shape: Shape)] {
    var list: [(Role, Shape)] = []
    for layer in layers {
      list += convolutions(layer).map { (.block(path: layer.path, $0.0), $0.1) }
      if let placement = squeezeExcitation, let squeezed = layer.squeezed {
        let channels = layer.outputChannels
        list += [
          (.block(path: layer.path, .squeeze(placement, .weight)), [squeezed, channels, 1, 1]),
          (.block(path: layer.path, .squeeze(placement, .bias)), [squeezed]),
          (.block(path: layer.path, .excite(placement, .weight)), [channels, squeezed, 1, 1]),
          (.block(path: layer.path, .excite(placement, .bias)), [channels]),
        ]
      }
    }
    list.append((.classifier(.weight), [classes, layers.last!.outputChannels]))
    list.append((.classifier(.bias), [classes]))
    return list
  }

  /// Trainable parameters of the training form, auxiliary heads left out.
  public var trainParameterCount: Int {
    trainParameters.reduce(0) { $0 + ($1.role.isTrainable ? $1.shape.elementCount : 0) }
  }

  /// Parameters of the deploy form.
  public var deployParameterCount: Int {
    deployParameters.reduce(0) { $0 + $1.shape.elementCount }
  }

  /// The deploy form; operands are indices into `deployParameters`.
  public var graph: Graph {
    var graph = Graph()
    var index: [Role: Int] = [:]
    for (place, parameter) in deployParameters.enumerated() { index[parameter.role] = place }
    func tensor(_ layer: Layer, _ role: BlockRole) -> Int {
      index[.block(path: layer.path, role)]!
    }
    var value = Graph.input
    for layer in layers {
      func appendSqueezeExcitation(_ placement: Placement) {
        guard squeezeExcitation == placement, layer.squeezed != nil else { return }
        var gate = graph.append(.globalAveragePool, value, block: layer.path)
        gate = graph.convolution(
          gate, weight: tensor(layer, .squeeze(placement, .weight)),
          bias: tensor(layer, .squeeze(placement, .bias)), block: layer.path)
        gate = graph.append(.relu, gate, block: layer.path)
        gate = graph.convolution(
          gate, weight: tensor(layer, .excite(placement, .weight)),
          bias: tensor(layer, .excite(placement, .bias)), block: layer.path)
        gate = graph.append(.sigmoid, gate, block: layer.path)
        value = graph.append(.multiply, value, gate, block: layer.path)
      }
      let padding = layer.kernelSize / 2
      value = graph.convolution(
        value, weight: tensor(layer, .fused(.weight)), bias: tensor(layer, .fused(.bias)),
        stride: [layer.stride, layer.stride], padding: [padding, padding], groups: layer.groups,
        block: layer.path)
      appendSqueezeExcitation(.beforeActivation)
      value = graph.append(.relu, value, block: layer.path)
      appendSqueezeExcitation(.afterActivation)
    }
    value = graph.append(.globalAveragePool, value)
    value = graph.append(.flatten, value)
    graph.linear(
      value, weight: index[.classifier(.weight)]!, bias: index[.classifier(.bias)]!)
    return graph
  }
}

extension Role {
  /// Whether an optimiser changes it: all but BatchNorm's running statistics.
  public var isTrainable: Bool {
    switch self {
    case .block(_, .batchNorm(_, let field)), .auxiliary(_, .batchNorm(let field)):
      field == .gamma || field == .beta
    case .other(let name):
      !["running_mean", "running_var", "num_batches_tracked"].contains {
        name == $0 || name.hasSuffix("." + $0)
      }
    default: true
    }
  }
}

// MARK: From a file

extension RepVGGStructure {
  /// Why a network is not a whole RepVGG: in words, for people.
  public struct Deviation: Error, Equatable, Sendable {
    public var reason: String
  }

  /// The structure of `network`, from its paths and shapes alone; strides from whole modules if the
  /// file has them.
  ///
  /// - Throws: `Deviation` if it is not exactly a RepVGG: other tensors beside the blocks, gaps in
  ///   the numbering, channels that do not fit, no classifier, Squeeze-and-Excitation in some blocks
  ///   only.
  public init(of network: Network) throws(Deviation) {
    func deviation(_ reason: String) -> Deviation { Deviation(reason: reason) }
    var byPath: [String: Block] = [:]
    for block in network.blocks { byPath[block.path] = block }
    guard byPath["stage0"] != nil else { throw deviation("there is no block 'stage0'") }
    if let other = network.parameters.first(where: {
      if case .other = $0.role { true } else { false }
    }) {
      throw deviation("'\(other.originalName)' is not part of a RepVGG")
    }
    let isPlus = byPath["stage1.blocks.0"] != nil

    // Blocks in execution order: as many of each stage as are numbered without a gap.
    var order: [(path: String, stride: Int)] = [("stage0", 2)]
    for stage in 1...4 {
      func count(_ prefix: String) -> Int {
        var count = 0
        while byPath["\(prefix)\(count)"] != nil { count += 1 }
        return count
      }
      if isPlus && stage == 3 {
        order += (0..<count("stage3_first.blocks.")).map {
          ("stage3_first.blocks.\($0)", $0 == 0 ? 2 : 1)
        }
        order += (0..<count("stage3_second.blocks.")).map { ("stage3_second.blocks.\($0)", 1) }
      } else {
        let prefix = isPlus ? "stage\(stage).blocks." : "stage\(stage)."
        order += StagePath.paths(ofStage: stage, depth: count(prefix), isPlus: isPlus && stage != 3)
      }
      guard order.last!.path.hasPrefix("stage\(stage)") else {
        throw deviation("stage \(stage) has no first block")
      }
    }
    if let stray = network.blocks.first(where: { block in !order.contains { $0.path == block.path }
    }) {
      throw deviation("block '\(stray.path)' is not where a RepVGG has one")
    }

    var layers: [Layer] = []
    var channels = 3
    var placement: Placement?
    for (path, stride) in order {
      let block = byPath[path]!
      guard let parameter = block[.kernel(.dense)] ?? block[.fused(.weight)] else {
        throw deviation("block '\(path)' has no kernel")
      }
      let shape = parameter.tensor.shape
      guard shape[1] > 0, channels % shape[1] == 0, shape[0] % (channels / shape[1]) == 0,
        shape[2] == shape[3], shape[2] % 2 == 1
      else {
        throw deviation("the kernel of '\(path)' is \(shape), after \(channels) channels")
      }
      var layer = Layer(
        path: path, inputChannels: channels, outputChannels: shape[0], groups: channels / shape[1],
        stride: stride, kernelSize: shape[2], squeezed: nil)
      if let module = network.module(of: parameter) {
        guard module.stride.map({ $0[0] == $0[$0.count - 1] }) ?? true,
          module.dilation.map({ $0.allSatisfy { $0 == 1 } }) ?? true,
          module.padding.map({ $0.allSatisfy { $0 == layer.kernelSize / 2 } }) ?? true
        else {
          throw deviation("the convolution of '\(path)' has unusual stride, padding or dilation")
        }
        layer.stride = module.stride?.first ?? stride
      }
      if block.hasBranches {
        let found = block[.batchNorm(.identity, .gamma)] != nil
        guard found == layer.hasIdentity else {
          throw deviation(
            "block '\(path)' \(found ? "has" : "lacks") an identity branch, with \(channels) channels "
              + "in, \(shape[0]) out and stride \(layer.stride)")
        }
      }
      for candidate in Placement.allCases {
        if let squeeze = block[.squeeze(candidate, .weight)] {
          guard layer.squeezed == nil, placement == nil || placement == candidate else {
            throw deviation("Squeeze-and-Excitation stands at different places")
          }
          placement = candidate
          layer.squeezed = squeeze.tensor.shape[0]
        }
      }
      layers.append(layer)
      channels = shape[0]
    }
    if placement != nil, let bare = layers.first(where: { $0.squeezed == nil }) {
      throw deviation("block '\(bare.path)' lacks the Squeeze-and-Excitation that others have")
    }
    guard let weight = network[.classifier(.weight)]?.tensor.shape, weight[1] == channels,
      network[.classifier(.bias)]?.tensor.shape == [weight[0]]
    else {
      throw deviation("there is no classifier after \(channels) channels")
    }
    self.init(
      layers: layers, squeezeExcitation: placement, classes: weight[0], isPlus: isPlus)

    // Squeeze-and-Excitation has the only shapes not checked above or when fusing.
    for (role, shape) in deployParameters {
      guard case .block(_, let blockRole) = role else { continue }
      switch blockRole {
      case .squeeze, .excite:
        guard network[role]?.tensor.shape == shape else {
          throw deviation(
            "'\(network.dialect.label(of: role))' is "
              + "\(network[role]?.tensor.shape.description ?? "missing"), not \(shape)")
        }
      default: break
      }
    }
  }
}
