internal import Proof
public import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// How many numbers lie in each of some equal parts of a range.
public struct Histogram: Encodable, Equatable, Sendable {
  /// The ends of the range, both in it.
  public let lower, upper: Double
  /// From the lowest part to the highest; a number between two is in the upper one.
  public private(set) var counts: [Int]

  /// An empty one.
  ///
  /// - Precondition: the ends are finite.
  public init(over range: ClosedRange<Double>, parts: Int) {
    (lower, upper) = (range.lowerBound, range.upperBound)
    counts = [Int](repeating: 0, count: parts)
  }

  /// Counts a number; one outside the range, which a NaN is, is left out.
  mutating func add(_ number: Double) {
    guard number >= lower, number <= upper else { return }
    let place = upper > lower ? (number / 2 - lower / 2) / (upper / 2 - lower / 2) : 0.5
    counts[min(counts.count - 1, Int(place * Double(counts.count)))] += 1
  }
}

/// How far some numbers reach, from one pass over them.
public struct WeightExtent: Equatable, Sendable {
  /// How many there are.
  public private(set) var count = 0
  /// Those that are infinite or not a number.
  public private(set) var notFinite = 0
  /// Those that are zero, of either sign.
  public private(set) var zeros = 0
  /// Of the finite ones; nil if there are none.
  public private(set) var smallest, largest: Double?
  /// Of the squares of the finite ones.
  private(set) var power = 0.0
  /// The largest magnitude for each index of the first axis.
  private(set) var peaks: [Double]

  /// Reads all numbers once, in pieces.
  ///
  /// - Parameter shape: of the numbers: an output channel for each index of the first axis.
  public init(
    of numbers: some NumberSource, shape: Shape, workspace: inout Workspace
  ) throws(ReadError) {
    peaks = [Double](repeating: 0, count: shape.dimensions.first ?? 1)
    guard shape.elementCount > 0 else { return }
    let run = shape.elementCount / peaks.count
    var (least, greatest) = (Double.infinity, -Double.infinity)
    try numbers.forEachPiece(of: shape.elementCount, workspace: &workspace) { first, piece in
      for index in piece.indices {
        let number = piece[index]
        guard number.isFinite else {
          notFinite += 1
          continue
        }
        least = min(least, number)
        greatest = max(greatest, number)
        if number == 0 { zeros += 1 }
        power += number * number
        let channel = (first + index) / run
        peaks[channel] = max(peaks[channel], number.magnitude)
      }
      count += piece.count
    }
    if least <= greatest { (smallest, largest) = (least, greatest) }
  }

  /// The range of the finite numbers.
  public var range: ClosedRange<Double>? {
    guard let smallest, let largest else { return nil }
    return smallest...largest
  }

  /// The largest magnitude.
  var peak: Double { peaks.max() ?? 0 }
}

/// What the numbers of a kernel or matrix are like, and what smaller types would make of them.
public struct WeightStatistics: Encodable, Equatable, Sendable {
  /// How far they reach.
  public let extent: WeightExtent
  /// The root of the mean of their squares.
  public let rootMeanSquare: Double
  /// The largest magnitude over that; 0 if all are zero.
  public let peak: Double
  /// The largest magnitude of a channel, of the channel that has most over the one in the middle.
  public let spread: Double
  /// The power of the numbers over that of what rounding to float16 changes, in decibels; nil if it
  /// changes nothing, or makes a number infinite.
  public let float16: Double?
  /// How many would be infinite in float16.
  public let infiniteInFloat16: Int
  /// Likewise of int8, with a scale for each channel.
  public let int8PerChannel: Double?
  /// Likewise, with one scale for all.
  public let int8PerTensor: Double?
  /// Where they lie; nil if it was not asked for, or none is finite.
  public let histogram: Histogram?

