extension RGBImage {
  /// The image scaled to so many pixels with a bilinear filter that widens when it shrinks, so that no
  /// pixel is passed over.
  ///
  /// Gives the same bytes as `resize(size, BILINEAR)` of Pillow 11.3 (`src/libImaging/Resample.c`): rows
  /// first, then columns, weights in fixed point, each pass rounded to 8 bits. Pillow 13 begins with the
  /// columns where that is much less work, which changes some bytes by one.
  public func resized(width newWidth: Int, height newHeight: Int) -> RGBImage {
    precondition(newWidth > 0 && newHeight > 0)
    var image = self
    if newWidth != width { image = image.resizedHorizontally(to: newWidth) }
    if newHeight != height { image = image.resizedVertically(to: newHeight) }
    return image
  }

  /// The part that begins at this pixel.
  public func cropped(left: Int, top: Int, width: Int, height: Int) -> RGBImage {
    precondition(left >= 0 && top >= 0 && left + width <= self.width && top + height <= self.height)
    var result: [UInt8] = []
    result.reserveCapacity(3 * width * height)
    for y in top..<top + height {
      let start = 3 * (y * self.width + left)
      result += pixels[start..<start + 3 * width]
    }
    return RGBImage(width: width, height: height, pixels: result)
  }

  private func resizedHorizontally(to newWidth: Int) -> RGBImage {
    let filters = Filter.bilinear(from: width, to: newWidth)
    var result = [UInt8](repeating: 0, count: 3 * newWidth * height)
    var output = result.mutableSpan
    let input = pixels.span
    for y in 0..<height {
      for (x, filter) in filters.enumerated() {
        var sums = (Filter.half, Filter.half, Filter.half)
        var at = 3 * (y * width + filter.first)
        for weight in filter.weights {
          sums.0 += Int32(input[at]) * weight
          sums.1 += Int32(input[at + 1]) * weight
          sums.2 += Int32(input[at + 2]) * weight
          at += 3
        }
        let target = 3 * (y * newWidth + x)
        output[target] = Filter.rounded(sums.0)
        output[target + 1] = Filter.rounded(sums.1)
        output[target + 2] = Filter.rounded(sums.2)
      }
    }
    return RGBImage(width: newWidth, height: height, pixels: result)
  }

  private func resizedVertically(to newHeight: Int) -> RGBImage {
    let row = 3 * width
    var result = [UInt8](repeating: 0, count: row * newHeight)
    var sums = [Int32](repeating: 0, count: row)
    for (y, filter) in Filter.bilinear(from: height, to: newHeight).enumerated() {
      var total = sums.mutableSpan
      let input = pixels.span
      for x in 0..<row { total[x] = Filter.half }
      for (offset, weight) in filter.weights.enumerated() {
        let line = input.extracting(
          (filter.first + offset) * row..<(filter.first + offset + 1) * row)
        for x in 0..<row { total[x] += Int32(line[x]) * weight }
      }
      var output = result.mutableSpan
      for x in 0..<row { output[y * row + x] = Filter.rounded(total[x]) }
    }
    return RGBImage(width: width, height: newHeight, pixels: result)
  }
}

/// The pixels that make up one pixel of the result, and their weights.
private struct Filter {
  var first: Int
  /// In units of 2^-22; they add up to about 1.
  var weights: [Int32]

  static let bits: Int32 = 22
  static let half: Int32 = 1 << (bits - 1)

  static func rounded(_ sum: Int32) -> UInt8 { UInt8(max(0, min(255, sum >> bits))) }

  static func bilinear(from size: Int, to newSize: Int) -> [Filter] {
    let scale = Double(size) / Double(newSize)
    // Also half the width of the triangle, which is 1 when the image grows.
    let stretch = max(scale, 1)
    return (0..<newSize).map { position in
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
