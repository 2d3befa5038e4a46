internal import Blocks
public import Checkpoints
public import Naming
public import Reparameterization
public import Tensors

/// The proof that a deploy network is a training checkpoint, fused: every block recomputed from its
/// branches and compared value by value, everything else compared as copies.
///
/// It needs no input and no graph, so it works for any network that contains the blocks. Both files
/// are read once, in pieces; memory does not grow with the model.
public struct Verification: Sendable {
  /// Something of the training checkpoint that the deploy network should have.
  public struct Missing: Equatable, Sendable {
    /// What the tensors are together: `Squeeze-and-Excitation of block 'stage1.0'`.
    public var what: String
    /// As the training file names them, or, of a fused convolution, as the deploy file would.
    public var names: [Name]
  }

  /// The one with the largest difference, by what rounding explains, first.
  public var blocks: [BlockComparison]
  /// Tensors that should be copies; the one with the largest difference first.
  public var tensors: [TensorComparison]
  /// What the deploy network should have and does not.
  public var missing: [Missing]
  /// Tensors of the deploy file that nothing in the training checkpoint accounts for.
  public var unexpected: [Name]
  /// Blocks whose branches the deploy file holds beside the fused convolution.
  public var blocksWithBranches: Int

  /// Whether the deploy network is the training checkpoint, fused.
  public var holds: Bool {
    missing.isEmpty && unexpected.isEmpty && blocks.allSatisfy { $0.grade < .different }
      && tensors.allSatisfy(\.isAlike)
  }

  /// The worst grade of all blocks; `exact` if there are none.
  public var grade: BlockComparison.Grade { blocks.map(\.grade).max() ?? .exact }

  /// Compares `deploy` with what `plan` would make.
  ///
  /// - Parameters:
  ///   - epsilon: BatchNorm's, where the training file does not say it; by default the dialect's.
  ///   - biasCorrection: how biases are to make up for what steps of weights change; where images told it,
  ///     biases of layers in steps are not compared.
  ///   - steps: of tensors that are multiples of them, and do not say so by themselves.
  /// - Throws: `ReadError`.
  public init(
    of plan: FusionPlan, epsilon: Double? = nil, in deploy: Network,
    biasCorrection: BiasCorrection = .none, steps: [Role: StoredSteps] = [:],
    tolerance: Tolerance = .rounding, threads: Threads = .all
  ) throws {
    let matched = try Matching(
      plan, epsilon: epsilon, deploy, biasCorrection, steps: steps)
    missing = matched.missing
    unexpected = matched.unexpected
    blocksWithBranches = matched.blocksWithBranches

    // Blocks and copies in one go, so that threads end at about the same time.
    let comparisons = try concurrentMap(
      of: matched.pairs, largestFirst: \.byteCount, threads: threads
    ) { (pair, _) throws(ReadError) -> Compared in
      switch pair {
      case .block(let pair): .block(try BlockComparison(pair, tolerance: tolerance))
      case .copy(let first, let other):
        .copy(try TensorComparison(Named(first), Named(other), tolerance: tolerance))
      }
    }
    blocks = comparisons.compactMap { if case .block(let block) = $0 { block } else { nil } }
    try Verification.diagnose(&blocks, matched)
    blocks.stableSort { $0.badness > $1.badness }
    tensors = comparisons.compactMap { if case .copy(let copy) = $0 { copy } else { nil } }
    tensors.stableSort { $0.badness > $1.badness }
  }

  /// Finds causes; the epsilon that explains one block is tried with what may be wrong with others.
  private static func diagnose(
    _ comparisons: inout [BlockComparison], _ matched: Matching
  ) throws {
    var epsilon: Double?
    func diagnose(_ index: Int) throws {
      guard let weights = comparisons[index].weights, let bias = comparisons[index].bias else {
        return
      }
      let pair = matched.fused[index]
      let diagnosis = Diagnosis(
        block: pair.block,
        fused: pair.tensors,
        weights: weights, bias: bias, others: matched.references, likelyEpsilon: epsilon)
      comparisons[index].cause = try diagnosis.cause()
      if case .epsilon(let value) = comparisons[index].cause { epsilon = value }
    }
    let failing = comparisons.indices.filter { comparisons[$0].grade == .different }
    for index in failing { try diagnose(index) }
    guard epsilon != nil else { return }
    for index in failing where comparisons[index].cause?.isSpecific != true { try diagnose(index) }
  }
}

