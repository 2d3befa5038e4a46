/// How the kernel of a convolution moves over an image. Pairs are vertical and horizontal.
struct Window: Sendable {
  var kernel: (height: Int, width: Int)
  var stride: (y: Int, x: Int)
  /// Zeros on both sides each.
  var padding: (y: Int, x: Int)
  var dilation: (y: Int, x: Int)

  /// Numbers of a channel that the kernel sees at once.
  var taps: Int { kernel.height * kernel.width }

  /// Whether it sees one number at a time, and every one: nothing is to be unfolded.
  var isIdentity: Bool { taps == 1 && stride == (1, 1) && padding == (0, 0) }

  /// The columns of the output whose tap lies inside an image, `right` of where the column's window
  /// begins: 0 <= column * stride + right < width.
  func columns(of width: Int, right: Int, among count: Int) -> Range<Int> {
    let first = min(right < 0 ? (-right + stride.x - 1) / stride.x : 0, count)
    let last = width - right <= 0 ? 0 : (width - right - 1) / stride.x + 1
    return first..<max(first, min(last, count))
  }

  /// Height and width of what comes out.
  func output<Number>(of input: FeatureMap<Number>) -> (height: Int, width: Int) {
    let height = input.height + 2 * padding.y - (kernel.height - 1) * dilation.y - 1
    let width = input.width + 2 * padding.x - (kernel.width - 1) * dilation.x - 1
    return (height / stride.y + 1, width / stride.x + 1)
  }
}

extension Window {
  /// Lays out what the kernel sees as a matrix (im2col): a row for each channel and tap, in the order
  /// of a kernel's weights, and a column for each position of the output.
  ///
  /// - Parameters:
  ///   - channels: of `input`.
  ///   - positions: of the output, counted over all images, row by row.
  ///   - output: height and width of what comes out.
  ///   - matrix: room for `channels.count * taps` rows of `positions.count` numbers.
  func unfold<Number>(
    _ input: FeatureMap<Number>, channels: Range<Int>, positions: Range<Int>,
    output: (height: Int, width: Int), into matrix: UnsafeMutablePointer<Number>
  ) {
    let keepsShape = stride == (1, 1) && output == (input.height, input.width)
    var row = unsafe matrix
    for channel in channels {
      let plane = unsafe UnsafePointer(input.plane(channel))
      for y in 0..<kernel.height {
        for x in 0..<kernel.width {
          let (down, right) = (y * dilation.y - padding.y, x * dilation.x - padding.x)
          if keepsShape {
            unsafe shift(plane, of: input, down, right, positions, into: row)
          } else {
            unsafe sample(plane, of: input, down, right, positions, output, into: row)
          }
          unsafe row += positions.count
        }
      }
    }
  }

  /// Writes what lies `down` and `right` of each position, zero outside the image, for a kernel that
  /// sees every position of the input: one copy of the whole, with zeros put where another row or
  /// image came to lie.
  private func shift<Number>(
    _ plane: UnsafePointer<Number>, of input: FeatureMap<Number>, _ down: Int, _ right: Int,
    _ positions: Range<Int>, into row: UnsafeMutablePointer<Number>
  ) {
    let (height, width) = (input.height, input.width)
    let distance = down * width + right
    let before = min(positions.count, max(0, -(positions.lowerBound + distance)))
    let behind = min(positions.count, max(0, positions.upperBound + distance - input.columns))
    // Safe: `row` has room for the positions, and what is copied lies in the plane.
    unsafe row.update(repeating: 0, count: before)
    unsafe (row + before).update(
      from: plane + (positions.lowerBound + distance + before),
      count: positions.count - before - behind)
    unsafe (row + (positions.count - behind)).update(repeating: 0, count: behind)

    func clear(_ range: Range<Int>) {
      let range = range.clamped(to: positions)
      unsafe (row + (range.lowerBound - positions.lowerBound)).update(
        repeating: 0, count: range.count)
    }
    let area = height * width
    if down != 0 {
      let lines = min(abs(down), height)
      for image in positions.lowerBound / area...(positions.upperBound - 1) / area {
        let first = down < 0 ? 0 : height - lines
        clear(image * area + first * width..<image * area + (first + lines) * width)
      }
    }
    if right != 0 {
      let count = min(abs(right), width)
      let first = right < 0 ? 0 : width - count
      for line in positions.lowerBound / width...(positions.upperBound - 1) / width {
        clear(line * width + first..<line * width + first + count)
      }
    }
  }

  /// Writes what lies `down` and `right` of the place in the input that belongs to each position, zero
  /// outside the image.
  private func sample<Number>(
    _ plane: UnsafePointer<Number>, of input: FeatureMap<Number>, _ down: Int, _ right: Int,
    _ positions: Range<Int>, _ output: (height: Int, width: Int),
    into row: UnsafeMutablePointer<Number>
  ) {
    let inside = columns(of: input.width, right: right, among: output.width)
    var position = positions.lowerBound
    while position < positions.upperBound {
      let line = position / output.width
      let begin = position - line * output.width
      let end = min(output.width, begin + positions.upperBound - position)
      let (image, outputLine) = line.quotientAndRemainder(dividingBy: output.height)
      let inputLine = outputLine * stride.y + down
      // Safe: `target` has room for `end - begin` numbers, and the taps inside lie in the plane.
      let target = unsafe row + (position - positions.lowerBound)
      let columns = inside.clamped(to: begin..<end)
      if (0..<input.height).contains(inputLine), !columns.isEmpty {
        let source = unsafe plane + (image * input.height + inputLine) * input.width + right
        unsafe target.update(repeating: 0, count: columns.lowerBound - begin)
        for column in columns {
          unsafe target[column - begin] = source[column * stride.x]
        }
        unsafe (target + (columns.upperBound - begin)).update(
          repeating: 0, count: end - columns.upperBound)
      } else {
        unsafe target.update(repeating: 0, count: end - begin)
      }
      position += end - begin
    }
  }
}
