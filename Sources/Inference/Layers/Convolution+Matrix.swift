internal import Tensors

extension Convolution {
  /// Numbers that make up one number of the output.
  private var depth: Int { inputChannels / groups * window.taps }

  /// The positions of an output are worked on in bands of this many at most, so that what the kernel
  /// sees of one stays in the processor's cache. Measured: half or twice as wide is slower.
  private var bandWidth: Int {
    let numbersInCache = 1 << 18
    // Narrower, and products become inefficient; but no kernel may ask for more memory than this.
    let (narrowest, mostNumbers) = (256, 1 << 26)
    let width = max(narrowest, min(4096, numbersInCache / depth / 64 * 64))
    return max(16, min(width, mostNumbers / depth))
  }

  /// A convolution as matrix products: weights, one row for each output channel, times what the kernel
  /// sees, one column for each position.
  func multiply(
    _ input: FeatureMap<Number>, into output: FeatureMap<Number>, _ hasReLU: Bool,
    _ pool: WorkerPool<Number>
  ) {
    let (inputs, rows, depth) = (inputChannels / groups, outputChannels / groups, depth)
    let bands = Bands(positions: output.columns, widest: bandWidth)
    unsafe pool.forEachTask(
      below: bands.count * groups, needing: window.isIdentity ? 0 : depth * bands.width
    ) { task, memory in
      let (group, band) = task.quotientAndRemainder(dividingBy: bands.count)
      let positions = bands[band]
      let (firstInput, firstRow) = (group * inputs, group * rows)
      // Safe: the matrices are as large as the product asks for, and `memory` has room for what the
      // kernel sees of a band.
      var (seen, stride) = unsafe (
        UnsafePointer(input.plane(firstInput) + positions.lowerBound), input.columns
      )
      if !window.isIdentity {
        unsafe window.unfold(
          input, channels: firstInput..<firstInput + inputs, positions: positions,
          output: (output.height, output.width), into: memory)
        unsafe (seen, stride) = (UnsafePointer(memory), positions.count)
      }
      unsafe weights.withUnsafeBufferPointer { weights in
        unsafe Number.multiply(
          rows: rows, columns: positions.count, depth: depth,
          weights.baseAddress! + firstRow * depth, depth, seen, stride,
          into: output.plane(firstRow) + positions.lowerBound, output.columns)
      }
      for channel in firstRow..<firstRow + rows {
        // Safe: the positions of one channel, which no other task works on.
        unsafe finish(
          UnsafeMutableBufferPointer(
            start: output.plane(channel) + positions.lowerBound, count: positions.count),
          bias: bias?[channel], hasReLU)
      }
    }
  }

  private func finish(
    _ numbers: UnsafeMutableBufferPointer<Number>, bias: Number?, _ hasReLU: Bool
  ) {
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