/// What came of a comparison.
private enum Compared: Sendable {
  case block(BlockComparison)
  case copy(TensorComparison)
}

/// What is to be compared.
private enum Pair: Sendable {
  case block(FusedPair)
  case copy(Parameter, Parameter)

  /// Of the deploy file.
  var byteCount: Int {
    switch self {
    case .block(let pair): pair.weight.tensor.byteCount
    case .copy(_, let other): other.tensor.byteCount
    }
  }
}

/// A block, and the convolution of the deploy file that it should be.
private struct FusedPair: Sendable {
  var block: ReferenceBlock
  var weight, bias: Parameter
  /// Of each input channel, if the bias is to make up for what steps of the weight add to the means.
  var inputMeans: [Double]?
  var weightSteps, biasSteps: StoredSteps?
  /// Whether the bias is to be what the block amounts to.
  var isBiasKnown = true

  var tensors: FusedTensors {
    var tensors = FusedTensors(
      weight: weight.tensor, bias: bias.tensor,
      inputMeans: weight.tensor.scales == nil && weightSteps == nil ? nil : inputMeans)
    (tensors.weightSteps, tensors.biasSteps) = (weightSteps, biasSteps)
    return tensors
  }
}

/// Which tensor of a deploy file is to be compared with what, decided before any weight is read.
private struct Matching: Sendable {
  typealias Missing = Verification.Missing
  /// Every block that is to be fused.
  let references: [ReferenceBlock]
  /// Those whose convolution the deploy file has.
  let fused: [FusedPair]
  let copies: [(first: Parameter, other: Parameter)]
  let missing: [Missing]
  let unexpected: [Name]
  let blocksWithBranches: Int

  /// Blocks first.
  var pairs: [Pair] {
    fused.map { .block($0) } + copies.map { .copy($0.first, $0.other) }
  }

  init(
    _ plan: FusionPlan, epsilon: Double?, _ deploy: Network, _ biasCorrection: BiasCorrection,
    steps: [Role: StoredSteps]
  ) throws {
    let train = plan.network
    let alignment = PathAlignment(from: train, to: deploy)
    var found: [Role: Parameter] = [:]
    for parameter in deploy.parameters { found[parameter.role] = parameter }
    let blocks = Dictionary(uniqueKeysWithValues: train.blocks.map { ($0.path, $0) })

    var used: Set<Role> = []
    var references: [ReferenceBlock] = []
    var fused: [FusedPair] = []
    var branches: [Role: Branch] = [:]
    var originals: [Role: Parameter] = [:]
    for parameter in train.parameters { originals[parameter.role] = parameter }
    var copies: [(Parameter, Parameter)] = []
    var missing: [Missing] = []
    var missingParts: [String: [Name]] = [:]
    for step in plan.steps {
      switch step {
      case .fuse(let block):
        let path = block.path
        // Made again, with the given epsilon, and of its shape nothing but what the plan says.
        let branch = try blocks[path]!.branch(in: train, epsilon: epsilon ?? train.dialect.epsilon)
        let reference = try ReferenceBlock(path, branch, shape: block.kernel.shape)
        branches[.block(block.address, .fused(.weight))] = branch
        references.append(reference)
        let address = alignment.address(block.address)
        let roles = Part.ofConvolution.map { Role.block(address, .fused($0)) }
        used.formUnion(roles)
        if var weight = found[roles[0]], let bias = found[roles[1]] {
          weight.tensor = weight.tensor.asKernel
          fused.append(FusedPair(block: reference, weight: weight, bias: bias))
        } else {
          let other = deploy.block(at: address.path)
          missing.append(
            Missing(
              what: "the convolution of block '\(path)'"
                + (other?.hasFused == true
                  ? ", in part" : other?.hasBranches == true ? ", which is not fused" : ""),
              names: roles.filter { found[$0] == nil }.map(deploy.dialect.label)))
        }
      case .pass(let parameter):
        let role = alignment.role(parameter.role)
        used.insert(role)
        if let other = found[role] {
          let layer = parameter.role.weightOfBias ?? parameter.role
          if let pair = try Matching.layerInSteps(layer, originals, found, alignment, steps) {
            // Once, and not for its bias as well.
            if parameter.role == layer { fused.append(pair) }
          } else {
            copies.append((parameter, other))
          }
        } else {
          missingParts[Matching.part(parameter), default: []].append(parameter.originalName)
        }
      }
    }
    missing += missingParts.sorted { naturallyPrecedes(Name($0.key), Name($1.key)) }
      .map { Missing(what: $0.key, names: $0.value) }

    // What the deploy file has beside that: branches and heads of training are compared too.
    var unexpected: [Name] = []
    var withBranches: Set<Name> = []
    var original: [Role: Parameter] = [:]
    for parameter in train.parameters { original[alignment.role(parameter.role)] = parameter }
    for parameter in deploy.parameters where !used.contains(parameter.role) {
      if case .block(let block, let address) = parameter.role, block.family.isOwn(address.layer) {
        withBranches.insert(block.path)
        if address.part == .batchesTracked { continue }
      }
      if let first = original[parameter.role] {
        copies.append((first, parameter))
      } else {
        unexpected.append(parameter.originalName)
      }
    }
    self.references = references
    if biasCorrection == .batchNorms {
      var means: [Role: [Double]] = [:]
      for (role, list) in inputMeans(of: plan.structure, branches) {
        means[alignment.role(role)] = list
      }
      for index in fused.indices { fused[index].inputMeans = means[fused[index].weight.role] }
    }
    for index in fused.indices {
      fused[index].weightSteps = steps[fused[index].weight.role]
      fused[index].biasSteps = steps[fused[index].bias.role]
    }
    if biasCorrection == .images {
      for index in fused.indices {
        let isInSteps =
          fused[index].weight.tensor.scales != nil || fused[index].weightSteps != nil
        fused[index].isBiasKnown = !isInSteps
      }
    }
    self.fused = fused
    self.copies = copies
    self.missing = missing
    self.unexpected = unexpected
    blocksWithBranches = withBranches.count
  }

