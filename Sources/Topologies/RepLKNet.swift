internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// RepLKNet: four convolutions for the image, then four stages of blocks with a large kernel and blocks of
  /// two pointwise convolutions by turns, each beside an identity (arXiv:2203.06717, figure 2; replknet.py of
  /// github.com/DingXiaoH/RepLKNet-pytorch).
  static let repLKNet = Topology(
    name: "RepLKNet", family: .repLKNet,
    structure: { (network, epsilon) throws(Deviation) in
      let plan = try RepLKNetPlan(of: network)
      let structure = plan.structure(
        classes: try network.classes(by: [RepLKNetPlan.head(.weight)]),
        NormEpsilons(of: network, given: epsilon))
      try structure.require(of: network)
      return structure
    },
    architectures: [
      named("RepLKNet-31B", kernels: [31, 29, 27, 13], small: 5, [128, 256, 512, 1024]),
      named("RepLKNet-31L", kernels: [31, 29, 27, 13], small: 5, [192, 384, 768, 1536]),
      named(
        "RepLKNet-XL", kernels: [27, 27, 27, 13], small: nil, [256, 512, 1024, 2048],
        depthwiseRatio: 1.5),
    ],
    describe: { structure in
      describeChain("RepLKNet", unit: "pairs", structure, depths: structure.stages.map(\.depth))
    }, classifiers: [RepLKNetPlan.head(.weight)])

  /// - Parameters:
  ///   - kernels: height and width of the large kernels of each stage.
  ///   - small: of the kernels beside them; nil for none.
  ///   - depthwiseRatio: how many times more channels than the stage the large kernels have.
  private static func named(
    _ name: String, kernels: [Int], small: Int?, _ channels: [Int], depthwiseRatio: Double = 1
  ) -> Architecture {
    let stages = zip(kernels, channels).enumerated().map { stage, sizes in
      RepLKNetPlan.Stage(
        depth: [2, 2, 18, 2][stage], channels: sizes.1,
        depthwise: Int(Double(sizes.1) * depthwiseRatio), inner: 4 * sizes.1, kernelSize: sizes.0,
        smallKernelSize: small)
    }
    return Architecture(name: name, topology: "RepLKNet", aliases: []) { classes in
      RepLKNetPlan(stages: stages, foldsConvolutions: false).structure(
        classes: classes, NormEpsilons(usual: 1e-5))
    }
  }
}

/// What a RepLKNet consists of.
private struct RepLKNetPlan {
  struct Stage {
    /// Pairs of blocks.
    var depth: Int
    var channels: Int
    /// Channels of the large kernels.
    var depthwise: Int
    /// Channels between two pointwise convolutions.
    var inner: Int
    var kernelSize: Int
    /// Nil for none.
    var smallKernelSize: Int?
  }

  var stages: [Stage]
  /// Whether the BatchNorm behind every convolution is folded in deploy form, as `deep_fuse_BN` does.
  var foldsConvolutions: Bool

  static func head(_ part: Part) -> Role { .other(name: "head.\(part.rawValue)") }

  /// Of the kernels of one stage.
  private static func largeKernel(_ stage: Int, _ pair: Int) -> Name {
    "stages.\(stage).blocks.\(2 * pair).large_kernel"
  }
}

extension RepLKNetPlan {
  /// As the shapes of a file say.
  init(of network: Network) throws(Deviation) {
    foldsConvolutions = network.block(at: "stem.0") != nil
    stages = []
    while let first = network.block(at: RepLKNetPlan.largeKernel(stages.count, 0)) {
      let stage = stages.count
      var depth = 1
      while network.block(at: RepLKNetPlan.largeKernel(stage, depth)) != nil { depth += 1 }
      let path: Name = "stages.\(stage).blocks"
      func size(_ name: Name) throws(Deviation) -> Int {
        let kernel =
          network[.other(name: "\(path).\(name).weight")]?.tensor
          ?? network.block(at: "\(path).\(name.dropping(suffix: ".conv") ?? name)")?.mainKernel?
          .tensor
        guard let kernel else {
          throw Deviation(reason: "there is no '\(printable("\(path).\(name).weight"))'")
        }
        return kernel.shape.dimensions.first ?? 0
      }
      let kernel = first.mainKernel!.tensor.shape
      stages.append(
        Stage(
          depth: depth, channels: try size("0.prelkb_bn"), depthwise: kernel[0],
          inner: try size("1.pw1.conv"), kernelSize: kernel[2],
          smallKernelSize: first[ParameterAddress("small", .weight)]?.tensor.shape[2]))
    }
    guard !stages.isEmpty else { throw Deviation(reason: "there is no stage", isForeign: true) }
  }

