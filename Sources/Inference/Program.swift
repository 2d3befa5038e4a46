internal import Naming
internal import Reparameterization
internal import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A network as a list of steps, with its parameters in memory.
struct Program<Number: NetworkNumber>: Sendable {
  enum Step: Sendable {
    case convolution(ConvolutionLayer<Number>)
    case branches(BranchedLayer<Number>)
    case squeezeExcitation(SqueezeExcitationLayer<Number>)
    case relu
    case globalAveragePool
    case linear(LinearLayer<Number>)
    /// What has been computed so far is the result of the block of this name.
    case endOfBlock(String)
  }
  private(set) var steps: [Step] = []
  private(set) var inputChannels = 0

  /// What has been appended so far gives; for checking.
  private var channels: Int?
  private var isPooled = false
  /// The operation that is being appended, for errors.
  private var operation = -1
  private var openBlock: String?

  /// The names of the blocks, in order.
  var blocks: [String] {
    steps.compactMap { if case .endOfBlock(let name) = $0 { name } else { nil } }
  }

  /// Channels, or classes, that come out at the end.
  var outputChannels: Int { channels ?? 0 }

  init() {}
}

// MARK: Building

extension Program {
  /// Begins a block: what follows belongs to it, up to the next or to the pooling.
  mutating func begin(_ block: String) {
    endBlock()
    openBlock = block
  }

  private mutating func endBlock() {
    if let openBlock { steps.append(.endOfBlock(openBlock)) }
    openBlock = nil
  }

  private func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(InferenceError) {
    guard holds else { throw .invalidGraph(operation: operation, what: what()) }
  }

  private mutating func requireInput(_ count: Int) throws(InferenceError) {
    try require(
      channels == nil || channels == count,
      "it takes \(count) channels, but \(channels ?? 0) come in")
    if channels == nil { inputChannels = count }
  }

  /// Appends a convolution with bias; `weight` is OIHW.
  mutating func append(
    _ convolution: Convolution, weight: ParameterSource, bias: ParameterSource
  ) throws {
    operation += 1
    try require(
      weight.shape.rank == 4
        && [convolution.stride, convolution.padding, convolution.dilation].allSatisfy {
          $0.count == 2
        },
      "a kernel of \(weight.shape), or a stride, padding or dilation that is no pair")
    let layer = ConvolutionLayer(
      convolution: try matrixConvolution(
        weight, Window(convolution, kernel: weight.shape), groups: convolution.groups),
      bias: try vector(bias, weight.shape[0]))
    try requireInput(layer.convolution.inputChannels)
    channels = layer.convolution.outputChannels
    steps.append(.convolution(layer))
  }

  /// Appends a training block.
  mutating func append(_ block: TrainingBlock) throws {
    operation += 1
    func branch(_ branch: TrainingBlock.Branch) throws -> BranchedLayer<Number>.Branch {
      let shape = branch.weight.shape
      let window = Window(
        kernel: (shape[2], shape[3]), stride: (block.stride, block.stride),
        padding: (shape[2] / 2, shape[3] / 2), dilation: (1, 1))
      return .init(
        convolution: try matrixConvolution(.tensor(branch.weight), window, groups: block.groups),
        bias: branch.bias.map { bias in bias.map { Number($0) } }, norm: Normalisation(branch.norm))
    }
    let layer = BranchedLayer(
      dense: try branch(block.dense), pointwise: try branch(block.pointwise),
      identity: block.identity.map { Normalisation($0) })
    try requireInput(layer.dense.convolution.inputChannels)
    channels = layer.dense.convolution.outputChannels
    steps.append(.branches(layer))
  }

