internal import CKernels
internal import Tensors

/// A 3x3 convolution at stride 1 by Winograd's F(2x2, 3x3), arXiv:1509.09308: 4 multiplications for a number
/// of the output instead of 9. 2 x 2 tiles of the output are computed from the 4 x 4 positions they see, as
/// 16 matrix products over the channels.
///
/// Transformed weights are computed in float64 and rounded once. The transforms add and subtract only, of
/// few numbers, so that results are as close to the exact ones as those of a sum over taps.
struct WinogradConvolution: Sendable {
  private let shape: ConvolutionShape
  /// 16 for each group.
  private let factors: [Factor<Float>]

  /// - Parameter weights: OIHW.
  /// - Returns: nil if the kernel is of another kind, or has so few channels that the transforms would take
  ///   longer than what they save.
  init?(_ shape: ConvolutionShape, weights: [Float]) {
    let window = shape.window
    let (inputs, outputs) = (shape.inputsPerGroup, shape.outputsPerGroup)
    guard window.kernel == (3, 3), window.stride == (1, 1), window.dilation == (1, 1),
      min(inputs, outputs) >= 8
    else { return nil }
    self.shape = shape
    let size = inputs * outputs
    factors = (0..<shape.groups).flatMap { group in
      // 16 matrices, outputs x inputs.
      var transformed = [Float](repeating: 0, count: 16 * size)
      var target = transformed.mutableSpan
      for kernel in 0..<size {
        let numbers = transformedKernel { weights[(group * size + kernel) * 9 + $0] }
        for index in 0..<16 { target[index * size + kernel] = numbers[index] }
      }
      return (0..<16).map { index in
        Factor(depth: inputs, columns: outputs) {
          transformed[index * size + $1 * inputs + $0]
        }
      }
    }
  }

  /// Tiles that are worked on at a time: what belongs to them should stay in the cache; but the weights are
  /// read for each such band.
  private var widestBand: Int {
    let (numbersInCache, mostNumbers) = (1 << 19, 1 << 26)
    let numbers = 16 * (rowStride(shape.inputsPerGroup) + rowStride(shape.outputsPerGroup))
    let width = max(84, min(252, numbersInCache / numbers / 42 * 42))
    return max(1, min(width, mostNumbers / numbers))
  }

  func apply(
    _ input: FeatureMap<Float>, into output: FeatureMap<Float>, _ finish: Finish<Float>,
    _ pool: WorkerPool<Float>
  ) {
    let (inputs, outputs) = (shape.inputsPerGroup, shape.outputsPerGroup)
    let (rows, columns) = ((output.height + 1) / 2, (output.width + 1) / 2)
    let seen = ckernels_tiling(
      height: input.height, width: input.width, channels: input.channels,
      padding_y: shape.window.padding.y, padding_x: shape.window.padding.x, rows: rows,
      columns: columns)
    let made = ckernels_tiling(
      height: output.height, width: output.width, channels: output.channels, padding_y: 0,
      padding_x: 0, rows: rows, columns: columns)
    let tasks = ProductTasks(
      rows: output.images * rows * columns, widest: widestBand, columns: outputs,
      groups: shape.groups)
    let (inputStride, outputStride) = (rowStride(inputs), rowStride(outputs))
    // A line more, so that the 16 matrices do not share places in the cache.
    let inputSize = tasks.bands.width * inputStride + 16
    let outputSize = tasks.bands.width * outputStride + 16
    unsafe pool.forEachTask(
      below: tasks.count, needing: 16 * (inputSize + outputSize)
    ) { index, memory in
      let (group, tiles, part) = tasks[index]
      let products = unsafe memory + 16 * inputSize
      // Safe: the matrices have room for a band's tiles, the maps for what the tilings say; no other task
      // works on these tiles of these channels.
      unsafe withUnsafePointer(to: seen) { seen in
        unsafe Float.kernels.winograd_input(
          seen, input.position(0) + group * inputs, tiles.lowerBound, tiles.count, inputs, memory,
          inputStride, inputSize)
      }
      for matrix in 0..<16 {
        unsafe factors[16 * group + matrix].multiply(
          rows: tiles.count, memory + matrix * inputSize, inputStride, part: part,
          into: products + matrix * outputSize, outputStride)
      }
      let first = group * outputs + part.lowerBound
      unsafe withUnsafePointer(to: made) { made in
        unsafe Float.kernels.winograd_output(
          made, products + part.lowerBound, outputStride, outputSize, tiles.lowerBound, tiles.count,
          part.count, finish.bias.map { unsafe UnsafePointer($0.start) + first }, finish.hasReLU,
          output.position(0) + first)
      }
    }
  }
}

/// `G g Gᵀ`, 4 x 4, of a kernel of 3 x 3.
private func transformedKernel(_ kernel: (_ tap: Int) -> Float) -> InlineArray<16, Float> {
  func transformed(_ a: Double, _ b: Double, _ c: Double) -> (Double, Double, Double, Double) {
    (a, (a + b + c) / 2, (a - b + c) / 2, c)
  }
  var rows = InlineArray<3, (Double, Double, Double, Double)>(repeating: (0, 0, 0, 0))
  for y in 0..<3 {
    rows[y] = transformed(
      Double(kernel(3 * y)), Double(kernel(3 * y + 1)), Double(kernel(3 * y + 2)))
  }
  var result = InlineArray<16, Float>(repeating: 0)
  func put(_ column: Int, _ a: Double, _ b: Double, _ c: Double) {
    let numbers = transformed(a, b, c)
    result[column] = Float(numbers.0)
    result[4 + column] = Float(numbers.1)
    result[8 + column] = Float(numbers.2)
    result[12 + column] = Float(numbers.3)
  }
  put(0, rows[0].0, rows[1].0, rows[2].0)
  put(1, rows[0].1, rows[1].1, rows[2].1)
  put(2, rows[0].2, rows[1].2, rows[2].2)
  put(3, rows[0].3, rows[1].3, rows[2].3)
  return result
}
