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