  /// A layer that is no block, whose weight the deploy file has in steps: more than a copy. Nil of any
  /// other.
  ///
  /// - Parameter role: of its weight.
  private static func layerInSteps(
    _ role: Role, _ originals: [Role: Parameter], _ found: [Role: Parameter],
    _ alignment: PathAlignment, _ steps: [Role: StoredSteps]
  ) throws(ReadError) -> FusedPair? {
    guard let biasRole = role.biasOfWeight, let weight = originals[role],
      let bias = originals[biasRole], var other = found[alignment.role(role)],
      let otherBias = found[alignment.role(biasRole)],
      other.tensor.scales != nil || steps[other.role] != nil || steps[otherBias.role] != nil,
      weight.tensor.isWeight, bias.tensor.isWeight, weight.tensor.shape == other.tensor.shape
    else { return nil }
    other.tensor = other.tensor.asKernel
    let kernel = weight.tensor.asKernel
    let reference = try ReferenceBlock(
      weight.originalName, .convolution(kernel, bias: bias.tensor), shape: kernel.shape)
    return FusedPair(block: reference, weight: other, bias: otherBias)
  }

  /// What a parameter that is missing is part of.
  private static func part(_ parameter: Parameter) -> String {
    switch parameter.role {
    case .block(let block, let address) where address.layer == .fused:
      "the convolution of block '\(printable(block.path))'"
    case .block(let block, let address)
    where BlockFamily.commonLayers.contains { $0.name == address.layer.name }:
      "Squeeze-and-Excitation of block '\(printable(block.path))'"
    case .classifier: "the classifier"
    default: "'\(parameter.originalName)'"
    }
  }
}

extension Cause {
  /// Whether it says what was done, rather than how large the difference is.
  fileprivate var isSpecific: Bool {
    switch self {
    case .arithmetic, .trainedIn, .channels: false
    default: true
    }
  }
}

