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
    structure: { (network, epsilon) throws(Deviation) in
      var assembly = ConvolutionAssembly(of: network, epsilon: epsilon)
      if assembly.has("stage0.conv1") {
        try assembly.appendResNet(stem: "stage0.conv1")
        guard assembly.stages.count == 4 else {
          throw Deviation(
            reason: "it has \(assembly.stages.count) stages of blocks, where a ResNet has 4")
        }
      } else if assembly.has("stem.0.depthwise") {
        try assembly.appendMobileNet()
      } else {
        throw Deviation(
          reason: "it has neither the paths of a ResNet nor those of a MobileNet",
          isForeign: true)
      }
      return try assembly.structure(topology: "DBB")
    }, architectures: [],
    describe: { structure in
      let isMobileNet = structure.blocks.contains { $0.path.hasSuffix("depthwise") }
      return describeChain(
        isMobileNet ? "DBB MobileNet" : "DBB ResNet", unit: "blocks", structure,
        depths: structure.stages.map(\.depth))
    })
}

extension ConvolutionAssembly {
  fileprivate mutating func appendMobileNet() throws(Deviation) {
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
    try appendClassifier()
  }
}
