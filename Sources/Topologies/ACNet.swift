internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

extension Topology {
  /// The networks of the authors' examples: Cifar-quick, VGG, the ResNets of CIFAR and of ImageNet, and the
  /// wide ResNet, whose BatchNorms stand before the convolutions (arXiv:1908.03930, 4; base_model of
  /// github.com/DingXiaoH/ACNet). Their paths tell which.
  static let acNet = Topology(
    name: "ACNet", family: .acb,
    structure: { (network, epsilon) throws(Deviation) in
      var assembly = ConvolutionAssembly(of: network, epsilon: epsilon)
      if assembly.has("stage1.block0.conv1") {
        try assembly.appendResNetOfStages()
      } else if assembly.has("conv1"), assembly.hasPreactivation {
        try assembly.appendWideResNet()
      } else if assembly.has("conv1"), assembly.has("stage1.0.conv1") {
        try assembly.appendResNet(stem: "conv1")
      } else if assembly.has("stem.conv1") {
        try assembly.appendVGG()
      } else if assembly.has("conv1"), assembly.has("conv3") {
        try assembly.appendCifarQuick()
      } else {
        throw Deviation(
          reason: "no tensor tells how blocks of ACB at such paths are put together",
          isForeign: true)
      }
      return try assembly.structure(topology: "ACNet")
    }, architectures: [],
    describe: { structure in
      describeChain("ACNet", unit: "blocks", structure, depths: structure.stages.map(\.depth))
    })
}

extension ConvolutionAssembly {
  /// Whether blocks have a BatchNorm before them.
  fileprivate var hasPreactivation: Bool {
    residualPath(1, 0).map { shape($0 + ".conv1.bn.weight") != nil && block($0 + ".conv1") != nil }
      ?? false
  }

  /// `stagewise_resnet.py`: the projection of a stage stands beside its blocks.
  fileprivate mutating func appendResNetOfStages() throws(Deviation) {
    if has("conv1") {
      try append("conv1", stride: 2, isRectified: true)
      appendPool(.maxPool, padding: 1, after: "conv1")
    } else {
      try append("stage1.conv1", isRectified: true)
    }
    stemChannels = channels
    var stage = 1
    while has("stage\(stage).block0.conv1") {
      var depth = 0
      let stride = stage > 1 ? 2 : 1
      while has("stage\(stage).block\(depth).conv1") {
        let path: Name = "stage\(stage).block\(depth)"
        let projection: Name = "stage\(stage).projection"
        try appendResidual(
          path, stride: depth == 0 ? stride : 1, projection: depth == 0 ? projection : nil)
        depth += 1
      }
      stages.append(StageShape(depth: depth, channels: channels))
      stage += 1
    }
    try appendClassifier(shape("fc.weight") == nil ? "linear" : "fc")
  }

  /// `wrn.py`: BatchNorm and ReLU stand before every convolution but the first.
  fileprivate mutating func appendWideResNet() throws(Deviation) {
    func append(_ a: inout Self, _ path: Name, stride: Int) throws(Deviation) {
      a.appendNorm(path + ".bn", label: path)
      a.appendReLU(path)
      try a.append(path, stride: stride, hasNorm: false, isRectified: false)
    }
    try self.append("conv1", isRectified: false)
    stemChannels = channels
    try appendStages { (a: inout Self, path, stride) throws(Deviation) in
      try a.appendSum(path) { (a: inout Self) throws(Deviation) in
        try append(&a, path + ".conv1", stride: stride)
        try append(&a, path + ".conv2", stride: 1)
      } side: { (a: inout Self) throws(Deviation) in
        if a.has(path + ".proj") { try append(&a, path + ".proj", stride: stride) }
      }
    }
    appendNorm("last_bn")
    try appendClassifier()
  }

  /// `vgg.py`: 13 convolutions, with a maximum over 2x2 after some.
  fileprivate mutating func appendVGG() throws(Deviation) {
    for depth in [2, 2, 3, 3, 3] {
      let before = stages.reduce(0) { $0 + $1.depth }
      for place in before + 1...before + depth {
        try append("stem.conv\(place)", isRectified: true)
        if place == 1 { stemChannels = channels }
      }
      appendPool(.maxPool, kernelSize: 2, after: "stem.conv\(before + depth)")
      stages.append(StageShape(depth: depth, channels: channels))
    }
    try appendPerceptron("linear1", "linear2")
  }

  /// `cfqk.py`.
  fileprivate mutating func appendCifarQuick() throws(Deviation) {
    for (path, pool) in [
      ("conv1", .maxPool), ("conv2", .averagePool), ("conv3", .averagePool),
    ] as [(Name, NodeKind)] {
      try append(path, isRectified: true)
      appendPool(pool, after: path)
      if stages.isEmpty { stemChannels = channels }
      stages.append(StageShape(depth: 1, channels: channels))
    }
    try appendPerceptron("fc1", "fc2")
  }

  /// Two linear layers over all that is left of the image.
  private mutating func appendPerceptron(_ first: Name, _ second: Name) throws(Deviation) {
    guard let weight = shape(first + ".weight"), weight.rank == 2,
      weight[1].isMultiple(of: channels)
    else {
      throw Deviation(reason: "there is no '\(first).weight' after \(channels) channels")
    }
    classes = try network.classes(by: [.other(name: second + ".weight")])
    value = builder.append(.flatten, value)
    value = builder.linear(first, weight[1], weight[0], of: value)
    value = builder.append(.relu, value)
    value = builder.linear(second, weight[0], classes, of: value)
  }
}