extension BlockComparison {
  fileprivate init(
    _ pair: FusedPair, tolerance: Tolerance
  ) throws(ReadError) {
    let (reference, weight, bias) = (pair.block, pair.weight, pair.bias)
    path = reference.path
    weightName = weight.originalName
    biasName = bias.originalName
    elementType = pair.weightSteps?.elementType ?? weight.tensor.elementType
    shape = weight.tensor.shape
    (weights, self.bias, cause, grade) = (nil, nil, nil, .different)
    guard weight.tensor.shape == reference.shape else {
      cause =
        try arrangement(of: weight.tensor, bias.tensor, reference)
        ?? .otherShape(expected: reference.shape, found: shape)
      return
    }
    guard bias.tensor.shape == [reference.channels] else {
      cause = .otherShape(expected: [reference.channels], found: bias.tensor.shape)
      return
    }
    var memory = ComparisonMemory()
    let (weights, biases) = try reference.compare(pair.tensors, memory: &memory)
    self.weights = weights
    self.bias = pair.isBiasKnown ? biases : nil
    let compared = [weights] + (pair.isBiasKnown ? [biases] : [])
    grade =
      if compared.allSatisfy({ $0.unequal == 0 }) {
        .exact
      } else if !compared.allSatisfy({
        $0.isWithin(tolerance)
      }) {
        .different
      } else if compared.allSatisfy({ $0.failing == 0 }) { .rounded } else { .tolerated }
  }

  /// Whether a kernel of another shape is the right one with its axes in another order.
  private func arrangement(
    of weight: Tensor, _ bias: Tensor, _ reference: ReferenceBlock
  ) throws(ReadError) -> Cause? {
    guard weight.shape.rank == 4, !weight.isReshaped else { return nil }
    var memory = ComparisonMemory()
    for (order, arrangement) in [
      ([3, 2, 0, 1], Cause.Arrangement.heightWidthInputOutput), ([1, 0, 2, 3], .exchangedChannels),
    ] {
      let view = FusedTensors(weight: weight.transposed(order), bias: bias)
      if try reference.fits(view, startingAt: 0, memory: &memory) {
        return .rearranged(arrangement)
      }
    }
    return nil
  }

  /// What comparisons are sorted by.
  fileprivate var badness: Badness {
    Badness(
      rank: grade.rawValue, isIncomparable: difference == nil, excess: difference?.excess ?? 0)
  }
}

extension TensorComparison {
  fileprivate var badness: Badness {
    Badness(
      rank: relation < .different ? 0 : 1, isIncomparable: relation == .incomparable,
      excess: difference?.largestAbsolute ?? 0)
  }
}

private struct Badness: Comparable {
  var rank: Int
  var isIncomparable: Bool
  var excess: Double

  static func < (a: Badness, b: Badness) -> Bool {
    (a.rank, a.isIncomparable ? 1 : 0, a.excess) < (b.rank, b.isIncomparable ? 1 : 0, b.excess)
  }
}

extension Array {
  /// Sorts without changing the order of equals.
  mutating func stableSort(by precedes: (Element, Element) -> Bool) {
    self = enumerated().sorted { a, b in
      if precedes(a.element, b.element) { return true }
      return !precedes(b.element, a.element) && a.offset < b.offset
    }.map(\.element)
  }
}

/// How the paths of blocks in one file become those in another: some code puts all of the network
/// below a name.
struct PathAlignment {
  private var removed: Name = ""
  private var added: Name = ""
  /// The blocks of the second: names of deploy forms can be those of several families.
  private var others: [Name: BlockAddress] = [:]

  init(from first: Network, to second: Network) {
    others = Dictionary(uniqueKeysWithValues: second.blocks.map { ($0.path, $0.address) })
    let (paths, others) = (first.blocks.map(\.path), Set(second.blocks.map(\.path)))
    guard let path = paths.first, !paths.allSatisfy(others.contains) else { return }
    for other in second.blocks.map(\.path) {
      var attempt = self
      if let front = other.dropping(suffix: ".\(path)") {
        attempt.added = front + "."
      } else if let front = path.dropping(suffix: ".\(other)") {
        attempt.removed = front + "."
      }
      if paths.allSatisfy({ others.contains(attempt.path($0)) }) {
        self = attempt
        return
      }
    }
  }

  func path(_ path: Name) -> Name {
    added + (path.dropping(prefix: removed) ?? path)
  }

  func address(_ block: BlockAddress) -> BlockAddress {
    let path = path(block.path)
    return others[path] ?? BlockAddress(block.family, path)
  }

  func role(_ role: Role) -> Role {
    switch role {
    case .block(let block, let parameter): .block(address(block), parameter)
    case .classifier: role
    case .other(let name): .other(name: path(name))
    }
  }
}
