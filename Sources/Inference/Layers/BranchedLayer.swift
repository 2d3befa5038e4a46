internal import Tensors

/// Batch normalisation with its running statistics, as a factor and a summand for each channel.
struct Normalisation<Number: NetworkNumber>: Sendable {
  var scale, shift: [Number]
}

/// A training block as it was trained: each branch computed by itself, then summed.
struct BranchedLayer<Number: NetworkNumber>: Layer {
  struct Branch: Sendable {
    var convolution: MatrixConvolution<Number>
    /// Of the convolution, before its BatchNorm; rare.
    var bias: [Number]?
    var norm: Normalisation<Number>
  }
  var dense, pointwise: Branch
  var identity: Normalisation<Number>?
  var hasReLU = false

  func withReLU() -> Self? {
    var layer = self
    layer.hasReLU = true
    return hasReLU ? nil : layer
  }

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let (input, output) = (call.inputs[0], call.result())
    let size = (height: call.height, width: call.width)
    let (convolution, groups) = (dense.convolution, dense.convolution.groups)
    let bands = Bands(positions: output.columns, widest: convolution.bandWidth)
    let rows = convolution.outputChannels / groups
    let unfolded = max(
      convolution.memory(forBandOf: bands.width),
      pointwise.convolution.memory(forBandOf: bands.width))
    unsafe call.pool.forEachTask(
      below: bands.count * groups, needing: unfolded + rows * bands.width
    ) { task, memory in
      let (group, band) = task.quotientAndRemainder(dividingBy: bands.count)
      let positions = bands[band]
      let channels = group * rows..<(group + 1) * rows
      // Safe: the positions of one group's channels, which no other task works on, and memory of this
      // task alone.
      let result = unsafe output.plane(channels.lowerBound) + positions.lowerBound
      unsafe convolution.multiply(
        input, group: group, positions: positions, output: size, memory: memory, into: result,
        rowStride: output.columns)
      let product = unsafe memory + unfolded
      unsafe pointwise.convolution.multiply(
        input, group: group, positions: positions, output: size, memory: memory, into: product,
        rowStride: positions.count)

      for (row, channel) in channels.enumerated() {
        let sum = unsafe UnsafeMutableBufferPointer(
          start: result + row * output.columns, count: positions.count)
        let (scale, shift, bias) = dense.parameters(channel)
        for index in 0..<positions.count {
          unsafe sum[index] = (sum[index] + bias) * scale + shift
        }
        unsafe pointwise.add(product + row * positions.count, channel: channel, to: sum)
        if let identity {
          let (scale, shift) = (identity.scale[channel], identity.shift[channel])
          let same = unsafe input.plane(channel) + positions.lowerBound
          for index in 0..<positions.count {
            unsafe sum[index] += same[index] * scale + shift
          }
        }
        if hasReLU {
          for index in 0..<positions.count { unsafe sum[index] = sum[index].rectified }
        }
      }
    }
    return output
  }
}

extension BranchedLayer.Branch {
  func parameters(_ channel: Int) -> (scale: Number, shift: Number, bias: Number) {
    (norm.scale[channel], norm.shift[channel], bias?[channel] ?? 0)
  }

  /// Adds what BatchNorm makes of this branch's products.
  func add(
    _ products: UnsafePointer<Number>, channel: Int, to sum: UnsafeMutableBufferPointer<Number>
  ) {
    let (scale, shift, bias) = parameters(channel)
    for index in 0..<sum.count {
      unsafe sum[index] += (products[index] + bias) * scale + shift
    }
  }
}
