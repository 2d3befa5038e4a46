public import Tensors

/// How a fused convolution in a deploy file compares with the block it should be.
public struct BlockComparison: Sendable {
  /// How near a block is to what it should be, best first.
  public enum Grade: Int, Comparable, Sendable {
    /// Every value is the correctly rounded one.
    case exact
    /// Some are not, but all are as near as float32 arithmetic comes.
    case rounded
    /// The tolerance that was asked for covers the differences.
    case tolerated
    /// Some are further off.
    case different

    public static func < (a: Grade, b: Grade) -> Bool { a.rawValue < b.rawValue }
  }

  /// As the training file calls the block.
  public var path: Name
  /// Names in the deploy file.
  public var weightName, biasName: Name
  /// The type that the deploy file stores the weights in.
  public var elementType: ElementType
  /// Of the kernel, OIHW.
  public var shape: Shape
  /// Nil if the tensors could not be compared value by value; `cause` says why.
  public var weights: Difference?
  /// As `weights`, of the bias.
  public var bias: Difference?
  /// The worse of both.
  public var grade: Grade
  /// Why it differs, if that can be told.
  public var cause: Cause?

  /// Weights and bias together.
  public var difference: Difference? {
    guard var both = weights, let bias else { return nil }
    both.add(bias)
    return both
  }
}

/// A fused convolution in a deploy file.
struct FusedTensors: Sendable {
  var weight: Tensor
  var bias: Tensor
  let weightPrecision: Precision
  let biasPrecision: Precision
  /// Of each input channel, if the bias makes up for what steps add to the means.
  var inputMeans: [Double]?
  /// The steps that numbers were rounded to before they became weights of their type.
  var weightSteps, biasSteps: StoredSteps?

  /// - Precondition: both are weights, with elements.
  init(weight: Tensor, bias: Tensor, inputMeans: [Double]? = nil) {
    self.weight = weight
    self.bias = bias
    self.inputMeans = inputMeans
    weightPrecision = Precision(of: weight)!
    biasPrecision = Precision(of: bias)!
  }
}

/// Steps that the numbers of a tensor are multiples of, of each output channel.
public struct StoredSteps: Equatable, Sendable {
  /// One for each output channel; finite and greater than 0.
  public var sizes: [Double]
  /// How many there are to the larger side of 0.
  public var count: Double
  /// Whether 0 is not in the middle: then the ends of the range were moved by up to half a step, for it to
  /// be a step at all.
  public var isShifted: Bool
  /// Of the integers that count them.
  public var elementType: ElementType

  public init(sizes: [Double], count: Double, isShifted: Bool, elementType: ElementType) {
    self.sizes = sizes
    self.count = count
    self.isShifted = isShifted
    self.elementType = elementType
  }

  func precision(of channel: Int) -> Precision {
    Precision(stepsOf: sizes[channel], count: count, share: isShifted ? 1 : 0.5)
  }
}

/// How far off a value may be.
struct Allowance: Sendable {
  /// A type that values may have been rounded to once, beside the one they are stored in.
  var rounding: Precision?
  /// The unit of roundoff of the arithmetic; a tree tells how many may have been lost.
  var unit = 0x1p-24

  static let float32 = Allowance()
}

/// Memory for comparing one block after the other.
struct ComparisonMemory {
  var rows = Rows()
  var found: [Double] = []
}

extension ReferenceBlock {
  /// Weights that are compared at a time.
  private static let pieceLength = 1 << 15

