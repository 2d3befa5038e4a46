internal import Graphs
internal import Tensors

extension LayerKind {
  /// Of a block that has branches, those instead.
  static var convolution: LayerKind {
    LayerKind(.convolution) { node in
      let (stride, padding) = (node.pair("stride"), node.pair("padding"))
      let groups = node.node.attribute("groups")[0]
      let weight = node.node.operand("weight")!
      if case .branch(let branch) = node.parameters.sources[weight] {
        let trained = try TrainedBranch<Number>(
          branch, inputs: node.shape("weight")[1] * groups, stride: stride, padding: padding)
        return Layer(
          apply: { call in
            let result = trained.apply(call.inputs[0], call.pool)
            if call.hasReLU { result.rectify(call.pool) }
            return result
          }, takesReLU: true)
      }
      let convolution = Convolution(
        shape: node.shape("weight"), groups: groups, stride: stride, padding: padding,
        dilation: node.pair("dilation"), weights: try node.numbers("weight"),
        bias: try node.numbers(ifPresent: "bias"))
      return Layer(
        apply: { convolution.apply($0.inputs[0], hasReLU: $0.hasReLU, $0.pool) }, takesReLU: true)
    }
  }
}

/// A convolution with its parameters in memory.
struct Convolution<Number: NetworkNumber>: Sendable {
  let window: Window
  let inputChannels, outputChannels, groups: Int
  /// `[outputChannels, inputChannels / groups, taps]`.
  let weights: [Number]
  /// One for each output channel; nil for none.
  let bias: [Number]?

  /// - Parameter shape: of the weights, OIHW.
  init(
    shape: Shape, groups: Int, stride: (y: Int, x: Int), padding: (y: Int, x: Int),
    dilation: (y: Int, x: Int), weights: [Number], bias: [Number]? = nil
  ) {
    window = Window(
      kernel: (shape[2], shape[3]), stride: stride, padding: padding, dilation: dilation)
    inputChannels = shape[1] * groups
    outputChannels = shape[0]
    self.groups = groups
    self.weights = weights
    self.bias = bias
  }

  /// - Parameter hasReLU: whether a ReLU follows.
  func apply(
    _ input: FeatureMap<Number>, hasReLU: Bool = false, _ pool: WorkerPool<Number>
  ) -> FeatureMap<Number> {
    let (height, width) = window.output(of: input)
    let output = pool.map(
      channels: outputChannels, images: input.images, height: height, width: width)
    if groups > 1 && groups == inputChannels {
      convolveDepthwise(input, into: output, hasReLU, pool)
    } else {
      multiply(input, into: output, hasReLU, pool)
    }
    return output
  }
}
