internal import Tensors

/// A depthwise convolution over maps of one size as a matrix over all values of a map, not yet computed:
/// row `(s, y, x)` has the weight `K[s, v - y + p, u - x + q]` in column `(v, u)`, with the kernel's centre
/// at `(p, q)`, and none where that is outside the kernel.
///
/// A class, since a kernel has kernels in it.
final class Unrolled: Sendable {
  /// `[S, 1, kH, kW]`, of odd sizes.
  let kernel: Kernel
  let height, width: Int

  init(kernel: Kernel, height: Int, width: Int) {
    (self.kernel, self.height, self.width) = (kernel, height, width)
  }

  /// The weights of some rows: `[rows, height width]`.
  func weights(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    let area = height * width
    let (kernelHeight, kernelWidth) = (kernel.shape[2], kernel.shape[3])
    let channels = rows.lowerBound / area..<(rows.upperBound - 1) / area + 1
    let weights = try kernel.weights(ofRows: channels)
    var result = [Double](repeating: 0, count: rows.count * area)
    for (index, row) in rows.enumerated() {
      let (channel, place) = row.quotientAndRemainder(dividingBy: area)
      let (y, x) = place.quotientAndRemainder(dividingBy: width)
      for tapY in 0..<kernelHeight {
        let v = y + tapY - kernelHeight / 2
        guard 0..<height ~= v else { continue }
        for tapX in 0..<kernelWidth {
          let u = x + tapX - kernelWidth / 2
          guard 0..<width ~= u else { continue }
          result[index * area + v * width + u] =
            weights[((channel - channels.lowerBound) * kernelHeight + tapY) * kernelWidth + tapX]
        }
      }
    }
    return result
  }
}
