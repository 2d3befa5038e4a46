internal import Checkpoints
internal import Naming
internal import Tensors

/// A train-time RepVGG block, recomputed the long way: what it should fuse to, row by row, and how much
/// was added up to get there.
///
/// It shares no arithmetic with `Kernel`, which fuses: every branch of a row is multiplied and added as
/// the paper writes it (RepVGG, arXiv:2101.03697, section 3.3), from the parameters as they are stored.
/// An error in either shows as a difference between the two. What is changed in a copy of it, such as
/// an epsilon or a branch, is a hypothesis on how somebody else went wrong.
struct ReferenceBlock: Sendable {
  /// Batch normalisation as it is stored.
  struct Statistics: Sendable {
    var gamma, beta, mean, variance: [Double]
    var epsilon: Double

    func scale(_ channel: Int) -> Double {
      gamma[channel] / (variance[channel] + epsilon).squareRoot()
    }
  }

  struct Term: Sendable {
    var branch: Branch
    /// OIHW; nil for the identity.
    var weight: Tensor?
    /// Of the convolution; it goes through BatchNorm as well.
    var bias: [Double]?
    /// Nil if the branch is to be taken without BatchNorm.
    var statistics: Statistics?
    /// Where its first weight lies in the whole kernel.
    var top, left: Int
    /// From which input channel of its group the identity takes output channel `o`; `o mod I` is right.
    var identityInput: @Sendable (_ output: Int, _ inputs: Int) -> Int = { $0 % $1 }

    var height: Int { weight?.shape[2] ?? 1 }
    var width: Int { weight?.shape[3] ?? 1 }

    func scale(_ channel: Int) -> Double { statistics?.scale(channel) ?? 1 }
  }

  var path: String
  /// Of the fused kernel, OIHW.
  var shape: Shape
  /// In the order dense, pointwise, identity.
  var terms: [Term]
  /// Whether the fused bias is to be taken as zero.
  var hasBias = true

  /// - Parameter epsilon: where the file does not say it.
  /// - Precondition: a `FusionPlan` accepted the block.
  init(_ block: Block, of network: Network, epsilon: Double) throws(ReadError) {
    path = block.path
    shape = block[.kernel(.dense)]!.tensor.shape
    terms = []
    for branch in [Branch.dense, .pointwise, .identity] {
      guard let gamma = block[.batchNorm(branch, .gamma)] else { continue }
      func vector(_ field: BatchNormField) throws(ReadError) -> [Double] {
        try block[.batchNorm(branch, field)]!.tensor.doubles()
      }
      let weight = block[.kernel(branch)]?.tensor
      terms.append(
        Term(
          branch: branch, weight: weight,
          bias: try block[.convolutionBias(branch)]?.tensor.doubles(),
          statistics: Statistics(
            gamma: try gamma.tensor.doubles(), beta: try vector(.beta),
            mean: try vector(.runningMean), variance: try vector(.runningVariance),
            epsilon: network.module(of: gamma)?.epsilon ?? epsilon),
          top: (shape[2] - (weight?.shape[2] ?? 1)) / 2,
          left: (shape[3] - (weight?.shape[3] ?? 1)) / 2))
    }
  }

  var channels: Int { shape[0] }
  /// Weights of one output channel.
  var rowLength: Int { shape[1] * shape[2] * shape[3] }

  subscript(branch: Branch) -> Term? { terms.first { $0.branch == branch } }

  /// Changes the term of one branch.
  func changing(_ branches: [Branch], _ change: (inout Term) -> Void) -> ReferenceBlock {
    var result = self
    for index in terms.indices where branches.contains(terms[index].branch) {
      change(&result.terms[index])
    }
    return result
  }

  /// The bias of one output channel, and the sum of the magnitudes it was added up from.
  func bias(ofRow row: Int) -> (value: Double, magnitude: Double) {
    guard hasBias else { return (0, 0) }
    var (value, magnitude) = (0.0, 0.0)
    for term in terms {
      var parts: [Double] = []
      if let statistics = term.statistics {
        parts = [statistics.beta[row], -statistics.mean[row] * statistics.scale(row)]
      }
      if let bias = term.bias { parts.append(bias[row] * term.scale(row)) }
      for part in parts {
        value += part
        magnitude += part.magnitude
      }
    }
    return (value, magnitude)
  }

  /// The weights of some rows.
  func computeWeights(ofRows rows: Range<Int>, into result: inout Rows) throws(ReadError) {
    let count = rows.count * rowLength
    result.reset(to: count)
    let (height, width) = (shape[2], shape[3])
    for term in terms {
      guard let weight = term.weight else {
        for (index, row) in rows.enumerated() {
          let input = term.identityInput(row, shape[1])
          guard input < shape[1] else { continue }
          result.add(
            term.scale(row),
            at: ((index * shape[1] + input) * height + term.top) * width + term.left)
        }
        continue
      }
      let length = shape[1] * term.height * term.width
      result.reserve(rows.count * length)
      try weight.readNumbers(
        rows.lowerBound * length..<rows.upperBound * length, into: &result.numbers)
      for (index, row) in rows.enumerated() {
        let scale = term.scale(row)
        if length == rowLength {
          accumulate(
            result.numbers, from: index * length, times: scale, in: &result.values,
            &result.magnitudes, at: index * length, count: length)
        } else {
          for channel in 0..<shape[1] {
            for y in 0..<term.height {
              accumulate(
                result.numbers,
                from: ((index * shape[1] + channel) * term.height + y) * term.width, times: scale,
                in: &result.values, &result.magnitudes,
                at: ((index * shape[1] + channel) * height + term.top + y) * width + term.left,
                count: term.width)
            }
          }
        }
      }
    }
  }
}

/// Weights being added up, and the magnitudes of what was added. Memory that is used again.
struct Rows {
  var values: [Double] = []
  var magnitudes: [Double] = []
  /// What was read from a file.
  fileprivate(set) var numbers: [Double] = []

  fileprivate mutating func reset(to count: Int) {
    if values.count < count {
      values = [Double](repeating: 0, count: count)
      magnitudes = values
    } else {
      for index in 0..<count {
        values[index] = 0
        magnitudes[index] = 0
      }
    }
  }

  fileprivate mutating func reserve(_ count: Int) {
    if numbers.count < count { numbers = [Double](repeating: 0, count: count) }
  }

  fileprivate mutating func add(_ value: Double, at index: Int) {
    values[index] += value
    magnitudes[index] += value.magnitude
  }
}

/// Adds `count` numbers, each times `scale`, to sums and to sums of magnitudes.
private func accumulate(
  _ numbers: [Double], from: Int, times scale: Double, in sums: inout [Double],
  _ magnitudes: inout [Double], at: Int, count: Int
) {
  let numbers = numbers.span
  var sums = sums.mutableSpan
  var magnitudes = magnitudes.mutableSpan
  for offset in 0..<count {
    let product = scale * numbers[from + offset]
    sums[at + offset] += product
    magnitudes[at + offset] += product.magnitude
  }
}
