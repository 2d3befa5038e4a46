internal import Blocks
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
      let changed = block.changingNorms { $0.epsilon = epsilon }
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
    let norms = block.branch.norms
    let used = Set(norms.map(\.epsilon))
    guard !norms.isEmpty else { return nil }
    func changed(_ epsilon: Double) -> ReferenceBlock {
      block.changingNorms { $0.epsilon = epsilon }
    }
    func explains(_ epsilon: Double) throws(ReadError) -> Bool {
      let isDefined = norms.allSatisfy { $0.runningVariance.allSatisfy { $0 + epsilon > 0 } }
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
    guard let fitted = try fittedEpsilon(&memory) else { return nil }
    // People choose numbers of few digits.
    for digits in 1...4 {
      let short = fitted.rounded(toSignificantDigits: digits)
      if try explains(short) { return short }
    }
    return try explains(fitted) ? fitted : nil
  }

  /// The epsilon with which a few output channels come nearest to what they are, those where it counts
  /// most: of the middle one of three, so that a damaged channel does no harm.
  private func fittedEpsilon(_ memory: inout ComparisonMemory) throws(ReadError) -> Double? {
    guard fused.weight.shape == block.shape else { return nil }
    let norms = block.branch.norms.filter { $0.channelCount == block.channels }
    guard let norm = norms.first else { return nil }
    let channels = (0..<block.channels).sorted {
      (norm.runningVariance[$0], $0) < (norm.runningVariance[$1], $1)
    }
    var fitted: [Double] = []
    for channel in channels.prefix(3) {
      var found = [Double](repeating: 0, count: block.rowLength)
      try fused.weight.readNumbers(
        channel * block.rowLength..<(channel + 1) * block.rowLength, into: &found)
      func distance(_ exponent: Double) throws(ReadError) -> Double {
        let changed = block.changingNorms { $0.epsilon = powerOfTen(exponent) }
        try changed.computeWeights(ofRows: channel..<channel + 1, into: &memory.rows)
        var sum = 0.0
        for index in found.indices {
          let difference = memory.rows.values[index] - found[index]
          sum += difference * difference
        }
        return sum.isNaN ? .infinity : sum
      }
      // A coarse look at what anybody might use, then the golden section of the best interval.
      let grid = stride(from: -12.0, through: 0, by: 0.5).map { $0 }
      var best = (exponent: 0.0, distance: Double.infinity)
      for exponent in grid {
        let distance = try distance(exponent)
        if distance < best.distance { best = (exponent, distance) }
      }
      guard best.distance.isFinite else { continue }
      var (low, high) = (best.exponent - 0.5, best.exponent + 0.5)
      let ratio = (5.0.squareRoot() - 1) / 2
      var (a, b) = (high - ratio * (high - low), low + ratio * (high - low))
      var (atA, atB) = (try distance(a), try distance(b))
      for _ in 0..<60 {
        if atA < atB {
          (high, b, atB) = (b, a, atA)
          a = high - ratio * (high - low)
          atA = try distance(a)
        } else {
          (low, a, atA) = (a, b, atB)
          b = low + ratio * (high - low)
          atB = try distance(b)
        }
      }
      fitted.append(powerOfTen((low + high) / 2))
    }
    return fitted.isEmpty ? nil : fitted.sorted()[fitted.count / 2]
  }

  // MARK: What goes wrong inside a block

  /// Hypotheses of one kind that are tried at most: trees can have any number of branches.
  private static let limit = 96

  /// What may have been done with a block: edits of its tree, single ones before pairs.
  private func hypotheses(about block: ReferenceBlock) -> [(Cause, ReferenceBlock)] {
    let tree = block.branch
    let summands = tree.places { _, parent in parent?.isSum == true }
    let norms = tree.places { branch, _ in branch.norm != nil }
    func names(_ places: [Branch.Place]) -> [String] { places.map(\.name) }
    func edit(
      _ places: [Branch.Place], _ cause: ([String]) -> Cause, _ change: (Branch) -> Branch?
    ) -> [(Cause, ReferenceBlock)] {
      places.selections(atMost: Self.limit).compactMap { selection in
        tree.replacing(Set(selection.map(\.number)), with: change).map {
          (cause(names(selection)), block.changing(to: $0))
        }
      }
    }
    func odd(_ places: [Branch.Place], _ oddity: ReferenceBlock.Oddity) -> ReferenceBlock {
      var changed = block
      for place in places { changed.oddities[place.number] = oddity }
      return changed
    }

    var list = edit(summands, Cause.leftOut) { _ in nil }
    let (number, whole) = tree.wholeSum
    let top = whole.isSum ? summands.filter { whole.isRightBelow($0.number - number) } : []
    let small = top.filter {
      $0.branch.size.height < block.shape[2] || $0.branch.size.width < block.shape[3]
    }
    for selection in small.selections(atMost: Self.limit / 8) {
      for (row, column) in block.otherPlaces(
        for: selection.map(\.branch), limit: Self.limit)
      {
        list.append(
          (
            .misplaced(names(selection), row: row, column: column),
            odd(selection, .misplaced(row: row, column: column))
          ))
      }
    }
    if block.shape[1] < block.channels {
      let identities = tree.places { branch, _ in branch.isIdentity }
      if !identities.isEmpty {
        list.append((.identityWithoutGroups, odd(identities, .withoutGroups)))
      }
    }
    list += edit(norms, Cause.notFolded) { $0.children[0] }
    list += edit(tree.places { branch, _ in branch.isScaled }, Cause.notScaled) { $0.children[0] }
    list += edit(tree.places { branch, _ in branch.isShifted }, Cause.notShifted) { $0.children[0] }
    list += edit(tree.places { branch, _ in branch.isDilated }, Cause.notDilated) { $0.children[0] }
    // Where all of the bias is passed on, that is the same as none, which is the simpler thing to say.
    var unbiased = block
    unbiased.hasBias = false
    list.append((.noBias, unbiased))
    for selection in tree.places(where: { branch, _ in branch.isChain }).selections(
      atMost: Self.limit)
    {
      list.append((.biasNotPassed(names(selection)), odd(selection, .biasNotPassed)))
    }
    list += exchanges(of: norms, in: block)
    func resetting(_ change: (inout BatchNorm) -> Void) -> ReferenceBlock {
      block.changingNorms(change)
    }
    guard !norms.isEmpty else { return list }
    func filled(_ value: Double, _ vector: [Double]) -> [Double] { vector.map { _ in value } }
    list.append((.ignored(.runningMean), resetting { $0.runningMean = filled(0, $0.beta) }))
    list.append((.ignored(.beta), resetting { $0.beta = filled(0, $0.beta) }))
    list.append((.ignored(.gamma), resetting { $0.gamma = filled(1, $0.beta) }))
    list.append(
      (
        .ignored(.runningVariance),
        resetting { ($0.runningVariance, $0.epsilon) = (filled(1, $0.beta), 0) }
      ))
    return list
  }

  private func exchanges(
    of norms: [Branch.Place], in block: ReferenceBlock
  ) -> [(Cause, ReferenceBlock)] {
    var list: [(Cause, ReferenceBlock)] = []
    for (index, first) in norms.enumerated() {
      for second in norms[(index + 1)...] where list.count < Self.limit {
        guard let a = first.branch.norm, let b = second.branch.norm,
          a.channelCount == b.channelCount,
          let changed = block.branch.exchangingNorms(first.number, second.number, a, b)
        else { continue }
        list.append((.exchangedBatchNorm(first.name, second.name), block.changing(to: changed)))
      }
    }
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
    if weight.isContiguous, weight.scales == nil,
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
    let alike = others.filter { $0.path != block.path && $0.shape == block.shape }
    for other in alike where try fits(other, &memory) { return .anotherBlock(other.path) }
    let own = block.branch.places { _, parent in parent?.isSum == true }
    for other in alike {
      for theirs in other.branch.places(where: { _, parent in parent?.isSum == true }) {
        guard let mine = own.first(where: { $0.name == theirs.name }),
          let changed = block.branch.replacing([mine.number], with: { _ in theirs.branch })
        else { continue }
        if try fits(block.changing(to: changed), &memory) {
          return .branchOfAnother(mine.name, block: other.path)
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
    where try explains(Allowance(rounding: precision, unit: precision.unitRoundoff)) {
      let isTrained = block.branch.all.contains {
        if case .convolution(let weight, _) = $0 {
          weight.elementType == precision.elementType
        } else {
          false
        }
      }
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

extension Array where Element == Branch.Place {
  /// Selections of the places: single ones, pairs, and, of so few that they are not many, all others.
  fileprivate func selections(atMost limit: Int) -> [[Branch.Place]] {
    var result = map { [$0] }
    for (index, first) in enumerated() {
      for second in self[(index + 1)...] { result.append([first, second]) }
    }
    if count > 2 && count <= 6 {
      let masks = (0..<1 << count).filter { $0.nonzeroBitCount > 2 }
        .sorted { ($0.nonzeroBitCount, $0) < ($1.nonzeroBitCount, $1) }
      result += masks.map { mask in indices.filter { mask >> $0 & 1 == 1 }.map { self[$0] } }
    } else if count > 6 {
      result.append(self)
    }
    return [[Branch.Place]](result.prefix(limit))
  }
}

extension Branch {
  /// The BatchNorms inside, in the order of `all`.
  fileprivate var norms: [BatchNorm] { all.compactMap(\.norm) }

  fileprivate var norm: BatchNorm? {
    if case .batchNorm(_, let norm) = self { norm } else { nil }
  }
  fileprivate var isIdentity: Bool { if case .identity = self { true } else { false } }
  fileprivate var isScaled: Bool { if case .scaled = self { true } else { false } }
  fileprivate var isShifted: Bool { if case .shifted = self { true } else { false } }
  fileprivate var isDilated: Bool { if case .dilated = self { true } else { false } }
  fileprivate var isChain: Bool { if case .then = self { true } else { false } }

  /// What all else stands behind: BatchNorm after a sum, say; and its number in the order of `all`.
  fileprivate var wholeSum: (number: Int, branch: Branch) {
    switch self {
    case .layer(_, let inner), .batchNorm(let inner, _), .scaled(let inner, _),
      .shifted(let inner, _):
      let (number, branch) = inner.wholeSum
      return (number + 1, branch)
    default: return (0, self)
    }
  }

  /// Whether the branch of this number is one of the children.
  fileprivate func isRightBelow(_ number: Int) -> Bool {
    var next = 1
    for child in children {
      if next == number { return true }
      next += child.all.count
    }
    return false
  }

  /// Each of two BatchNorms with the other's numbers.
  fileprivate func exchangingNorms(
    _ first: Int, _ second: Int, _ a: BatchNorm, _ b: BatchNorm
  ) -> Branch? {
    func changing(_ number: Int, to norm: BatchNorm) -> (Branch) -> Branch? {
      return { $0.replacing([number]) { .batchNorm($0.children[0], norm) } }
    }
    return changing(first, to: b)(self).flatMap(changing(second, to: a))
  }
}

extension ReferenceBlock {
  /// Rows and columns, but for the right ones, at which the first weights of smaller kernels might lie.
  fileprivate func otherPlaces(for branches: [Branch], limit: Int) -> [(row: Int, column: Int)] {
    let sizes = branches.map(\.size)
    let (rows, columns) = (
      shape[2] - sizes.map(\.height).max()! + 1, shape[3] - sizes.map(\.width).max()! + 1
    )
    let all = (0..<rows).flatMap { row in (0..<columns).map { (row, $0) } }
    return Array(all.filter { $0 != (rows / 2, columns / 2) }.prefix(limit))
  }
}

/// Ten to this power, by nothing but multiplication: good to some units in the last place.
private func powerOfTen(_ exponent: Double) -> Double {
  let whole = exponent.rounded(.down)
  var (result, base, fraction) = (1.0, 10.0, exponent - whole)
  // Square roots of ten, as the fraction's binary digits say.
  for _ in 0..<52 {
    base = base.squareRoot()
    fraction *= 2
    if fraction >= 1 {
      result *= base
      fraction -= 1
    }
  }
  return result * (Double("1e\(Int(whole))") ?? 0)
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
