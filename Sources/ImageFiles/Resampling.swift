extension RGBImage {
  /// The image scaled to so many pixels with a bilinear filter that widens when it shrinks, so that no
  /// pixel is passed over.
  ///
  /// Gives the same bytes as `resize(size, BILINEAR)` of Pillow 11.3 (`src/libImaging/Resample.c`): rows
  /// first, then columns, weights in fixed point, each pass rounded to 8 bits. Pillow 13 begins with the
  /// columns where that is much less work, which changes some bytes by one.
  ///
  /// - Parameters:
  ///   - columns: of the scaled image that are wanted; all by default. Others are not computed.
  ///   - rows: likewise.
  public func resized(
    width newWidth: Int, height newHeight: Int, columns: Range<Int>? = nil, rows: Range<Int>? = nil
  ) -> RGBImage {
    let (columns, rows) = (columns ?? 0..<newWidth, rows ?? 0..<newHeight)
    precondition((0..<newWidth).contains(columns) && (0..<newHeight).contains(rows))
    precondition(!columns.isEmpty && !rows.isEmpty)
    let filters =
      newHeight == height ? nil : Filter.bilinear(from: height, to: newHeight, at: rows)
    // Those of this image that these are made of.
    let needed = filters.map { $0.first!.first..<$0.last!.end } ?? rows
    let image =
      newWidth == width
      ? part(columns, needed)
      : resizedHorizontally(Filter.bilinear(from: width, to: newWidth, at: columns), needed)
    return filters.map { image.resizedVertically($0, from: needed.lowerBound) } ?? image
  }

  private func part(_ columns: Range<Int>, _ rows: Range<Int>) -> RGBImage {
    var result: [UInt8] = []
    result.reserveCapacity(3 * columns.count * rows.count)
    for y in rows {
      result += pixels[3 * (y * width + columns.lowerBound)..<3 * (y * width + columns.upperBound)]
    }
    return RGBImage(width: columns.count, height: rows.count, pixels: result)
  }

  private func resizedHorizontally(_ filters: [Filter], _ rows: Range<Int>) -> RGBImage {
    var result = [UInt8](repeating: 0, count: 3 * filters.count * rows.count)
    var output = result.mutableSpan
    let input = pixels.span
    var target = 0
    for y in rows {
      for filter in filters {
        var sums = (Filter.half, Filter.half, Filter.half)
        var at = 3 * (y * width + filter.first)
        for weight in filter.weights {
          sums.0 += Int32(input[at]) * weight
          sums.1 += Int32(input[at + 1]) * weight
          sums.2 += Int32(input[at + 2]) * weight
          at += 3
        }
        output[target] = Filter.rounded(sums.0)
        output[target + 1] = Filter.rounded(sums.1)
        output[target + 2] = Filter.rounded(sums.2)
        target += 3
      }
    }
    return RGBImage(width: filters.count, height: rows.count, pixels: result)
  }

  /// - Parameter top: the row that this image begins with, as the filters count rows.
  private func resizedVertically(_ filters: [Filter], from top: Int) -> RGBImage {
    let row = 3 * width
    var result = [UInt8](repeating: 0, count: row * filters.count)
    var sums = [Int32](repeating: 0, count: row)
    for (y, filter) in filters.enumerated() {
      var total = sums.mutableSpan
      let input = pixels.span
      for x in 0..<row { total[x] = Filter.half }
      for (offset, weight) in filter.weights.enumerated() {
        let start = (filter.first - top + offset) * row
        let line = input.extracting(start..<start + row)
        for x in 0..<row { total[x] += Int32(line[x]) * weight }
      }
      var output = result.mutableSpan
      for x in 0..<row { output[y * row + x] = Filter.rounded(total[x]) }
    }
    return RGBImage(width: width, height: filters.count, pixels: result)
  }
}

/// The pixels that make up one pixel of the result, and their weights.
private struct Filter {
  var first: Int
  /// In units of 2^-22; they add up to about 1.
  var weights: [Int32]

  /// Behind the last.
  var end: Int { first + weights.count }

  static let bits: Int32 = 22
  static let half: Int32 = 1 << (bits - 1)

  static func rounded(_ sum: Int32) -> UInt8 { UInt8(max(0, min(255, sum >> bits))) }

  /// Those of some of the pixels of `newSize`, of which neither the first nor the end is before another's.
  static func bilinear(
    from size: Int, to newSize: Int, at positions: Range<Int>
  ) -> [Filter] {
    let scale = Double(size) / Double(newSize)
    // Also half the width of the triangle, which is 1 when the image grows.
    let stretch = max(scale, 1)
    return positions.map { position in
      let center = (Double(position) + 0.5) * scale
      let first = max(0, Int(center - stretch + 0.5))
      let end = min(size, Int(center + stretch + 0.5))
      var weights = (first..<end).map { pixel in
        max(0, 1 - ((Double(pixel) - center + 0.5) / stretch).magnitude)
      }
      let sum = weights.reduce(0, +)
      if sum != 0 { weights = weights.map { $0 / sum } }
      return Filter(
        first: first, weights: weights.map { Int32($0 * Double(1 << bits) + 0.5) })
    }
  }
}
