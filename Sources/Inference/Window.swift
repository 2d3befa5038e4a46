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

  /// Height and width of what comes out.
  func output<Number>(of input: FeatureMap<Number>) -> (height: Int, width: Int) {
    let height = input.height + 2 * padding.y - (kernel.height - 1) * dilation.y - 1
    let width = input.width + 2 * padding.x - (kernel.width - 1) * dilation.x - 1
    return (height / stride.y + 1, width / stride.x + 1)
  }

  /// For a row of the output the row of the input that its window begins at, and the kernel's rows that
  /// lie inside an image so high.
  func taps(y row: Int, of height: Int) -> (top: Int, rows: Range<Int>) {
    let top = row * stride.y - padding.y
    return (top, inside(top, dilation.y, kernel.height, of: height))
  }

  /// The same for columns.
  func taps(x column: Int, of width: Int) -> (left: Int, columns: Range<Int>) {
    let left = column * stride.x - padding.x
    return (left, inside(left, dilation.x, kernel.width, of: width))
  }

  /// The taps, so far apart from `first` on, that lie inside an image of this length.
  private func inside(_ first: Int, _ distance: Int, _ count: Int, of length: Int) -> Range<Int> {
    let begin = min(count, first < 0 ? (distance - 1 - first) / distance : 0)
    let end = first >= length ? 0 : (length - 1 - first) / distance + 1
    return begin..<max(begin, min(count, end))
  }
}

extension Window {
  /// Lays out what the kernel sees as a matrix (im2col): a row for each position of the output, and in it
  /// for each tap, row by row, the numbers of each channel.
  ///
  /// - Parameters:
  ///   - channels: of `input`.
  ///   - positions: of the output, counted over all images, row by row.
  ///   - output: height and width of what comes out.
  ///   - matrix: room for `positions.count` rows of `taps * channels.count` numbers, `stride` apart.
  func unfold<Number>(
    _ input: FeatureMap<Number>, channels: Range<Int>, positions: Range<Int>,
    output: (height: Int, width: Int), into matrix: UnsafeMutablePointer<Number>,
    stride rowStride: Int
  ) {
    // Taps side by side are so in the input as well, if all channels are wanted.
    let isDense = dilation.x == 1 && channels.count == input.channels
    let count = channels.count
    var line = positions.lowerBound / output.width
    var column = positions.lowerBound % output.width
    var row = unsafe matrix
    for _ in positions {
      let (image, outputRow) = line.quotientAndRemainder(dividingBy: output.height)
      let (top, rows) = taps(y: outputRow, of: input.height)
      let (left, columns) = taps(x: column, of: input.width)
      // Safe: the row has room for all taps; those inside lie in the image.
      for y in 0..<kernel.height {
        var target = unsafe row + y * kernel.width * count
        guard rows.contains(y), !columns.isEmpty else {
          unsafe target.update(repeating: 0, count: kernel.width * count)
          continue
        }
        let seen = (image * input.height + top + y * dilation.y) * input.width + left
        unsafe target.update(repeating: 0, count: columns.lowerBound * count)
        unsafe target += columns.lowerBound * count
        if isDense {
          unsafe target.update(
            from: input.position(seen + columns.lowerBound), count: columns.count * count)
          unsafe target += columns.count * count
        } else {
          for x in columns {
            let source = unsafe input.position(seen + x * dilation.x) + channels.lowerBound
            unsafe target.update(from: source, count: count)
            unsafe target += count
          }
        }
        unsafe target.update(repeating: 0, count: (kernel.width - columns.upperBound) * count)
      }
      unsafe row += rowStride
      column += 1
      if column == output.width { (line, column) = (line + 1, 0) }
    }
  }
}
