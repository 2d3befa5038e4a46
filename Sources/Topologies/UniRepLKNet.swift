internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// UniRepLKNet: stages of blocks with a large or a small depthwise kernel, Squeeze-and-Excitation and two
  /// linear layers each, beside an identity, a strided convolution and LayerNorm before every stage
  /// (arXiv:2311.15599, figure 3; unireplknet.py of github.com/AILab-CVC/UniRepLKNet).
  static let uniRepLKNet = Topology(
    name: "UniRepLKNet", family: .uniRepLKNet,
    structure: { (network, _) throws(Deviation) in
      let sizes = try UniRepLKNetSizes(of: network)
      let structure = sizes.structure(
        classes: try network.classes(by: [UniRepLKNetSizes.head(.weight)]))
      try structure.require(of: network)
      return structure
    },
    architectures: [
      named("UniRepLKNet-A", [2, 2, 6, 2], width: 40, largeEvery: 1),
      named("UniRepLKNet-F", [2, 2, 6, 2], width: 48, largeEvery: 1),
      named("UniRepLKNet-P", [2, 2, 6, 2], width: 64, largeEvery: 1),
      named("UniRepLKNet-N", [2, 2, 8, 2], width: 80, largeEvery: 1),
      named("UniRepLKNet-T", [3, 3, 18, 3], width: 80, largeEvery: 2),
      named("UniRepLKNet-S", [3, 3, 27, 3], width: 96, largeEvery: 3),
      named("UniRepLKNet-B", [3, 3, 27, 3], width: 128, largeEvery: 3),
      named("UniRepLKNet-L", [3, 3, 27, 3], width: 192, largeEvery: 3),
      named("UniRepLKNet-XL", [3, 3, 27, 3], width: 256, largeEvery: 3),
    ],
    describe: { structure in
      describeChain(
        "UniRepLKNet", unit: "blocks", structure, depths: structure.stages.map(\.depth))
    }, classifiers: [UniRepLKNetSizes.head(.weight)])

  /// - Parameters:
  ///   - width: channels of the first stage; each of the others has twice those before it.
  ///   - every: of how many blocks in the third stage the first has a large kernel. The first stage has
  ///     only small ones, the second and fourth only large ones.
  private static func named(
    _ name: String, _ depths: [Int], width: Int, largeEvery every: Int
  ) -> Architecture {
    let stages = depths.enumerated().map { stage, depth in
      let channels = width << stage
      return UniRepLKNetSizes.Stage(
        channels: channels,
        blocks: (0..<depth).map { place in
          let isLarge = stage > 0 && (stage != 2 || place % every == 0)
          return .init(
            kernelSize: isLarge ? 13 : 3, squeezed: channels / 4, inner: 4 * channels,
            isScaled: true)
        })
    }
    return Architecture(name: name, topology: "UniRepLKNet", aliases: []) {
      UniRepLKNetSizes(stages: stages).structure(classes: $0)
    }
  }
}

/// All that differs between such networks.
private struct UniRepLKNetSizes {
  struct Block {
    /// Height and width of the depthwise kernel; from 7 on it has branches in training.
    var kernelSize: Int
    /// Sizes of the kernels beside a large one, and how far apart their taps are.
    var dilations: [[Int]]
    /// Channels between the layers of Squeeze-and-Excitation.
    var squeezed: Int
    /// Channels between the linear layers.
    var inner: Int
    /// Whether what a block adds has factors in training.
    var isScaled: Bool

    init(kernelSize: Int, squeezed: Int, inner: Int, isScaled: Bool) {
      (self.kernelSize, self.squeezed, self.inner) = (kernelSize, squeezed, inner)
      self.isScaled = isScaled
      dilations = kernelSize < 7 ? [] : UniRepLKNetSizes.dilations[kernelSize] ?? []
    }
  }
  struct Stage {
    var channels: Int
    var blocks: [Block]
  }
  var stages: [Stage]

  /// Of the kernels beside a large one by its size (`DilatedReparamBlock`): their size and how far apart
  /// their taps are.
  private static let dilations: [Int: [[Int]]] = [
    17: [[5, 1], [9, 2], [3, 4], [3, 5], [3, 7]],
    15: [[5, 1], [7, 2], [3, 3], [3, 5], [3, 7]],
    13: [[5, 1], [7, 2], [3, 3], [3, 4], [3, 5]],
    11: [[5, 1], [5, 2], [3, 3], [3, 4], [3, 5]],
    9: [[5, 1], [5, 2], [3, 3], [3, 4]], 7: [[5, 1], [3, 2], [3, 3]],
  ]

  static func head(_ part: Part) -> Role { .other(name: "head.\(part.rawValue)") }

  init(stages: [Stage]) { self.stages = stages }

