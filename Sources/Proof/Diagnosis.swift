internal import Checkpoints
internal import Naming
internal import Tensors

/// Finds out why the deploy form of a block is not what it should be, by trying what people and
/// programs get wrong until one explains every value.
struct Diagnosis {
  /// The block that should be there.
  let block: ReferenceBlock
  let fused: FusedTensors
  let weights: Difference
  let bias: Difference
  /// Every block of the network, this one too.
  let others: [ReferenceBlock]
  /// An epsilon that explains other blocks.
  var likelyEpsilon: Double?

  /// An output channel that is wrong; the others are compared only with what explains this one.
  private var row: Int {
    if let index = weights.firstFailing.first?.index { return index / block.rowLength }
    return bias.firstFailing.first?.index ?? 0
  }

  func cause() throws(ReadError) -> Cause? {
    // A stricter tolerance than rounding: there is nothing to find.
    if weights.failing + bias.failing == 0 {
      return .arithmetic(.float32)
    }
    var memory = ComparisonMemory()
    if let site = (weights.firstFailing + bias.firstFailing).first(where: { !$0.found.isFinite }) {
      return weights.failing + bias.failing == 1 ? damage() : .notFinite(site)
    }
    if let epsilon = try epsilon(&memory) { return .epsilon(epsilon) }
    for (cause, hypothesis) in hypotheses(about: block) where try fits(hypothesis, &memory) {
      return cause
    }
    for (arrangement, view) in arrangements() {
      if try block.fits(view, startingAt: row, memory: &memory) { return .rearranged(arrangement) }
    }
    if let other = try otherBlock(&memory) { return other }
    if weights.largestAbsolute == weights.scale, try isZero() { return .allZero }
    if let damage = damage() { return damage }
    if let epsilon = likelyEpsilon {
      let changed = block.changing(Branch.allCases) { $0.statistics?.epsilon = epsilon }
      for (cause, hypothesis) in hypotheses(about: changed) where try fits(hypothesis, &memory) {
        return cause
      }
    }
    if let channels = try wrongChannels(&memory) { return .channels(channels) }
    return try coarseness(&memory)
  }

  private func fits(
    _ hypothesis: ReferenceBlock, _ memory: inout ComparisonMemory
  ) throws(ReadError) -> Bool {
    try hypothesis.fits(fused, startingAt: row, memory: &memory)
  }

  // MARK: Epsilon

  /// What frameworks and projects use.
  private static let usualEpsilons = [1e-5, 1e-3, 1e-6, 0, 1e-4, 1e-7, 1e-8, 2e-5, 1e-2, 1e-12]

  private func epsilon(_ memory: inout ComparisonMemory) throws(ReadError) -> Double? {
    let used = Set(block.terms.compactMap { $0.statistics?.epsilon })
    func changed(_ epsilon: Double) -> ReferenceBlock {
      block.changing(Branch.allCases) { $0.statistics?.epsilon = epsilon }
    }
    func explains(_ epsilon: Double) throws(ReadError) -> Bool {
      let isDefined = block.terms.allSatisfy {
        $0.statistics?.variance.allSatisfy { $0 + epsilon > 0 } ?? true
      }
      guard used != [epsilon], isDefined else { return false }
      return try fits(changed(epsilon), &memory)
    }
    // Small ones are alike where all variances are large: the one that gives the most values exactly.
    var best: (epsilon: Double, unequal: Int)?
    for candidate in [likelyEpsilon].compactMap(\.self) + Diagnosis.usualEpsilons
    where try explains(candidate) {
      let (weights, bias) = try changed(candidate).compare(fused, memory: &memory)
      let unequal = weights.unequal + bias.unequal
      if best == nil || unequal < best!.unequal { best = (candidate, unequal) }
    }
    if let best { return best.epsilon }
    guard let fitted = try fittedEpsilon() else { return nil }
    // People choose numbers of few digits.
    for digits in 1...4 {
      let short = fitted.rounded(toSignificantDigits: digits)
      if try explains(short) { return short }
    }
    return try explains(fitted) ? fitted : nil
  }