  func structure(classes: Int, _ norms: NormEpsilons) -> Structure {
    var assembly = RepLKNetAssembly(foldsConvolutions: foldsConvolutions, norms: norms)
    let first = stages[0].channels
    assembly.appendRectified("stem.0", 3, first, kernelSize: 3, stride: 2)
    assembly.appendRectified("stem.1", first, first, kernelSize: 3, groups: first)
    assembly.appendRectified("stem.2", first, first)
    assembly.appendRectified("stem.3", first, first, kernelSize: 3, stride: 2, groups: first)
    for (index, stage) in stages.enumerated() {
      for pair in 0..<stage.depth {
        assembly.append(largeKernelOf: stage, "stages.\(index).blocks.\(2 * pair)")
        assembly.append(pointwiseOf: stage, "stages.\(index).blocks.\(2 * pair + 1)")
      }
      guard index + 1 < stages.count else { continue }
      let (path, next) = ("transitions.\(index)", stages[index + 1].channels)
      assembly.appendRectified("\(path).0", stage.channels, next)
      assembly.appendRectified("\(path).1", next, next, kernelSize: 3, stride: 2, groups: next)
    }
    let channels = stages.last!.channels
    assembly.append(normalization: "norm", channels)
    assembly.builder.classifier(
      (RepLKNetPlan.head(.weight), RepLKNetPlan.head(.bias)), channels, classes, of: assembly.value)
    return assembly.builder.structure(
      topology: "RepLKNet", classes: classes,
      stages: stages.map { StageShape(depth: $0.depth, channels: $0.channels) },
      stemChannels: first)
  }
}

/// Layers of a RepLKNet, one after the other.
private struct RepLKNetAssembly {
  let foldsConvolutions: Bool
  let norms: NormEpsilons
  var builder = NetworkBuilder()
  /// The result of the last layer.
  var value = Graph.input

  init(foldsConvolutions: Bool, norms: NormEpsilons) {
    self.foldsConvolutions = foldsConvolutions
    self.norms = norms
  }

  mutating func append(normalization path: Name, _ channels: Int, label: Name? = nil) {
    value = builder.batchNorm(path, channels, epsilon: norms[path], of: value, label: label)
  }

  /// A convolution and its BatchNorm.
  mutating func append(
    _ path: Name, _ inputs: Int, _ outputs: Int, kernelSize: Int = 1, stride: Int = 1,
    groups: Int = 1, label: Name
  ) {
    if foldsConvolutions {
      value = builder.convolutionBatchNorm(
        path, inputs, outputs, kernelSize: kernelSize, stride: stride, groups: groups, of: value,
        label: label)
    } else {
      value = builder.convolution(
        "\(path).conv", inputs, outputs, kernelSize: kernelSize, stride: stride, groups: groups,
        of: value, label: label)
      append(normalization: "\(path).bn", outputs, label: label)
    }
  }

  /// The same with ReLU.
  mutating func appendRectified(
    _ path: Name, _ inputs: Int, _ outputs: Int, kernelSize: Int = 1, stride: Int = 1,
    groups: Int = 1, label: Name? = nil
  ) {
    let label = label ?? path
    append(
      path, inputs, outputs, kernelSize: kernelSize, stride: stride, groups: groups, label: label)
    value = builder.append(.relu, value, block: label)
  }

  mutating func append(largeKernelOf stage: RepLKNetPlan.Stage, _ path: Name) {
    let identity = value
    append(normalization: "\(path).prelkb_bn", stage.channels, label: path)
    appendRectified("\(path).pw1", stage.channels, stage.depthwise, label: path)
    let small = stage.smallKernelSize.map { BlockShape.Branch(layer: "small", kernelSize: $0) }
    value = builder.block(
      BlockShape(
        address: BlockAddress(.repLKNet, "\(path).large_kernel"),
        inputChannels: stage.depthwise, outputChannels: stage.depthwise, groups: stage.depthwise,
        stride: 1, kernelSize: stage.kernelSize,
        branches: [.init(layer: "large", kernelSize: stage.kernelSize)] + (small.map { [$0] } ?? [])
      ),
      of: value, label: path)
    value = builder.append(.relu, value, block: path)
    append("\(path).pw2", stage.depthwise, stage.channels, label: path)
    value = builder.append(.add, identity, value, block: path)
  }

  mutating func append(pointwiseOf stage: RepLKNetPlan.Stage, _ path: Name) {
    let identity = value
    append(normalization: "\(path).preffn_bn", stage.channels, label: path)
    append("\(path).pw1", stage.channels, stage.inner, label: path)
    value = builder.append(.gelu, value, block: path)
    append("\(path).pw2", stage.inner, stage.channels, label: path)
    value = builder.append(.add, identity, value, block: path)
  }
}
