internal import Graphs
internal import Tensors

extension LayerKind {
  static var convolution: LayerKind {
    LayerKind(.convolution) { node in
      if let block = try node.source.trainingBlock(for: node.index) {
        return try BranchedLayer<Number>(block, like: node)
      }
      let shape = node.shape("weight")
      let groups = node.node.attribute("groups")[0]
      let window = Window(
        kernel: (shape[2], shape[3]), stride: node.pair("stride"), padding: node.pair("padding"),
        dilation: node.pair("dilation"))
      let weights = try node.numbers("weight")
      let bias = try node.numbers(ifPresent: "bias")
      if groups > 1 && shape[1] == 1 {
        return DepthwiseLayer<Number>(
          window: window, multiplier: shape[0] / groups, weights: weights, bias: bias)
      }
      return ConvolutionLayer<Number>(
        convolution: MatrixConvolution(
          window: window, inputChannels: shape[1] * groups, outputChannels: shape[0],
          groups: groups, weights: weights), bias: bias)
    }
  }
}

/// A convolution as matrix products, with what follows it.
struct ConvolutionLayer<Number: NetworkNumber>: Layer {
  var convolution: MatrixConvolution<Number>
  /// One for each output channel; nil for none.
  var bias: [Number]?
  var hasReLU = false

  func withReLU() -> Self? {
    var layer = self
    layer.hasReLU = true
    return hasReLU ? nil : layer
  }

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let (input, output) = (call.inputs[0], call.result())
    let size = (height: call.height, width: call.width)
    let bands = Bands(positions: output.columns, widest: convolution.bandWidth)
    let rows = convolution.outputChannels / convolution.groups
    unsafe call.pool.forEachTask(
      below: bands.count * convolution.groups,
      needing: convolution.memory(forBandOf: bands.width)
    ) { task, memory in
      let (group, band) = task.quotientAndRemainder(dividingBy: bands.count)
      let positions = bands[band]
      unsafe convolution.multiply(
        input, group: group, positions: positions, output: size, memory: memory,
        into: output.plane(group * rows) + positions.lowerBound, rowStride: output.columns)
      for channel in group * rows..<(group + 1) * rows {
        // Safe: the positions of one channel, which no other task works on.
        unsafe finish(
          UnsafeMutableBufferPointer(
            start: output.plane(channel) + positions.lowerBound, count: positions.count),
          bias: bias?[channel])
      }
    }
    return output
  }

  private func finish(_ numbers: UnsafeMutableBufferPointer<Number>, bias: Number?) {
    if hasReLU {
      let bias = bias ?? 0
      for index in 0..<numbers.count {
        unsafe numbers[index] = (numbers[index] + bias).rectified
      }
    } else if let bias {
      for index in 0..<numbers.count { unsafe numbers[index] += bias }
    }
  }
}
