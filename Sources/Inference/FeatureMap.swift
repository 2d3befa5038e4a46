internal import Tensors

/// Memory for numbers, aligned to cache lines; what is in it at first is not defined.
///
/// `@unchecked Sendable`: a layer's threads write to disjoint parts of it, and everybody else waits for
/// them before reading.
@safe final class NumberBuffer<Number: NetworkNumber>: @unchecked Sendable {
  let start: UnsafeMutablePointer<Number>
  let capacity: Int

  init(_ capacity: Int) {
    self.capacity = max(1, capacity)
    // Kernels read whole vectors, also of the last numbers.
    let allocated = self.capacity + 16
    unsafe start = UnsafeMutableRawPointer.allocate(
      byteCount: allocated * MemoryLayout<Number>.stride, alignment: 64
    ).bindMemory(to: Number.self, capacity: allocated)
  }

  convenience init(_ numbers: [Number]) {
    self.init(numbers.count)
    // Safe: there is room for them.
    unsafe start.update(from: numbers, count: numbers.count)
  }

  deinit { unsafe UnsafeMutableRawPointer(start).deallocate() }
}

/// What flows from layer to layer: `N x H x W x C`, channels innermost. So it is a matrix, a row for each
/// position of each image and a column for each channel; a convolution is one matrix product, and what is
/// computed at a position finds all channels side by side.
struct FeatureMap<Number: NetworkNumber>: Sendable {
  var channels, images, height, width: Int
  var buffer: NumberBuffer<Number>

  /// Of all images, row by row: image `i`, row `y`, column `x` is position `(i * height + y) * width + x`.
  var positions: Int { images * height * width }

  /// The numbers of a position, one for each channel; those of the next position follow.
  func position(_ index: Int) -> UnsafeMutablePointer<Number> {
    // Safe: callers keep to the positions and channels that there are.
    unsafe buffer.start + index * channels
  }

  /// All numbers in the order of PyTorch and NumPy, `N x C x H x W`.
  func numbers() -> [Double] {
    let area = height * width
    var result = [Double](repeating: 0, count: channels * positions)
    for image in 0..<images {
      for index in 0..<area {
        let numbers = unsafe position(image * area + index)
        for channel in 0..<channels {
          result[(image * channels + channel) * area + index] = unsafe Double(numbers[channel])
        }
      }
    }
    return result
  }
}
