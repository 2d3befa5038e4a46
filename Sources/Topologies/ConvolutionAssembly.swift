internal import Blocks
internal import Graphs
internal import Naming
internal import Tensors

/// A network of convolutions, put together path by path: blocks of whatever branches its file has, others as
/// they are, with BatchNorm beside them.
struct ConvolutionAssembly {
  let network: Network
  private let norms: NormEpsilons
  var builder = NetworkBuilder()
  /// What the next layer takes.
  var value = Graph.input
  /// Of it.
  private(set) var channels = 3
  var stages: [StageShape] = []
  var stemChannels = 0
  var classes = 0

  /// - Parameter epsilon: of its BatchNorms, where the file does not say it.
  init(of network: Network, epsilon: Double?) {
    self.network = network
    norms = NormEpsilons(of: network, given: epsilon)
  }

  func block(_ path: Name) -> Block? {
    network.block(at: path + ".acb") ?? network.block(at: path)
  }

  func shape(_ name: Name) -> Shape? { network[.other(name: name)]?.tensor.shape }

  /// Whether there is a convolution at a path.
  func has(_ path: Name) -> Bool { block(path) != nil || shape(path + ".conv.weight") != nil }

  /// The path of a residual block: counted from 0, or from 1 with a word before.
  func residualPath(_ stage: Int, _ place: Int) -> Name? {
    ["stage\(stage).\(place)", "stage\(stage).block\(place + 1)"].first { has($0 + ".conv1") }
  }

  /// Appends the convolution at a path, and the BatchNorm behind it if that is no part of it.
  mutating func append(
    _ path: Name, stride: Int = 1, hasNorm: Bool = true, isRectified: Bool
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
    if isRectified { appendReLU(path) }
  }

  mutating func appendReLU(_ path: Name) {
    value = builder.append(.relu, value, block: path)
  }

  mutating func appendNorm(_ path: Name, label: Name? = nil) {
    value = builder.batchNorm(path, channels, epsilon: norms[path], of: value, label: label)
  }

  mutating func appendPool(
    _ kind: NodeKind, kernelSize: Int = 3, padding: Int = 0, after path: Name
  ) {
    value = builder.pool(
      kind, value, kernelSize: kernelSize, stride: 2, padding: padding, block: path)
  }

  /// What `side` makes of the value so far, added to what `main` makes of it.
  mutating func appendSum(
    _ path: Name, main: (inout Self) throws(Deviation) -> Void,
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

  /// Two convolutions, or three of which the second is the large one, beside an identity or a projection.
  ///
  /// - Parameter projection: its path, if there is one.
  mutating func appendResidual(
    _ path: Name, stride: Int, projection: Name?
  ) throws(Deviation) {
    let projection = projection.flatMap { has($0) ? $0 : nil }
    guard projection != nil || stride == 1 else {
      throw Deviation(reason: "'\(path)' has no projection beside a stride")
    }
    try appendSum(path) { (a: inout Self) throws(Deviation) in
      let isBottleneck = a.has(path + ".conv3")
      try a.append(path + ".conv1", stride: isBottleneck ? 1 : stride, isRectified: true)
      try a.append(
        path + ".conv2", stride: isBottleneck ? stride : 1, isRectified: isBottleneck)
      if isBottleneck { try a.append(path + ".conv3", isRectified: false) }
    } side: { (a: inout Self) throws(Deviation) in
      if let projection { try a.append(projection, stride: stride, isRectified: false) }
    }
    appendReLU(path)
  }

  /// Residual blocks in stages, each but the first of which begins with a stride.
  mutating func appendStages(
    _ appendBlock: (inout Self, _ path: Name, _ stride: Int) throws(Deviation) -> Void
  ) throws(Deviation) {
    while let first = residualPath(stages.count + 1, 0) {
      let stage = stages.count + 1
      var (depth, next) = (0, Optional(first))
      while let path = next {
        try appendBlock(&self, path, depth == 0 && stage > 1 ? 2 : 1)
        depth += 1
        next = residualPath(stage, depth)
      }
      stages.append(StageShape(depth: depth, channels: channels))
    }
  }

  /// A ResNet of ImageNet.
  mutating func appendResNet(stem: Name) throws(Deviation) {
    try append(stem, stride: 2, isRectified: true)
    appendPool(.maxPool, padding: 1, after: stem)
    stemChannels = channels
    try appendStages { (a: inout Self, path, stride) throws(Deviation) in
      try a.appendResidual(path, stride: stride, projection: path + ".shortcut")
    }
    try appendClassifier()
  }

  /// - Parameter path: of the linear layer, if the dialect does not know which it is.
  mutating func appendClassifier(_ path: Name = "linear") throws(Deviation) {
    func role(_ part: Part) -> Role {
      network[.classifier(part)] == nil
        ? .other(name: "\(path).\(part.rawValue)") : .classifier(part)
    }
    classes = try network.classes(by: [role(.weight)])
    builder.classifier((role(.weight), role(.bias)), channels, classes, of: value)
  }

  /// The whole network.
  ///
  /// - Throws: `Deviation` if the file has other parameters.
  func structure(topology: String) throws(Deviation) -> Structure {
    guard !stages.isEmpty else { throw Deviation(reason: "there is no stage of blocks") }
    let structure = builder.structure(
      topology: topology, classes: classes, stages: stages, stemChannels: stemChannels)
    try structure.require(of: network)
    return structure
  }
}
