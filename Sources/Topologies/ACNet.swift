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
      var assembly = ACNetAssembly(of: network, NormEpsilons(of: network, given: epsilon))
      if assembly.has("stage1.block0.conv1") {
        try assembly.appendResNetOfStages()
      } else if assembly.has("conv1"), assembly.hasPreactivation {
        try assembly.appendWideResNet()
      } else if assembly.has("conv1"), assembly.has("stage1.0.conv1") {
        try assembly.appendResNet()
      } else if assembly.has("stem.conv1") {
        try assembly.appendVGG()
      } else if assembly.has("conv1"), assembly.has("conv3") {
        try assembly.appendCifarQuick()
      } else {
        throw Deviation(reason: "no tensor tells how blocks of ACB at such paths are put together")
      }
      let structure = try assembly.structure()
      try structure.require(of: network)
      return structure
    }, architectures: [],
    describe: { structure in
      describeChain("ACNet", unit: "blocks", structure, depths: structure.stages.map(\.depth))
    })
}

/// A network of convolutions, those of 3x3 or 5x5 blocks, others as they are, with BatchNorm beside them.
private struct ACNetAssembly {
  let network: Network
  private let norms: NormEpsilons
  private var builder = NetworkBuilder()
  private var value = Graph.input
  private var channels = 3
  private var stages: [StageShape] = []
  private var stemChannels = 0
  private var classes = 0

  init(of network: Network, _ norms: NormEpsilons) {
    (self.network, self.norms) = (network, norms)
  }

  private func block(_ path: String) -> Block? {
    network.block(at: path + ".acb") ?? network.block(at: path)
  }

  private func shape(_ name: String) -> Shape? { network[.other(name: name)]?.tensor.shape }

  /// Whether there is a convolution at a path.
  func has(_ path: String) -> Bool { block(path) != nil || shape(path + ".conv.weight") != nil }

  /// Whether blocks have a BatchNorm before them.
  var hasPreactivation: Bool {
    blockPath(1, 0).map { shape($0 + ".conv1.bn.weight") != nil && block($0 + ".conv1") != nil }
      ?? false
  }

  /// The path of a residual block: counted from 0, or from 1 with a word before.
  private func blockPath(_ stage: Int, _ place: Int) -> String? {
    ["stage\(stage).\(place)", "stage\(stage).block\(place + 1)"].first { has($0 + ".conv1") }
  }

  /// Appends the convolution at a path, and the BatchNorm behind it if that is no part of it.
  private mutating func append(
    _ path: String, stride: Int = 1, hasNorm: Bool = true, isRectified: Bool
  ) throws(Deviation) {
    if let block = block(path) {
      (value, channels) = try builder.block(block, after: channels, stride: stride, of: value)
    } else if let kernel = shape(path + ".conv.weight"), kernel.rank == 4, kernel[1] == channels {
      value = builder.convolution(
        path + ".conv", channels, kernel[0], kernelSize: kernel[2], stride: stride, of: value,
        label: path)
      channels = kernel[0]
      if hasNorm { appendNorm(path + ".bn", label: path) }
    } else {
      throw Deviation(reason: "there is no convolution '\(path)' after \(channels) channels")
    }
    if isRectified { value = builder.append(.relu, value, block: path) }
  }

  private mutating func appendNorm(_ path: String, label: String? = nil) {
    value = builder.batchNorm(path, channels, epsilon: norms[path], of: value, label: label)
  }

  private mutating func appendPool(
    _ kind: NodeKind, kernelSize: Int = 3, padding: Int = 0, after path: String
  ) {
    value = builder.pool(
      kind, value, kernelSize: kernelSize, stride: 2, padding: padding, block: path)
  }

  /// What `side` makes of the value so far, added to what `main` makes of it.
  private mutating func appendSum(
    _ path: String, main: (inout Self) throws(Deviation) -> Void,
    side: (inout Self) throws(Deviation) -> Void
  ) throws(Deviation) {
    let (input, inputChannels) = (value, channels)
    try main(&self)
    let (sum, outputChannels) = (value, channels)
    (value, channels) = (input, inputChannels)
    try side(&self)
    guard channels == outputChannels else {
      throw Deviation(
        reason: "'\(path)' adds \(outputChannels) channels to \(channels)")
    }
    value = builder.append(.add, sum, value, block: path)
  }