  /// Appends Squeeze-and-Excitation; the weights are `[out, in, 1, 1]`.
  mutating func append(
    squeeze: (weight: ParameterSource, bias: ParameterSource),
    excite: (weight: ParameterSource, bias: ParameterSource)
  ) throws {
    operation += 1
    try require(!isPooled, "Squeeze-and-Excitation comes after the pooling")
    let layer = SqueezeExcitationLayer<Number>(
      squeeze: try linear(squeeze.weight, squeeze.bias),
      excite: try linear(excite.weight, excite.bias))
    try requireInput(layer.squeeze.inputs)
    try require(
      layer.excite.inputs == layer.squeeze.outputs && layer.excite.outputs == layer.squeeze.inputs,
      "the second layer of Squeeze-and-Excitation does not undo the first")
    channels = layer.squeeze.inputs
    steps.append(.squeezeExcitation(layer))
  }

  /// Appends a ReLU; what comes right before it does it in passing.
  mutating func appendReLU() {
    operation += 1
    switch steps.last {
    case .convolution(var layer) where !layer.hasReLU:
      steps.removeLast()
      layer.hasReLU = true
      steps.append(.convolution(layer))
    case .branches(var layer) where !layer.hasReLU:
      steps.removeLast()
      layer.hasReLU = true
      steps.append(.branches(layer))
    default: steps.append(.relu)
    }
  }

  mutating func appendPooling() throws {
    operation += 1
    try require(!isPooled, "there is a second pooling")
    endBlock()
    isPooled = true
    steps.append(.globalAveragePool)
  }

  /// Appends a linear layer; `weight` is `[out, in]`.
  mutating func append(linear weight: ParameterSource, bias: ParameterSource) throws {
    operation += 1
    try require(isPooled, "a linear layer comes before the pooling")
    let layer: LinearLayer<Number> = try linear(weight, bias)
    try requireInput(layer.inputs)
    channels = layer.outputs
    steps.append(.linear(layer))
  }

  /// To be called when all is appended.
  mutating func finish() throws {
    operation += 1
    endBlock()
    try require(channels != nil, "there is no operation with parameters")
  }

  private func matrixConvolution(
    _ weight: ParameterSource, _ window: Window, groups: Int
  ) throws -> MatrixConvolution<Number> {
    let shape = weight.shape
    try require(!isPooled, "a convolution comes after the pooling")
    try require(
      shape.rank == 4 && shape.elementCount > 0 && groups > 0 && shape[0].isMultiple(of: groups),
      "a kernel of \(shape) in \(groups) groups")
    try require(
      window.stride.y > 0 && window.stride.x > 0 && window.dilation.y > 0 && window.dilation.x > 0
        && window.padding.y >= 0 && window.padding.x >= 0,
      "a stride or dilation is not positive, or a padding negative")
    let (inputs, overflow) = shape[1].multipliedReportingOverflow(by: groups)
    try require(!overflow, "\(groups) groups")
    return MatrixConvolution(
      window: window, inputChannels: inputs, outputChannels: shape[0], groups: groups,
      weights: try weight.numbers())
  }

  private func linear(
    _ weight: ParameterSource, _ bias: ParameterSource
  ) throws -> LinearLayer<Number> {
    let shape = weight.shape
    try require(
      shape.rank >= 2 && shape.elementCount > 0
        && shape.dimensions.dropFirst(2).allSatisfy { $0 == 1 },
      "a linear layer with weights of \(shape)")
    return LinearLayer(
      inputs: shape[1], outputs: shape[0], weights: try weight.numbers(),
      bias: try vector(bias, shape[0]))
  }

  private func vector(_ source: ParameterSource, _ count: Int) throws -> [Number] {
    try require(
      source.shape == [count], "a bias of \(source.shape) for \(count) channels")
    return try source.numbers()
  }
}

extension Window {
  init(_ convolution: Convolution, kernel: Shape) {
    func pair(_ list: [Int]) -> (Int, Int) { (list[0], list[1]) }
    self.init(
      kernel: (kernel[2], kernel[3]), stride: pair(convolution.stride),
      padding: pair(convolution.padding), dilation: pair(convolution.dilation))
  }
}