  /// Reads all numbers once more, in pieces.
  ///
  /// - Parameters:
  ///   - shape: of the numbers, as for `extent`.
  ///   - extent: of the same numbers.
  ///   - range: of the histogram.
  ///   - parts: of the histogram.
  public init(
    of numbers: some NumberSource, shape: Shape, _ extent: WeightExtent,
    range: ClosedRange<Double>? = nil, parts: Int = 0, workspace: inout Workspace
  ) throws(ReadError) {
    self.extent = extent
    let half = Precision(.float16)!
    var histogram = range.map { Histogram(over: $0, parts: parts) }
    let run = max(1, shape.elementCount / max(1, extent.peaks.count))
    let scales = extent.peaks.map { Float($0 / 127) }
    let scaleOfAll = Float(extent.peak / 127)
    var (ofHalf, ofChannels, ofAll) = (0.0, 0.0, 0.0)
    var infinite = 0
    func error(_ number: Double, _ scale: Float) -> Double {
      scale > 0 ? step(nearest: number, of: scale) * Double(scale) - number : 0
    }
    try numbers.forEachPiece(of: shape.elementCount, workspace: &workspace) { first, piece in
      for index in piece.indices where piece[index].isFinite {
        let number = piece[index]
        histogram?.add(number)
        let rounded = half.rounded(number)
        if rounded.isFinite {
          ofHalf += (rounded - number) * (rounded - number)
        } else {
          infinite += 1
        }
        let perChannel = error(number, scales[(first + index) / run])
        ofChannels += perChannel * perChannel
        let perTensor = error(number, scaleOfAll)
        ofAll += perTensor * perTensor
      }
    }
    self.histogram = histogram
    infiniteInFloat16 = infinite
    func decibels(_ noise: Double) -> Double? {
      noise > 0 && extent.power > 0 ? 10 * log10(extent.power / noise) : nil
    }
    float16 = infinite == 0 ? decibels(ofHalf) : nil
    int8PerChannel = decibels(ofChannels)
    int8PerTensor = decibels(ofAll)
    rootMeanSquare = (extent.power / Double(max(1, extent.count - extent.notFinite))).squareRoot()
    peak = extent.peak / max(rootMeanSquare, .leastNormalMagnitude)
    let middle = extent.peaks.isEmpty ? 0 : extent.peaks.sorted()[extent.peaks.count / 2]
    spread = extent.peak / max(middle, .leastNormalMagnitude)
  }

  /// Reads all numbers twice, in pieces.
  init(
    of numbers: some NumberSource, shape: Shape, workspace: inout Workspace
  ) throws(ReadError) {
    let extent = try WeightExtent(of: numbers, shape: shape, workspace: &workspace)
    try self.init(of: numbers, shape: shape, extent, workspace: &workspace)
  }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "values": extent.count, "notFinite": extent.notFinite, "zeros": extent.zeros,
      "smallest": extent.smallest, "largest": extent.largest, "rootMeanSquare": rootMeanSquare,
      "peak": peak, "spread": spread, "decibelsInFloat16": float16,
      "infiniteInFloat16": infiniteInFloat16, "decibelsPerChannel": int8PerChannel,
      "decibelsPerTensor": int8PerTensor, "histogram": histogram,
    ])
  }
}

extension Histogram {
  /// Counts all numbers, which are read in pieces.
  package mutating func add(
    _ numbers: some NumberSource, count: Int, workspace: inout Workspace
  ) throws(ReadError) {
    try numbers.forEachPiece(of: count, workspace: &workspace) { _, piece in
      for index in piece.indices { add(piece[index]) }
    }
  }
}

extension NumberSource {
  /// Hands out the first `count` numbers in order, in pieces of which memory holds one.
  ///
  /// - Parameter body: is told where a piece begins.
  package func forEachPiece(
    of count: Int, workspace: inout Workspace,
    _ body: (_ first: Int, _ piece: borrowing Span<Double>) -> Void
  ) throws(ReadError) {
    let unit = max(1, granularity)
    let length = max(1, pieceBytes / (unit * MemoryLayout<Float>.size)) * unit
    var next = 0
    while next < count {
      let end = min(next + length, count)
      try compute(next..<end, workspace: &workspace)
      body(next, workspace.doubles.span.extracting(first: end - next))
      next = end
    }
  }
}