  /// As the shapes of a file say.
  init(of network: Network) throws(Deviation) {
    stages = []
    func size(_ name: Name) throws(Deviation) -> Int {
      guard let size = network[.other(name: name)]?.tensor.shape.dimensions.first else {
        throw Deviation(reason: "there is no '\(name)'")
      }
      return size
    }
    func kernelSize(_ path: Name) -> Int? {
      network.block(at: path)?.mainKernel?.tensor.shape[2]
    }
    while kernelSize("stages.\(stages.count).0") != nil {
      let stage = stages.count
      let downsampling = "downsample_layers.\(stage)"
      var blocks: [Block] = []
      while let found = kernelSize("stages.\(stage).\(blocks.count)") {
        let path: Name = "stages.\(stage).\(blocks.count)"
        let block = Block(
          kernelSize: found, squeezed: try size("\(path).se.down.weight"),
          inner: try size("\(path).pwconv1.1.weight"),
          isScaled: network.block(at: path + ".pwconv2")?[
            ParameterAddress("scale", .value)] != nil)
        blocks.append(block)
      }
      let channels = try size(
        stage == 0 ? "\(downsampling).3.weight" : "\(downsampling).0.weight")
      stages.append(Stage(channels: channels, blocks: blocks))
    }
    guard !stages.isEmpty else {
      throw Deviation(reason: "there is no block in 'stages.0'", isForeign: true)
    }
  }

  func structure(classes: Int) -> Structure {
    var builder = NetworkBuilder()
    // Of LayerNorm and Global Response Normalization, in the authors' code.
    let epsilon = 1e-6
    var value = Graph.input
    func downsample(_ path: Name, _ place: Int, _ inputs: Int, _ outputs: Int) {
      value = builder.convolution(
        "\(path).\(place)", inputs, outputs, kernelSize: 3, stride: 2, hasBias: true, of: value,
        label: path)
      value = builder.layerNorm(
        "\(path).\(place + 1)", outputs, epsilon: epsilon, of: value, label: path)
    }
    func append(_ block: Block, _ path: Name, _ channels: Int) {
      let identity = value
      let isLarge = block.kernelSize >= 7
      let branches: [BlockShape.Branch] =
        isLarge
        ? [.init(layer: "origin", kernelSize: block.kernelSize)]
          + block.dilations.map {
            .init(layer: LayerAddress("dilated", numbers: $0), kernelSize: $0[0])
          } + [.init(layer: "norm")]
        : [.init(layer: "conv", kernelSize: block.kernelSize)]
      value = builder.block(
        BlockShape(
          address: BlockAddress(isLarge ? .uniRepLKNet : .convolutionBatchNorm, path),
          inputChannels: channels,
          outputChannels: channels, groups: channels, stride: 1, kernelSize: block.kernelSize,
          branches: branches), of: value, label: path)
      value = builder.squeezeExcitation(
        channels, inner: block.squeezed, of: value, label: path
      ) { isSqueeze, part in
        .other(name: "\(path).se.\(isSqueeze ? "down" : "up").\(part.rawValue)")
      }
      value = builder.linear("\(path).pwconv1.1", channels, block.inner, of: value, label: path)
      value = builder.append(.gelu, value, block: path)
      value = builder.responseNorm(
        gamma: "\(path).act.1.gamma", block.inner, epsilon: epsilon, of: value, label: path)
      var linear = BlockShape(
        address: BlockAddress(.responseNormalizedLinear, path + ".pwconv2"),
        inputChannels: block.inner, outputChannels: channels, groups: 1, stride: 1, kernelSize: 1,
        branches: [.init(layer: "linear"), .init(layer: "norm")],
        factors: ["shift": [1, 1, 1, block.inner]])
      if block.isScaled { linear.factors["scale"] = [channels] }
      value = builder.block(linear, of: value, label: path)
      value = builder.append(.add, identity, value, block: path)
    }

    let width = stages[0].channels
    downsample("downsample_layers.0", 0, 3, width / 2)
    value = builder.append(.gelu, value, block: "downsample_layers.0")
    downsample("downsample_layers.0", 3, width / 2, width)
    for (index, stage) in stages.enumerated() {
      if index > 0 {
        downsample("downsample_layers.\(index)", 0, stages[index - 1].channels, stage.channels)
      }
      for (place, block) in stage.blocks.enumerated() {
        append(block, "stages.\(index).\(place)", stage.channels)
      }
    }
    let channels = stages.last!.channels
    value = builder.append(.flatten, builder.append(.globalAveragePool, value))
    value = builder.layerNorm("norm", channels, epsilon: epsilon, of: value)
    _ = builder.linear("head", channels, classes, of: value)
    return builder.structure(
      topology: "UniRepLKNet", classes: classes,
      stages: stages.map { StageShape(depth: $0.blocks.count, channels: $0.channels) },
      stemChannels: width)
  }
}