  /// What epsilon the weights that only the dense branch gives speak of, in the channels where it
  /// counts most: with `w' = w gamma / sqrt(variance + epsilon)`, `epsilon = (gamma w / w')^2 -
  /// variance`.
  private func fittedEpsilon() throws(ReadError) -> Double? {
    guard let dense = block[.dense], let weight = dense.weight, let statistics = dense.statistics,
      weight.shape == block.shape, fused.weight.shape == block.shape
    else { return nil }
    let area = block.shape[2] * block.shape[3]
    let middle = area / 2
    let channels = (0..<block.channels).sorted { statistics.variance[$0] < statistics.variance[$1] }
    var (original, found) = (
      [Double](repeating: 0, count: block.rowLength), [Double](repeating: 0, count: block.rowLength)
    )
    var fitted: [Double] = []
    for channel in channels.prefix(9) {
      let range = channel * block.rowLength..<(channel + 1) * block.rowLength
      try weight.readNumbers(range, into: &original)
      try fused.weight.readNumbers(range, into: &found)
      var (product, square) = (0.0, 0.0)
      for index in 0..<block.rowLength where index % area != middle {
        product += original[index] * found[index]
        square += found[index] * found[index]
      }
      // The least squares of `w / w'`, and so of `sqrt(variance + epsilon) / gamma`.
      let root = statistics.gamma[channel] * product / square
      let epsilon = root * root - statistics.variance[channel]
      if epsilon.isFinite { fitted.append(epsilon) }
      if fitted.count == 3 { break }
    }
    guard !fitted.isEmpty else { return nil }
    // The middle one: a damaged channel among them does no harm.
    return max(0, fitted.sorted()[fitted.count / 2])
  }

  // MARK: What goes wrong inside a block

  private func hypotheses(about block: ReferenceBlock) -> [(Cause, ReferenceBlock)] {
    var list: [(Cause, ReferenceBlock)] = []
    let present = block.terms.map(\.branch)
    let subsets = present.subsets.filter { !$0.isEmpty && $0.count < present.count }
    for branches in subsets {
      var changed = block
      changed.terms.removeAll { branches.contains($0.branch) }
      list.append((.leftOut(branches), changed))
    }
    let small = block.terms.filter { $0.height < block.shape[2] || $0.width < block.shape[3] }.map(
      \.branch)
    for branches in small.subsets where !branches.isEmpty {
      for row in 0..<block.shape[2] {
        for column in 0..<block.shape[3]
        where (row, column) != (block.shape[2] / 2, block.shape[3] / 2) {
          list.append(
            (
              .misplaced(branches, row: row, column: column),
              block.changing(branches) { ($0.top, $0.left) = (row, column) }
            ))
        }
      }
    }
    if block.shape[1] < block.channels, present.contains(.identity) {
      list.append(
        (
          .identityWithoutGroups,
          block.changing([.identity]) { $0.identityInput = { output, _ in output } }
        ))
    }
    for branches in present.subsets where !branches.isEmpty {
      list.append((.notFolded(branches), block.changing(branches) { $0.statistics = nil }))
    }
    for (index, first) in present.enumerated() {
      for second in present[(index + 1)...] {
        var changed = block
        let (a, b) = (block[first]!.statistics, block[second]!.statistics)
        changed = changed.changing([first]) { $0.statistics = b }.changing([second]) {
          $0.statistics = a
        }
        list.append((.exchangedBatchNorm(first, second), changed))
      }
    }
    var unbiased = block
    unbiased.hasBias = false
    list.append((.noBias, unbiased))
    func resetting(_ change: (inout ReferenceBlock.Statistics) -> Void) -> ReferenceBlock {
      block.changing(present) { if $0.statistics != nil { change(&$0.statistics!) } }
    }
    let (zeros, ones) = (
      [Double](repeating: 0, count: block.channels), [Double](repeating: 1, count: block.channels)
    )
    list.append((.ignored(.runningMean), resetting { $0.mean = zeros }))
    list.append((.ignored(.beta), resetting { $0.beta = zeros }))
    list.append((.ignored(.gamma), resetting { $0.gamma = ones }))
    list.append(
      (.ignored(.runningVariance), resetting { ($0.variance, $0.epsilon) = (ones, 0) }))
    return list
  }

  // MARK: Orders of axes

  /// The deploy kernel seen as somebody may have meant it.
  private func arrangements() -> [(Cause.Arrangement, FusedTensors)] {
    let weight = fused.weight
    guard weight.shape == block.shape else { return [] }
    func view(_ tensor: Tensor) -> FusedTensors { FusedTensors(weight: tensor, bias: fused.bias) }
    var list: [(Cause.Arrangement, FusedTensors)] = []
    let (output, input, height, width) = (
      weight.shape[0], weight.shape[1], weight.shape[2], weight.shape[3]
    )
    if !weight.isReshaped {
      list.append((.reversedInput, view(weight.flipped(axis: 1))))
      if height == width { list.append((.transposedTaps, view(weight.transposed([0, 1, 3, 2])))) }
      list.append((.rotatedTaps, view(weight.flipped(axis: 2).flipped(axis: 3))))
      if output == input {
        list.append((.exchangedChannels, view(weight.transposed([1, 0, 2, 3]))))
      }
    }
    if weight.isContiguous,
      let hwio = try? Tensor(
        weight.elementType, shape: weight.shape,
        strides: [1, output, width * input * output, input * output], byteOrder: weight.byteOrder,
        in: weight.source, at: weight.byteOffset, name: "")
    {
      list.append((.heightWidthInputOutput, view(hwio)))
    }
    return list
  }

