internal import Conversion

/// The numbers of a weight, and as an outline those it was trained as, by logarithmic heights: a bar of one
/// number is to be seen beside one of a million.
///
/// - Parameter label: for those who do not see it.
func histogramChart(_ now: Histogram, before: Histogram?, label: String) -> String {
  let (width, height) = (4 * now.counts.count, 40)
  var content = element("title", [:], escaped(label))
  content += element(
    "path", ["class": "now", "d": outline(now, height: height) + "V\(height)H0Z"])
  if let before {
    content += element("path", ["class": "before", "d": outline(before, height: height)])
  }
  if now.lower < 0, now.upper > 0 {
    let zero = -now.lower / (now.upper - now.lower) * Double(width)
    content += element("path", ["class": "zero", "d": "M\(coordinate(zero)) 0V\(height)"])
  }
  return element(
    "svg",
    [
      "class": "histogram", "role": "img", "aria-label": label,
      "viewBox": "0 0 \(width) \(height)", "width": "\(width)", "height": "\(height)",
    ], content)
}

/// A line of steps over the bars, from the left end of the base line.
private func outline(_ histogram: Histogram, height: Int) -> String {
  let most = histogram.counts.max() ?? 0
  var path = "M0 \(height)"
  var last = height
  for count in histogram.counts {
    let top = height - scaledLogarithm(count, most: most, to: height)
    if top != last { path += "V\(top)" }
    path += "h4"
    last = top
  }
  return path
}

/// The logarithm of `count + 1` over that of `most + 1`, times `height`, rounded; by halving, so that it is
/// the same on every machine.
private func scaledLogarithm(_ count: Int, most: Int, to height: Int) -> Int {
  /// Of the number to the base 2, in 64ths.
  func logarithm(_ number: Int) -> Int {
    let exponent = Int.bitWidth - 1 - number.leadingZeroBitCount
    var value = exponent * 64
    var fraction = Double(number) / Double(1 << exponent)
    for bit in [32, 16, 8, 4, 2, 1] {
      fraction *= fraction
      if fraction >= 2 {
        fraction /= 2
        value += bit
      }
    }
    return value
  }
  guard most > 0, count > 0 else { return 0 }
  return max(1, (logarithm(count + 1) * height + logarithm(most + 1) / 2) / logarithm(most + 1))
}

/// Shares of branches side by side, each in a colour of its own; those that work against the others are left
/// out.
func shareChart(_ branches: [BranchShare]) -> String {
  let width = 192.0
  let positive = branches.map { max(0, $0.share) }
  let whole = max(positive.reduce(0, +), .leastNormalMagnitude)
  var x = 0.0
  var content = ""
  for (index, branch) in branches.enumerated() {
    let length = positive[index] / whole * width
    content += element(
      "rect",
      [
        "class": "branch\(index % 6)", "x": coordinate(x), "y": "0",
        "width": coordinate(length), "height": "10",
      ],
      element("title", [:], escaped("\(branch.name): \(wholePercent(branch.share))")))
    x += length
  }
  let label = branches.map { "\($0.name) \(wholePercent($0.share))" }.joined(separator: ", ")
  return element(
    "svg",
    [
      "class": "shares", "role": "img", "aria-label": label, "viewBox": "0 0 \(Int(width)) 10",
      "width": "\(Int(width))", "height": "10", "preserveAspectRatio": "none",
    ], content)
}

/// `62 %`, `-3 %`, `0.4 %`.
func wholePercent(_ share: Double) -> String {
  let tenths = Int((share * 1000).rounded())
  return abs(tenths) >= 20 || tenths == 0
    ? "\(Int((share * 100).rounded())) %"
    : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) %"
}
