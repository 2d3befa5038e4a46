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
    unsafe start = UnsafeMutableRawPointer.allocate(
      byteCount: self.capacity * MemoryLayout<Number>.stride, alignment: 64
    ).bindMemory(to: Number.self, capacity: self.capacity)
  }

  deinit { unsafe UnsafeMutableRawPointer(start).deallocate() }
}

/// What flows from layer to layer: `C x N x H x W`, channels outermost, so that all images of a batch
/// are the columns of one matrix and a layer is one matrix product.
struct FeatureMap<Number: NetworkNumber>: Sendable {
  var channels, images, height, width: Int
  var buffer: NumberBuffer<Number>

  /// Positions of all images: the numbers of one channel.
  var columns: Int { images * height * width }

  /// The first number of a channel.
  func plane(_ channel: Int) -> UnsafeMutablePointer<Number> {
    // Safe: callers keep to the channels and columns that there are.
    unsafe buffer.start + channel * columns
  }

  /// All numbers in the order of PyTorch and NumPy, `N x C x H x W`.
  func numbers() -> [Double] {
    let area = height * width
    var result = [Double](repeating: 0, count: channels * columns)
    for channel in 0..<channels {
      let plane = unsafe UnsafeBufferPointer(start: plane(channel), count: columns)
      for image in 0..<images {
        let target = (image * channels + channel) * area
        for index in 0..<area {
          result[target + index] = unsafe Double(plane[image * area + index])
        }
      }
    }
    return result
  }
}
