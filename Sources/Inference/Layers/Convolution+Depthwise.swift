internal import Tensors

extension Convolution {
  /// A convolution in which each input channel has output channels of its own. There is nothing to sum
  /// over channels, so a product of matrices would be one row high; instead each tap's weight is
  /// multiplied with a whole row of the image at once.
  func convolveDepthwise(
    _ input: FeatureMap<Number>, into output: FeatureMap<Number>, _ hasReLU: Bool,
    _ pool: WorkerPool<Number>
  ) {
    let multiplier = outputChannels / inputChannels
    unsafe pool.forEachTask(below: output.channels) { channel, _ in
      let source = unsafe UnsafePointer(input.plane(channel / multiplier))
      let target = unsafe output.plane(channel)
      let bias = bias?[channel] ?? 0
      for image in 0..<input.images {
        // Safe: one image of one channel, which no other task works on.
        unsafe convolve(
          source + image * input.height * input.width, input.height, input.width,
          into: target + image * output.height * output.width, output.height, output.width,
          channel, bias, hasReLU)
      }
    }
  }

  private func convolve(
    _ input: UnsafePointer<Number>, _ height: Int, _ width: Int,
    into output: UnsafeMutablePointer<Number>, _ rows: Int, _ columns: Int, _ channel: Int,
    _ bias: Number, _ hasReLU: Bool
  ) {
    unsafe weights.withUnsafeBufferPointer { weights in
      let weights = unsafe weights.baseAddress! + channel * window.taps
      for row in 0..<rows {
        let result = unsafe output + row * columns
        unsafe result.update(repeating: bias, count: columns)
        for y in 0..<window.kernel.height {
          let line = row * window.stride.y - window.padding.y + y * window.dilation.y
          guard line >= 0, line < height else { continue }
          for x in 0..<window.kernel.width {
            let weight = unsafe weights[y * window.kernel.width + x]
            let right = x * window.dilation.x - window.padding.x
            let inside = window.columns(of: width, right: right, among: columns)
            // Safe: the columns whose tap lies inside the image.
            let source = unsafe input + (line * width + right)
            if window.stride.x == 1 {
              for column in inside { unsafe result[column] += weight * source[column] }
            } else {
              for column in inside {
                unsafe result[column] += weight * source[column * window.stride.x]
              }
            }
          }
        }
        if hasReLU {
          for column in 0..<columns { unsafe result[column] = result[column].rectified }
        }
      }
    }
  }
}
