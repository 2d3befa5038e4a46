internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// The networks of the paper's examples: ResNets of either kind of block, and MobileNet (arXiv:2103.13425,
  /// 4.1; resnet.py and mobilenet.py of github.com/DingXiaoH/DiverseBranchBlock). Their paths tell which,
  /// and where they halve the resolution.
  static let dbb = Topology(
    name: "DBB", family: .dbb,
    structure: { (network, _) throws(Deviation) in
      var assembly = ResNetAssembly(of: network)
      if network.block(at: "stage0.conv1") != nil {
        try assembly.appendResNet()
      } else if network.block(at: "stem.0.depthwise") != nil {
        try assembly.appendMobileNet()
      } else {
        throw Deviation(reason: "it has neither the paths of a ResNet nor those of a MobileNet")
      }
      let structure = try assembly.structure()
      try structure.require(of: network)
      return structure
    }, architectures: [],
    describe: { structure in
      let isMobileNet = structure.blocks.contains { $0.path.hasSuffix("depthwise") }
      return describeChain(
        isMobileNet ? "DBB MobileNet" : "DBB ResNet", unit: "blocks", structure,
        depths: structure.stages.map(\.depth))
    })
}

/// A network of convolutions, each a block of whatever branches its file has.
private struct ResNetAssembly {
  let network: Network
  private var builder = NetworkBuilder()
  private var value = Graph.input
  private var channels = 3
  private var stages: [StageShape] = []
  private var stemChannels = 0

  init(of network: Network) { self.network = network }

  private func has(_ path: String) -> Bool { network.block(at: path) != nil }

  /// Appends the block at a path.
  private mutating func append(_ path: String, stride: Int = 1, isRectified: Bool) throws(Deviation)
  {
    guard let block = network.block(at: path) else {
      throw Deviation(reason: "there is no block '\(path)'")
    }
    (value, channels) = try builder.block(block, after: channels, stride: stride, of: value)
    if isRectified { value = builder.append(.relu, value, block: path) }
  }

  mutating func appendResNet() throws(Deviation) {
    try append("stage0.conv1", stride: 2, isRectified: true)
    stemChannels = channels
    value = builder.pool(
      .maxPool, value, kernelSize: 3, stride: 2, padding: 1, block: "stage0.conv1")
    for stage in 1...4 {
      var depth = 0
      while has("stage\(stage).\(depth).conv1") {
        try appendResidual("stage\(stage).\(depth)", stride: stage > 1 && depth == 0 ? 2 : 1)
        depth += 1
      }
      guard depth > 0 else { throw Deviation(reason: "stage \(stage) has no block") }
      stages.append(StageShape(depth: depth, channels: channels))
    }
  }

  /// Two convolutions, or three of which the second is the large one, beside an identity or a projection.
  private mutating func appendResidual(_ path: String, stride: Int) throws(Deviation) {
    let (input, inputChannels) = (value, channels)
    let isBottleneck = has("\(path).conv3")
    try append("\(path).conv1", stride: isBottleneck ? 1 : stride, isRectified: true)
    try append("\(path).conv2", stride: isBottleneck ? stride : 1, isRectified: isBottleneck)
    if isBottleneck { try append("\(path).conv3", isRectified: false) }
    let (sum, outputChannels) = (value, channels)
    (value, channels) = (input, inputChannels)
    if has("\(path).shortcut") {
      try append("\(path).shortcut", stride: stride, isRectified: false)
    }
    guard channels == outputChannels, has("\(path).shortcut") || stride == 1 else {
      throw Deviation(reason: "'\(path)' has no fitting shortcut")
    }
    value = builder.append(.add, sum, value, block: path)
    value = builder.append(.relu, value, block: path)
  }

  mutating func appendMobileNet() throws(Deviation) {
    try append("conv1", stride: 2, isRectified: true)
    stemChannels = channels
    var depth = 0
    while has("stem.\(depth).depthwise") {
      // mobilenet.py has them in a list.
      let isStrided = [1, 3, 5, 11].contains(depth)
      if isStrided || depth == 0 { stages.append(StageShape(depth: 0, channels: 0)) }
      try append("stem.\(depth).depthwise", stride: isStrided ? 2 : 1, isRectified: true)
      try append("stem.\(depth).pointwise", isRectified: true)
      depth += 1
      stages[stages.count - 1].depth += 1
      stages[stages.count - 1].channels = channels
    }
    guard depth == 13 else {
      throw Deviation(reason: "it has \(depth) pairs of blocks, where a MobileNet has 13")
    }
  }

  mutating func structure() throws(Deviation) -> Structure {
    func role(_ part: Part) -> Role {
      network[.classifier(part)] == nil
        ? .other(name: "linear.\(part.rawValue)") : .classifier(part)
    }
    let classes = try network.classes(by: [role(.weight)])
    builder.classifier((role(.weight), role(.bias)), channels, classes, of: value)
    return builder.structure(
      topology: "DBB", classes: classes, stages: stages, stemChannels: stemChannels)
  }
}
