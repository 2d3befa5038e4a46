internal import Tensors

/// A convolution as matrix products (im2col): what the kernel sees, a row for each position, times weights, a
/// column for each output channel.
struct ProductConvolution<Number: NetworkNumber>: Sendable {
  private let shape: ConvolutionShape
  /// One for each group.
  private let factors: [Factor<Number>]

  /// - Parameter weights: OIHW.
  init(_ shape: ConvolutionShape, weights: [Number]) {
    self.shape = shape
    let (inputs, outputs, taps) = (shape.inputsPerGroup, shape.outputsPerGroup, shape.window.taps)
    factors = (0..<shape.groups).map { group in
      Factor(depth: inputs * taps, columns: outputs) { row, column in
        weights[((group * outputs + column) * inputs + row % inputs) * taps + row / inputs]
      }
    }
  }

  /// Positions of the output that are worked on at a time, so that what the kernel sees of them stays in the
  /// processor's cache.
  private var widestBand: Int {
    // Narrower, and products become inefficient; but no kernel may ask for more memory than this.
    let (numbersInCache, mostNumbers) = (1 << 18, 1 << 26)
    let stride = rowStride(factors[0].depth)
    let width = max(42, min(1008, numbersInCache / stride / 42 * 42))
    return max(1, min(width, mostNumbers / stride))
  }

  func apply(
    _ input: FeatureMap<Number>, into output: FeatureMap<Number>, _ finish: Finish<Number>,
    _ pool: WorkerPool<Number>
  ) {
    let (inputs, outputs) = (shape.inputsPerGroup, shape.outputsPerGroup)
    // Rows a power of two apart share places in the cache; so they are copied.
    let isRead = shape.window.isIdentity && !input.channels.isMultiple(of: 512)
    let stride = isRead ? input.channels : rowStride(factors[0].depth)
    let tasks = ProductTasks(
      rows: output.positions, widest: widestBand, columns: outputs, groups: shape.groups)
    unsafe pool.forEachTask(
      below: tasks.count, needing: isRead ? 0 : tasks.bands.width * stride
    ) { index, memory in
      let (group, positions, part) = tasks[index]
      let channels = group * inputs..<(group + 1) * inputs
      // Safe: the matrices are as large as the product asks for, `memory` has room for what the kernel sees
      // of a band, and no other task works on these positions of these channels.
      var seen = unsafe UnsafePointer(memory)
      if isRead {
        unsafe seen = UnsafePointer(input.position(positions.lowerBound) + channels.lowerBound)
      } else {
        unsafe shape.window.unfold(
          input, channels: channels, positions: positions, output: (output.height, output.width),
          into: memory, stride: stride)
      }
      unsafe factors[group].multiply(
        rows: positions.count, seen, stride, part: part,
        into: output.position(positions.lowerBound) + group * outputs, output.channels,
        bias: finish.bias.map { unsafe UnsafePointer($0.start) + group * outputs },
        hasReLU: finish.hasReLU)
    }
  }
}