  // MARK: Other blocks

  private func otherBlock(_ memory: inout ComparisonMemory) throws(ReadError) -> Cause? {
    for other in others where other.path != block.path && other.shape == block.shape {
      if try fits(other, &memory) { return .anotherBlock(other.path) }
    }
    for other in others where other.path != block.path && other.shape == block.shape {
      for term in other.terms where block[term.branch] != nil {
        if try fits(block.changing([term.branch]) { $0 = term }, &memory) {
          return .branchOfAnother(term.branch, block: other.path)
        }
      }
    }
    return nil
  }

  // MARK: Damage and precision

  private func isZero() throws(ReadError) -> Bool {
    var row = [Double](repeating: 0, count: block.rowLength)
    for index in 0..<block.channels {
      try fused.weight.readNumbers(
        index * block.rowLength..<(index + 1) * block.rowLength, into: &row)
      guard row.allSatisfy({ $0 == 0 }) else { return false }
    }
    return true
  }

  private func damage() -> Cause? {
    let values =
      Cause.damagedValues(weights, .weight, of: block.shape)
      + Cause.damagedValues(bias, .bias, of: [block.channels])
    let failing = weights.failing + bias.failing
    guard values.count == failing else { return nil }
    return .damaged(values)
  }

  /// The output channels that are wrong, if they are few of many.
  private func wrongChannels(_ memory: inout ComparisonMemory) throws(ReadError) -> [Int]? {
    let limit = min(Difference.siteLimit, block.channels / 4)
    var wrong: [Int] = []
    for row in 0..<block.channels {
      var (weights, bias) = (Difference(), Difference())
      let isRight = try block.compare(
        fused, rows: row..<row + 1, leavingAtFailure: true, weights: &weights, bias: &bias,
        memory: &memory)
      if !isRight {
        wrong.append(row)
        if wrong.count > limit { return nil }
      }
    }
    return wrong
  }

  private func coarseness(_ memory: inout ComparisonMemory) throws(ReadError) -> Cause? {
    let precisions = [ElementType.float16, .bfloat16].map { Precision($0)! }
      .filter { $0.unitRoundoff > fused.weightPrecision.unitRoundoff }
    func explains(_ allowance: Allowance) throws(ReadError) -> Bool {
      try block.fits(fused, startingAt: row, allowing: allowance, memory: &memory)
    }
    for precision in precisions where try areAll(representableIn: precision) {
      if try explains(Allowance(rounding: precision)) { return .rounded(to: precision.elementType) }
    }
    for precision in precisions
    where try explains(Allowance(rounding: precision, arithmetic: 8 * precision.unitRoundoff)) {
      let isTrained = block.terms.contains { $0.weight?.elementType == precision.elementType }
      return isTrained ? .trainedIn(precision.elementType) : .arithmetic(precision.elementType)
    }
    return nil
  }

  private func areAll(representableIn precision: Precision) throws(ReadError) -> Bool {
    var row = [Double](repeating: 0, count: block.rowLength)
    for index in 0..<block.channels {
      try fused.weight.readNumbers(
        index * block.rowLength..<(index + 1) * block.rowLength, into: &row)
      guard row.allSatisfy({ precision.rounded($0) == $0 }) else { return false }
    }
    return true
  }
}

extension Array where Element == Branch {
  /// Every selection of the elements, the smaller ones first.
  fileprivate var subsets: [[Branch]] {
    (0..<1 << count).map { mask in indices.filter { mask >> $0 & 1 == 1 }.map { self[$0] } }
      .sorted { $0.count < $1.count }
  }
}

extension Double {
  /// The nearest number that is written with so many digits.
  fileprivate func rounded(toSignificantDigits digits: Int) -> Double {
    guard self > 0, isFinite else { return 0 }
    // Powers of ten that are read rather than computed, so that the result is the number people write.
    var exponent = 0
    while let power = Double("1e\(exponent)"), power > self { exponent -= 1 }
    while let power = Double("1e\(exponent + 1)"), power <= self { exponent += 1 }
    let unit = exponent - digits + 1
    let count = unit < 0 ? self * Double("1e\(-unit)")! : self / Double("1e\(unit)")!
    return Double("\(Int(count.rounded()))e\(unit)") ?? self
  }
}