  /// Compares some rows of the deploy form with what they should be.
  ///
  /// - Returns: false if `isLeaving` and a value is further off than rounding explains; then the rest
  ///   was not compared.
  @discardableResult
  func compare(
    _ fused: FusedTensors, rows: Range<Int>, leavingAtFailure isLeaving: Bool = false,
    allowing allowance: Allowance = .float32, weights: inout Difference, bias: inout Difference,
    memory: inout ComparisonMemory
  ) throws(ReadError) -> Bool {
    let step = max(1, ReferenceBlock.pieceLength / max(1, rowLength))
    var next = rows.lowerBound
    if memory.found.count < max(step * rowLength, rows.count) {
      memory.found = [Double](repeating: 0, count: max(step * rowLength, rows.count))
    }
    if fused.inputMeans == nil {
      try compareBiases(fused, rows, allowance, &bias, memory: &memory)
      if isLeaving && bias.failing > 0 { return false }
    }
    var shifts: [(value: Double, magnitude: Double)] = []
    while next < rows.upperBound {
      let end = min(next + step, rows.upperBound)
      try computeWeights(ofRows: next..<end, into: &memory.rows)
      let first = next * rowLength
      try fused.weight.readNumbers(first..<end * rowLength, into: &memory.found)
      if fused.weight.scales != nil {
        compareSteps(memory, next..<end, allowance, &weights)
      } else if let steps = fused.weightSteps {
        for (index, row) in (next..<end).enumerated() {
          for offset in 0..<rowLength {
            let place = index * rowLength + offset
            compareValue(
              row * rowLength + offset, memory.rows.values[place], memory.rows.magnitudes[place],
              memory.found[place], steps.precision(of: row), allowance, &weights)
          }
        }
      } else {
        compareWeights(
          memory, first, (end - next) * rowLength, fused.weightPrecision, allowance, &weights)
      }
      if isLeaving && weights.failing > 0 { return false }
      if let means = fused.inputMeans { shifts += self.shifts(memory, next..<end, means) }
      next = end
    }
    if fused.inputMeans != nil {
      try compareBiases(fused, rows, allowance, less: shifts, &bias, memory: &memory)
    }
    return !isLeaving || bias.failing == 0
  }

  /// - Parameter shifts: what is to be taken from each bias, if anything is.
  private func compareBiases(
    _ fused: FusedTensors, _ rows: Range<Int>, _ allowance: Allowance,
    less shifts: [(value: Double, magnitude: Double)]? = nil, _ difference: inout Difference,
    memory: inout ComparisonMemory
  ) throws(ReadError) {
    try fused.bias.readNumbers(rows, into: &memory.found)
    for (index, row) in rows.enumerated() {
      let (value, magnitude) = try self.bias(ofRow: row)
      let shift = shifts?[index] ?? (value: 0, magnitude: 0)
      compareValue(
        row, value - shift.value, magnitude + shift.magnitude, memory.found[index],
        fused.biasSteps?.precision(of: row) ?? fused.biasPrecision, allowance, &difference)
    }
  }

  /// What the difference of stored weights from the right ones adds to the mean of some rows.
  private func shifts(
    _ memory: borrowing ComparisonMemory, _ rows: Range<Int>, _ means: [Double]
  ) -> [(value: Double, magnitude: Double)] {
    let (inputs, taps) = (shape[1], shape[2] * shape[3])
    let rowsOfGroup = channels * inputs / max(1, means.count)
    return rows.enumerated().map { index, row in
      var sum = (value: 0.0, magnitude: 0.0)
      for input in 0..<inputs {
        let mean = means[row / rowsOfGroup * inputs + input]
        for tap in 0..<taps {
          let place = index * rowLength + input * taps + tap
          let (found, expected) = (memory.found[place], memory.rows.values[place])
          sum.value += (found - expected) * mean
          sum.magnitude += (found.magnitude + memory.rows.magnitudes[place]) * mean.magnitude
        }
      }
      return sum
    }
  }

