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

/// The sizes of a convolution.
struct ConvolutionShape: Sendable {
  var window: Window
  var groups, inputsPerGroup, outputsPerGroup: Int

  var outputs: Int { groups * outputsPerGroup }
}

/// What is done to a convolution's sums in passing.
struct Finish<Number: NetworkNumber>: Sendable {
  /// Added, one for each output channel; nil for none.
  var bias: NumberBuffer<Number>?
  /// Whether what is negative becomes zero.
  var hasReLU: Bool
}

/// Computes a convolution of a map into one of the right size.
typealias ConvolutionMethod<Number: NetworkNumber> =
  @Sendable (FeatureMap<Number>, FeatureMap<Number>, Finish<Number>, WorkerPool<Number>) -> Void

/// A convolution with its parameters in memory.
struct Convolution<Number: NetworkNumber>: Sendable {
  private let shape: ConvolutionShape
  private let method: ConvolutionMethod<Number>
  private let bias: NumberBuffer<Number>?

  /// - Parameters:
  ///   - shape: of the weights, OIHW.
  ///   - bias: one for each output channel; nil for none.
  init(
    shape weightShape: Shape, groups: Int, stride: (y: Int, x: Int), padding: (y: Int, x: Int),
    dilation: (y: Int, x: Int), weights: [Number], bias: [Number]? = nil
  ) {
    let window = Window(
      kernel: (weightShape[2], weightShape[3]), stride: stride, padding: padding,
      dilation: dilation)
    let shape = ConvolutionShape(
      window: window, groups: groups, inputsPerGroup: weightShape[1],
      outputsPerGroup: weightShape[0] / groups)
    self.shape = shape
    self.bias = bias.map { NumberBuffer($0) }
    if groups > 1 && shape.inputsPerGroup == 1 {
      let depthwise = DepthwiseConvolution(shape, weights: weights)
      method = { depthwise.apply($0, into: $1, $2, $3) }
    } else if let shortcut = Number.shortcut(for: shape, weights: weights) {
      method = shortcut
    } else {
      let products = ProductConvolution(shape, weights: weights)
      method = { products.apply($0, into: $1, $2, $3) }
    }
  }

  /// - Parameter hasReLU: whether a ReLU follows.
  func apply(
    _ input: FeatureMap<Number>, hasReLU: Bool = false, _ pool: WorkerPool<Number>
  ) -> FeatureMap<Number> {
    let (height, width) = shape.window.output(of: input)
    let output = pool.map(
      channels: shape.outputs, images: input.images, height: height, width: width)
    method(input, output, Finish(bias: bias, hasReLU: hasReLU), pool)
    return output
  }
}
