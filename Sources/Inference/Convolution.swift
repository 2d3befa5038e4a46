internal import Tensors

/// A convolution as matrix products: weights, one row for each output channel, times what the kernel
/// sees, one column for each position.
struct MatrixConvolution<Number: NetworkNumber>: Sendable {
  var window: Window
  var inputChannels, outputChannels, groups: Int
  /// `[outputChannels, depth]`.
  var weights: [Number]

  /// Numbers that make up one number of the output.
  var depth: Int { inputChannels / groups * window.taps }

  /// The positions of an output are worked on in bands of this many at most, so that what the kernel
  /// sees of one stays in the processor's cache. Measured: half or twice as wide is slower.
  var bandWidth: Int {
    let numbersInCache = 1 << 18
    // Narrower, and products become inefficient; but no kernel may ask for more memory than this.
    let (narrowest, mostNumbers) = (256, 1 << 26)
    let width = max(narrowest, min(4096, numbersInCache / depth / 64 * 64))
    return max(16, min(width, mostNumbers / depth))
  }

  /// Room that `multiply` needs for a band.
  func memory(forBandOf width: Int) -> Int { window.isIdentity ? 0 : depth * width }

  /// Computes one group of channels of the output at some positions.
  ///
  /// - Parameters:
  ///   - memory: room for `memory(forBandOf:)` numbers.
  ///   - result: the first row's place for these positions; `rowStride` numbers to the next row.
  func multiply(
    _ input: FeatureMap<Number>, group: Int, positions: Range<Int>,
    output: (height: Int, width: Int), memory: UnsafeMutablePointer<Number>,
    into result: UnsafeMutablePointer<Number>, rowStride: Int
  ) {
    let count = inputChannels / groups
    let channels = group * count..<(group + 1) * count
    let rows = outputChannels / groups
    // Safe: the matrices are as large as the products ask for.
    unsafe weights.withUnsafeBufferPointer { weights in
      let kernel = unsafe weights.baseAddress! + group * rows * depth
      if window.isIdentity {
        unsafe Number.multiply(
          rows: rows, columns: positions.count, depth: depth, kernel, depth,
          input.plane(channels.lowerBound) + positions.lowerBound, input.columns,
          into: result, rowStride)
      } else {
        unsafe window.unfold(
          input, channels: channels, positions: positions, output: output, into: memory)
        unsafe Number.multiply(
          rows: rows, columns: positions.count, depth: depth, kernel, depth, memory,
          positions.count, into: result, rowStride)
      }
    }
  }
}

/// The positions of an output, cut into bands of about equal width.
struct Bands {
  let positions: Int
  let width: Int

  var count: Int { (positions + width - 1) / width }

  /// - Parameter widest: how wide a band may be. They are made narrower where there would be few, so
  ///   that several threads have something to do; but not so narrow that products become inefficient.
  init(positions: Int, widest: Int) {
    self.positions = positions
    let few = 8
    let narrowest = 64
    let count = max((positions + widest - 1) / widest, min(few, positions / narrowest), 1)
    // Whole cache lines, so that no two threads write to the same one.
    width = ((positions + count - 1) / count + 15) / 16 * 16
  }

  subscript(index: Int) -> Range<Int> {
    index * width..<min((index + 1) * width, positions)
  }
}

/// A convolution with bias, and ReLU if it follows: a deploy block.
struct ConvolutionLayer<Number: NetworkNumber>: Sendable {
  var convolution: MatrixConvolution<Number>
  /// One for each output channel.
  var bias: [Number]
  var hasReLU = false

  func apply(
    to input: FeatureMap<Number>, size: (height: Int, width: Int), team: Team<Number>
  ) -> FeatureMap<Number> {
    let output = team.map(
      channels: convolution.outputChannels, images: input.images, height: size.height,
      width: size.width)
    let bands = Bands(positions: output.columns, widest: convolution.bandWidth)
    let rows = convolution.outputChannels / convolution.groups
    unsafe team.forEachTask(
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
          bias: bias[channel])
      }
    }
    return output
  }

  private func finish(_ numbers: UnsafeMutableBufferPointer<Number>, bias: Number) {
    if hasReLU {
      for index in 0..<numbers.count {
        unsafe numbers[index] = (numbers[index] + bias).rectified
      }
    } else {
      for index in 0..<numbers.count { unsafe numbers[index] += bias }
    }
  }
}

/// Batch normalisation with its running statistics, as a factor and a summand for each channel.
struct Normalisation<Number: NetworkNumber>: Sendable {
  var scale, shift: [Number]
}

/// A training block as it was trained: each branch computed by itself, then summed.
struct BranchedLayer<Number: NetworkNumber>: Sendable {
  struct Branch: Sendable {
    var convolution: MatrixConvolution<Number>
    /// Of the convolution, before its BatchNorm; rare.
    var bias: [Number]?
    var norm: Normalisation<Number>
  }
  var dense, pointwise: Branch
  var identity: Normalisation<Number>?
  var hasReLU = false

  func apply(
    to input: FeatureMap<Number>, size: (height: Int, width: Int), team: Team<Number>
  ) -> FeatureMap<Number> {
    let (convolution, groups) = (dense.convolution, dense.convolution.groups)
    let output = team.map(
      channels: convolution.outputChannels, images: input.images, height: size.height,
      width: size.width)
    let bands = Bands(positions: output.columns, widest: convolution.bandWidth)
    let rows = convolution.outputChannels / groups
    let unfolded = max(
      convolution.memory(forBandOf: bands.width),
      pointwise.convolution.memory(forBandOf: bands.width))
    unsafe team.forEachTask(
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