  /// Compares rows of weights in steps with the steps that they should be in: 127 to the largest of each.
  private func compareSteps(
    _ memory: borrowing ComparisonMemory, _ rows: Range<Int>, _ allowance: Allowance,
    _ difference: inout Difference
  ) {
    for (index, row) in rows.enumerated() {
      let places = index * rowLength..<(index + 1) * rowLength
      let largest = memory.rows.values[places].lazy.map(\.magnitude).max() ?? 0
      let precision = Precision(
        stepsOf: largest > 0 ? max(Float(largest / 127), .leastNonzeroMagnitude) : 1)
      for (offset, place) in places.enumerated() {
        compareValue(
          row * rowLength + offset, memory.rows.values[place], memory.rows.magnitudes[place],
          memory.found[place], precision, allowance, &difference)
      }
    }
  }

  private func compareWeights(
    _ memory: borrowing ComparisonMemory, _ first: Int, _ count: Int, _ precision: Precision,
    _ allowance: Allowance, _ difference: inout Difference
  ) {
    let (values, found) = (memory.rows.values.span, memory.found.span)
    if precision.elementType == .float32 {
      // Nearly all values of our own files, and most of others', end here.
      difference.count += count
      var scale = difference.scale
      for index in 0..<count {
        let (expected, stored) = (values[index], found[index])
        let rounded = Double(Float(expected))
        scale = max(scale, rounded.magnitude)
        if rounded != stored || !stored.isFinite {
          difference.count -= 1
          compareValue(
            first + index, expected, memory.rows.magnitudes[index], stored, precision, allowance,
            &difference)
        }
      }
      difference.scale = max(difference.scale, scale)
    } else {
      let magnitudes = memory.rows.magnitudes.span
      for index in 0..<count {
        compareValue(
          first + index, values[index], magnitudes[index], found[index], precision, allowance,
          &difference)
      }
    }
  }

  private func compareValue(
    _ index: Int, _ expected: Double, _ magnitude: Double, _ found: Double, _ precision: Precision,
    _ allowance: Allowance, _ difference: inout Difference
  ) {
    difference.count += 1
    let rounded = precision.rounded(expected)
    if rounded.isFinite { difference.scale = max(difference.scale, rounded.magnitude) }
    guard rounded != found || !found.isFinite else { return }
    let ulp = precision.ulp(of: rounded.isFinite ? expected : found)
    // Where float64 itself cannot tell which neighbour is nearer, both are right.
    // Twice: for the program that fused and for this one.
    if (found - expected).magnitude <= ulp / 2 + 2 * roundings * 0x1p-53 * magnitude { return }
    // A step more than half a step off is another step; a scale has one rounding of its own.
    let own =
      precision.step == nil
      ? ulp : ulp * precision.stepShare + Double(Float.ulpOfOne) * precision.greatest
    let allowed =
      max(own, allowance.rounding?.ulp(of: expected) ?? 0) + roundings * allowance.unit * magnitude
      + Tolerance.float32Underflow
    difference.add(index, expected: rounded, found: found, ulp: ulp, allowed: allowed)
  }

  /// Compares the whole deploy form with what it should be.
  func compare(
    _ fused: FusedTensors, memory: inout ComparisonMemory
  ) throws(ReadError) -> (weights: Difference, bias: Difference) {
    var (weights, bias) = (Difference(), Difference())
    try compare(fused, rows: 0..<channels, weights: &weights, bias: &bias, memory: &memory)
    return (weights, bias)
  }

  /// Whether the deploy form is this block, within rounding. Gives up at the first value that is not.
  ///
  /// - Parameter row: where a difference is likely.
  func fits(
    _ fused: FusedTensors, startingAt row: Int, allowing allowance: Allowance = .float32,
    memory: inout ComparisonMemory
  ) throws(ReadError) -> Bool {
    guard fused.weight.shape == shape, fused.bias.shape == [channels] else { return false }
    var (weights, bias) = (Difference(), Difference())
    for rows in [row..<row + 1, 0..<row, row + 1..<channels] {
      guard
        try compare(
          fused, rows: rows, leavingAtFailure: true, allowing: allowance, weights: &weights,
          bias: &bias, memory: &memory)
      else { return false }
    }
    return true
  }
}
