internal import Tensors

/// The right factor of matrix products, `depth` x `columns`, in the layout that kernels read: panels of some
/// columns each, row by row; what the last lacks is zero.
struct Factor<Number: NetworkNumber>: Sendable {
  let depth, columns: Int
  private let panels: NumberBuffer<Number>

  init(depth: Int, columns: Int, _ number: (_ row: Int, _ column: Int) -> Number) {
    self.depth = depth
    self.columns = columns
    var widths: [Int] = []
    var width = 0
    while width < columns {
      widths.append(Number.panelWidth(columnsLeft: columns - width))
      width += widths.last!
    }
    panels = NumberBuffer(depth * width)
    var first = 0
    for width in widths {
      // Safe: the panel's part of the memory.
      let panel = unsafe panels.start + first * depth
      for row in 0..<depth {
        for column in 0..<width {
          unsafe panel[row * width + column] =
            first + column < columns ? number(row, first + column) : 0
        }
      }
      first += width
    }
  }

  /// Computes some columns of `c = a b`, of which this is `b`.
  ///
  /// - Parameters:
  ///   - a: rows of `depth` numbers, `aStride` apart.
  ///   - part: of the columns; begins with a multiple of 32, which is where a panel begins.
  ///   - c: where column 0 of the rows is.
  ///   - bias: one number for each column.
  func multiply(
    rows: Int, _ a: UnsafePointer<Number>, _ aStride: Int, part: Range<Int>,
    into c: UnsafeMutablePointer<Number>, _ cStride: Int, bias: UnsafePointer<Number>? = nil,
    hasReLU: Bool = false
  ) {
    unsafe Number.multiply(
      Product(
        rows: rows, depth: depth, columns: part, a: a, aStride: aStride, b: panels.start,
        width: columns, c: c, cStride: cStride, bias: bias, hasReLU: hasReLU))
  }
}

/// How far apart rows of so many numbers are laid, so that several can be read side by side: an odd number
/// of cache lines, since lines that are a power of two apart share one place in the cache.
func rowStride(_ count: Int) -> Int {
  let line = 16
  let lines = (count + line - 1) / line
  return line * (lines % 2 == 0 ? lines + 1 : lines)
}

/// How a product is cut into tasks: bands of rows, and parts of the columns if there are few of those. Goes by
/// sizes alone, not by the number of threads.
struct ProductTasks {
  let bands: Bands
  let columns: Int
  /// How many there are of the same kind, of the groups of a convolution.
  let groups: Int
  private let columnsOfPart: Int

  init(rows: Int, widest: Int, columns: Int, groups: Int) {
    bands = Bands(positions: rows, widest: widest)
    self.columns = columns
    self.groups = groups
    // Enough for several threads; but narrow ones are inefficient.
    let (few, narrowest) = (8, 64)
    var parts = 1
    while bands.count * groups * parts < few && columns / (2 * parts) >= narrowest { parts *= 2 }
    let panels = 32
    columnsOfPart = max(panels, ((columns + parts - 1) / parts + panels - 1) / panels * panels)
  }

  private var parts: Int { (columns + columnsOfPart - 1) / columnsOfPart }

  var count: Int { bands.count * groups * parts }

  subscript(index: Int) -> (group: Int, rows: Range<Int>, part: Range<Int>) {
    let (rest, part) = index.quotientAndRemainder(dividingBy: parts)
    let (group, band) = rest.quotientAndRemainder(dividingBy: bands.count)
    return (
      group, bands[band], part * columnsOfPart..<min((part + 1) * columnsOfPart, columns)
    )
  }
}

/// Rows of a matrix, or positions of a map, cut into bands of about equal width.
struct Bands {
  let positions: Int
  let width: Int

  var count: Int { (positions + width - 1) / width }

  /// - Parameter widest: how wide a band may be. They are made narrower where there would be few, so
  ///   that several threads have something to do; but not so narrow that products become inefficient.
  init(positions: Int, widest: Int) {
    self.positions = positions
    let few = 8
    let narrowest = 42
    let count = max((positions + widest - 1) / widest, min(few, positions / narrowest), 1)
    // What the kernels for AVX-512 compute at once.
    let step = 14
    width = min(widest, (max(1, (positions + count - 1) / count) + step - 1) / step * step)
  }

  subscript(index: Int) -> Range<Int> {
    index * width..<min((index + 1) * width, positions)
  }
}