  /// Two convolutions, or three of which the second is the large one.
  private mutating func appendBranch(_ path: String, stride: Int) throws(Deviation) {
    let isBottleneck = has(path + ".conv3")
    try append(path + ".conv1", stride: isBottleneck ? 1 : stride, isRectified: true)
    try append(path + ".conv2", stride: isBottleneck ? stride : 1, isRectified: isBottleneck)
    if isBottleneck { try append(path + ".conv3", isRectified: false) }
  }

  /// `stagewise_resnet.py`: the projection of a stage stands beside its blocks.
  mutating func appendResNetOfStages() throws(Deviation) {
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
        let (path, projection) = ("stage\(stage).block\(depth)", "stage\(stage).projection")
        let (isFirst, isProjected) = (depth == 0, depth == 0 && has(projection))
        guard isProjected || !isFirst || stride == 1 else {
          throw Deviation(reason: "there is no '\(projection)'")
        }
        try appendSum(path) { (a: inout Self) throws(Deviation) in
          try a.appendBranch(path, stride: isFirst ? stride : 1)
        } side: { (a: inout Self) throws(Deviation) in
          if isProjected { try a.append(projection, stride: stride, isRectified: false) }
        }
        value = builder.append(.relu, value, block: path)
        depth += 1
      }
      stages.append(StageShape(depth: depth, channels: channels))
      stage += 1
    }
    try appendClassifier(shape("fc.weight") == nil ? "linear" : "fc")
  }

  /// `resnet.py`: of ImageNet.
  mutating func appendResNet() throws(Deviation) {
    try append("conv1", stride: 2, isRectified: true)
    appendPool(.maxPool, padding: 1, after: "conv1")
    stemChannels = channels
    try appendStages { (a: inout Self, path, stride) throws(Deviation) in
      try a.appendSum(path) { (a: inout Self) throws(Deviation) in
        try a.appendBranch(path, stride: stride)
      } side: { (a: inout Self) throws(Deviation) in
        if a.has(path + ".shortcut") {
          try a.append(path + ".shortcut", stride: stride, isRectified: false)
        }
      }
      a.value = a.builder.append(.relu, a.value, block: path)
    }
    try appendClassifier("linear")
  }

  /// `wrn.py`: BatchNorm and ReLU stand before every convolution but the first.
  mutating func appendWideResNet() throws(Deviation) {
    func append(_ a: inout Self, _ path: String, stride: Int) throws(Deviation) {
      a.appendNorm(path + ".bn", label: path)
      a.value = a.builder.append(.relu, a.value, block: path)
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
    try appendClassifier("linear")
  }

  /// Residual blocks in stages, each but the first of which begins with a stride.
  private mutating func appendStages(
    _ appendBlock: (inout Self, _ path: String, _ stride: Int) throws(Deviation) -> Void
  ) throws(Deviation) {
    while let first = blockPath(stages.count + 1, 0) {
      let stage = stages.count + 1
      var (depth, next) = (0, Optional(first))
      while let path = next {
        try appendBlock(&self, path, depth == 0 && stage > 1 ? 2 : 1)
        depth += 1
        next = blockPath(stage, depth)
      }
      stages.append(StageShape(depth: depth, channels: channels))
    }
  }

  /// `vgg.py`: 13 convolutions, with a maximum over 2x2 after some.
  mutating func appendVGG() throws(Deviation) {
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
  mutating func appendCifarQuick() throws(Deviation) {
    for (path, pool) in [
      ("conv1", NodeKind.maxPool), ("conv2", .averagePool), ("conv3", .averagePool),
    ] {
      try append(path, isRectified: true)
      appendPool(pool, after: path)
      if stages.isEmpty { stemChannels = channels }
      stages.append(StageShape(depth: 1, channels: channels))
    }
    try appendPerceptron("fc1", "fc2")
  }

  private mutating func appendClassifier(_ path: String) throws(Deviation) {
    func role(_ part: Part) -> Role { .other(name: "\(path).\(part.rawValue)") }
    classes = try network.classes(by: [role(.weight)])
    builder.classifier((role(.weight), role(.bias)), channels, classes, of: value)
  }

  /// Two linear layers over all that is left of the image.
  private mutating func appendPerceptron(_ first: String, _ second: String) throws(Deviation) {
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

  func structure() throws(Deviation) -> Structure {
    guard !stages.isEmpty else { throw Deviation(reason: "there is no stage of blocks") }
    return builder.structure(
      topology: "ACNet", classes: classes, stages: stages, stemChannels: stemChannels)
  }
}