extension Normalisation {
  init(_ norm: BatchNorm) {
    self.init(scale: norm.scale.map { Number($0) }, shift: norm.shift.map { Number($0) })
  }
}

/// A block of the training form: what `BranchedLayer` computes.
struct TrainingBlock {
  struct Branch {
    var weight: Tensor
    var bias: [Double]?
    var norm: BatchNorm
  }
  var dense, pointwise: Branch
  var identity: BatchNorm?
  var groups, stride: Int
}

/// Where the numbers of a parameter are.
enum ParameterSource {
  case tensor(Tensor)
  /// The weights that a composition of kernels amounts to, in float64: not rounded as a file would.
  case weights(Kernel)
  case bias(Kernel)

  var shape: Shape {
    switch self {
    case .tensor(let tensor): tensor.shape
    case .weights(let kernel): kernel.shape
    case .bias(let kernel): [kernel.shape[0]]
    }
  }

  func numbers<Number: NetworkNumber>() throws(ReadError) -> [Number] {
    switch self {
    case .tensor(let tensor):
      if tensor.fitsFloat || Number.self == Double.self {
        var numbers = [Number](repeating: 0, count: tensor.shape.elementCount)
        try tensor.readNumbers(0..<numbers.count, into: &numbers)
        return numbers
      }
      return try tensor.doubles().map { Number($0) }
    case .weights(let kernel):
      return try kernel.weights(ofRows: 0..<kernel.shape[0]).map { Number($0) }
    case .bias(let kernel):
      return kernel.bias.map { Number($0) }
    }
  }
}

// MARK: Running

extension Program {
  /// Computes the result of all steps, and of the blocks in `kept`.
  ///
  /// - Throws: `InferenceError` if the images do not fit.
  func run(
    _ input: FeatureMap<Number>, _ team: Team<Number>, keeping kept: Set<String>,
    _ keep: (_ block: String, FeatureMap<Number>) -> Void
  ) throws(InferenceError) -> FeatureMap<Number> {
    var map = input
    func size(
      _ convolution: MatrixConvolution<Number>, _ index: Int
    ) throws(InferenceError) -> (height: Int, width: Int) {
      guard let size = convolution.window.output(height: map.height, width: map.width) else {
        throw .imagesTooSmall(
          height: input.height, width: input.width, block: nameOfBlock(around: index))
      }
      let (pixels, overflow) = size.height.multipliedReportingOverflow(by: size.width)
      // A map that is larger than memory would not be had.
      guard !overflow, pixels <= largestMatrixSize / map.images,
        pixels * map.images <= memoryBytes / MemoryLayout<Number>.stride
          / convolution.outputChannels
      else {
        throw .imagesTooLarge(images: input.images, height: input.height, width: input.width)
      }
      return size
    }
    for (index, step) in steps.enumerated() {
      let last = map
      switch step {
      case .convolution(let layer):
        map = layer.apply(to: map, size: try size(layer.convolution, index), team: team)
      case .branches(let layer):
        map = layer.apply(to: map, size: try size(layer.dense.convolution, index), team: team)
      case .squeezeExcitation(let layer): layer.apply(to: map, team: team)
      case .relu: map.rectify(team)
      case .globalAveragePool: map = map.means(team)
      case .linear(let layer): map = layer.apply(to: map, team: team)
      case .endOfBlock(let name): if kept.contains(name) { keep(name, map) }
      }
      if last.buffer !== map.buffer { team.reuse(last) }
    }
    return map
  }

  private func nameOfBlock(around index: Int) -> String {
    for case .endOfBlock(let name) in steps[index...] { return name }
    return "operation \(index)"
  }
}

/// The machine's memory.
private let memoryBytes: Int = max(
  1 << 30, sysconf(CInt(_SC_PHYS_PAGES)) * sysconf(CInt(_SC_PAGESIZE)))
