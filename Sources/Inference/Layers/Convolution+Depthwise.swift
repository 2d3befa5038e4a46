internal import CKernels
internal import Tensors

/// A convolution in which each input channel has output channels of its own. There is nothing to sum over
/// channels, so a product of matrices would be one column wide; instead a block of channels is computed at
/// once, each tap's weights times the numbers of a position.
struct DepthwiseConvolution<Number: NetworkNumber>: Sendable {
  private let shape: ConvolutionShape
  /// For each block of output channels, for each tap a number for each of its channels.
  private let weights: NumberBuffer<Number>

  /// Channels of a block.
  private static var block: Int { ckernels_block }
  private var blocks: Int { (shape.outputs + Self.block - 1) / Self.block }

  /// - Parameter weights: OIHW; `I` is 1.
  init(_ shape: ConvolutionShape, weights: [Number]) {
    self.shape = shape
    let taps = shape.window.taps
    var blocks = [Number](
      repeating: 0, count: (shape.outputs + Self.block - 1) / Self.block * taps * Self.block)
    for channel in 0..<shape.outputs {
      let (block, lane) = channel.quotientAndRemainder(dividingBy: Self.block)
      for tap in 0..<taps {
        blocks[(block * taps + tap) * Self.block + lane] = weights[channel * taps + tap]
      }
    }
    self.weights = NumberBuffer(blocks)
  }

  func apply(
    _ input: FeatureMap<Number>, into output: FeatureMap<Number>, _ finish: Finish<Number>,
    _ pool: WorkerPool<Number>
  ) {
    let (window, block) = (shape.window, Self.block)
    // Lines of the image with zeros to both sides, as far as windows see.
    let lineWidth =
      (output.width - 1) * window.stride.x + (window.kernel.width - 1) * window.dilation.x + 1
    let lineSize = lineWidth * block
    // So many rows of the output at a time that the lines they see stay in the cache.
    let numbersInCache = 1 << 16
    let linesInCache = numbersInCache / lineSize - window.dilation.y * (window.kernel.height - 1)
    let rowsAtOnce = max(1, min(output.height, linesInCache / window.stride.y))
    let bands = (output.height + rowsAtOnce - 1) / rowsAtOnce
    let lines = min(
      input.height,
      (rowsAtOnce - 1) * window.stride.y + (window.kernel.height - 1) * window.dilation.y + 1)
    unsafe pool.forEachTask(
      below: output.images * bands * blocks, needing: block + lines * lineSize
    ) { task, memory in
      let (rest, band) = task.quotientAndRemainder(dividingBy: bands)
      let (image, index) = rest.quotientAndRemainder(dividingBy: blocks)
      let rows = band * rowsAtOnce..<min((band + 1) * rowsAtOnce, output.height)
      let channels = index * block..<min((index + 1) * block, output.channels)
      // Safe: `memory` has room for a block's bias and for the lines that the rows see; no other task works
      // on these rows of these channels.
      let (bias, copies) = unsafe (memory, memory + block)
      for lane in 0..<block {
        let channel = channels.lowerBound + lane
        unsafe bias[lane] = channels.contains(channel) ? finish.bias?.start[channel] ?? 0 : 0
      }
      let first = max(0, rows.lowerBound * window.stride.y - window.padding.y)
      let lastTop = (rows.upperBound - 1) * window.stride.y - window.padding.y
      let end = min(input.height, lastTop + (window.kernel.height - 1) * window.dilation.y + 1)
      for line in first..<max(first, end) {
        unsafe copy(
          input, image * input.height + line, channels, to: copies + (line - first) * lineSize,
          width: lineWidth)
      }
      for row in rows {
        let (top, taps) = window.taps(y: row, of: input.height)
        let firstLine = taps.isEmpty ? 0 : top + taps.lowerBound * window.dilation.y - first
        let sweep = ckernels_sweep(
          height: taps.count, width: window.kernel.width,
          tap_y: window.dilation.y * lineSize, tap_x: window.dilation.x * block,
          step: window.stride.x * block, count: output.width, stride: output.channels,
          channels: channels.count, rectifies: finish.hasReLU)
        let firstTap = index * window.taps + taps.lowerBound * window.kernel.width
        unsafe Number.sweep(
          sweep, copies + firstLine * lineSize, weights: weights.start + firstTap * block,
          bias: bias,
          into: output.position((image * output.height + row) * output.width)
            + channels.lowerBound)
      }
    }
  }

  /// Copies what the output channels of a block see of a line of the input, with zeros to both sides.
  private func copy(
    _ input: FeatureMap<Number>, _ line: Int, _ channels: Range<Int>,
    to copy: UnsafeMutablePointer<Number>, width: Int
  ) {
    let (padding, block) = (shape.window.padding.x, Self.block)
    let multiplier = shape.outputsPerGroup
    let inside = max(0, padding)..<max(max(0, padding), min(width, padding + input.width))
    // Safe: the columns that there are; the copy has room for `width` blocks.
    unsafe copy.update(repeating: 0, count: inside.lowerBound * block)
    for column in inside {
      let source = unsafe input.position(line * input.width + column - padding)
      let target = unsafe copy + column * block
      if multiplier == 1 && channels.count == block {
        unsafe target.update(from: source + channels.lowerBound, count: block)
      } else {
        for lane in 0..<block {
          let channel = channels.lowerBound + lane
          unsafe target[lane] = channels.contains(channel) ? source[channel / multiplier] : 0
        }
      }
    }
    unsafe (copy + inside.upperBound * block).update(
      repeating: 0, count: (width - inside.upperBound) * block)
  }
}
