internal import Blocks
internal import Naming
internal import Tensors

/// A block of the training form, recomputed the long way: what it should fuse to, row by row, and how
/// much was added up to get there.
///
/// It shares no arithmetic with `Kernel`, which fuses: every branch of a row is multiplied and added as
/// the papers write it, from the parameters as they are stored. An error in either shows as a difference
/// between the two. What is changed in a copy of it, such as an epsilon or a branch, is a hypothesis on
/// how somebody else went wrong.
struct ReferenceBlock: Sendable {
  /// What a program may have made of a branch that no other tree says.
  enum Oddity: Equatable {
    /// Its first weight lies at this row and column of the kernel.
    case misplaced(row: Int, column: Int)
    /// An identity from input channel `o` to output channel `o`, groups or none.
    case withoutGroups
    /// What follows a convolution does not see its bias.
    case biasNotPassed
  }

  var path: Name
  /// Of the fused kernel, OIHW.
  var shape: Shape
  var branch: Branch
  /// By their branches' numbers in the order of `Branch.all`.
  var oddities: [Int: Oddity] = [:]
  /// Whether the fused bias is to be taken as zero.
  var hasBias = true
  /// How many roundings a weight or bias may have gone through in a plain program; of the block as it
  /// should be, whatever is changed.
  let roundings: Double
  /// Biases and factors, which are read once.
  private var vectors: [VectorKey: [Double]] = [:]

  /// - Parameter shape: of the fused kernel.
  init(_ path: Name, _ branch: Branch, shape: Shape) throws(ReadError) {
    self.path = path
    self.shape = shape
    self.branch = branch
    roundings = branch.roundings(inputs: shape[1])
    for branch in branch.all {
      switch branch {
      case .convolution(_, let bias?): vectors[VectorKey(bias)] = try bias.doubles()
      case .scaled(_, let numbers), .shifted(_, let numbers):
        vectors[VectorKey(numbers)] = try numbers.doubles()
      default: break
      }
    }
  }

  var channels: Int { shape[0] }
  /// Weights of one output channel.
  var rowLength: Int { shape[1] * shape[2] * shape[3] }

  /// The same block with another tree.
  func changing(to branch: Branch) -> ReferenceBlock {
    var result = self
    result.branch = branch
    return result
  }

  /// The same block with every BatchNorm changed.
  func changingNorms(_ change: (inout BatchNorm) -> Void) -> ReferenceBlock {
    changing(to: branch.changingNorms(change))
  }

  private func vector(_ tensor: Tensor) throws(ReadError) -> [Double] {
    if let vector = vectors[VectorKey(tensor)] { return vector }
    return try tensor.doubles()
  }

  private func factor(_ factors: Tensor, _ row: Int) throws(ReadError) -> Double {
    let numbers = try vector(factors)
    return numbers[numbers.count == 1 ? 0 : row]
  }
}

/// Which tensor of which file.
private struct VectorKey: Hashable, Sendable {
  var source: ObjectIdentifier
  var offset: Int

  init(_ tensor: Tensor) {
    source = ObjectIdentifier(tensor.source)
    offset = tensor.byteOffset
  }
}

extension BatchNorm {
  fileprivate func scale(_ channel: Int) -> Double {
    gamma[channel] / (runningVariance[channel] + epsilon).squareRoot()
  }
}

// MARK: Biases

extension ReferenceBlock {
  /// The bias of one output channel, and the sum of the magnitudes it was added up from.
  func bias(ofRow row: Int) throws(ReadError) -> (value: Double, magnitude: Double) {
    guard hasBias else { return (0, 0) }
    var number = 0
    return try bias(of: branch, row, &number)
  }

  /// - Parameter number: of the branch; that of the next one afterwards.
  private func bias(
    of branch: Branch, _ row: Int, _ number: inout Int
  ) throws(ReadError) -> (value: Double, magnitude: Double) {
    let own = number
    number += 1
    switch branch {
    case .convolution(_, let bias):
      let value = try bias.map { (tensor) throws(ReadError) in try vector(tensor)[row] } ?? 0
      return (value, value.magnitude)
    case .identity, .average, .separable: return (0, 0)
    case .unrolled(let branch, let height, let width):
      return try bias(of: branch, row / (height * width), &number)
    case .layer(_, let branch), .dilated(let branch, _):
      return try bias(of: branch, row, &number)
    case .batchNorm(let branch, let norm):
      let inner = try bias(of: branch, row, &number)
      let scale = norm.scale(row)
      let shift = norm.runningMean[row] * scale
      return (
        norm.beta[row] - shift + inner.value * scale,
        norm.beta[row].magnitude + shift.magnitude + inner.magnitude * scale.magnitude
      )
    case .scaled(let branch, let factors):
      let inner = try bias(of: branch, row, &number)
      let factor = try factor(factors, row)
      return (inner.value * factor, inner.magnitude * factor.magnitude)
    case .shifted(let branch, let shifts):
      let inner = try bias(of: branch, row, &number)
      let shift = try vector(shifts)[row]
      return (inner.value + shift, inner.magnitude + shift.magnitude)
    case .sum(let branches):
      var sum = (value: 0.0, magnitude: 0.0)
      for branch in branches {
        let part = try bias(of: branch, row, &number)
        sum.value += part.value
        sum.magnitude += part.magnitude
      }
      return sum
    case .then(let first, let second):
      let firstNumber = number
      let secondNumber = firstNumber + first.all.count
      number = secondNumber
      var sum = try bias(of: second, row, &number)
      if oddities[own] == .biasNotPassed { return sum }
      let chain = Chain(first, second, of: shape)
      var weights = Rows()
      weights.reset(to: chain.taken * chain.secondTaps)
      var at = secondNumber
      try add(
        second, rows: row..<row + 1, factors: [1], &at,
        in: Frame(
          inputs: chain.taken, height: chain.secondSize.height, width: chain.secondSize.width),
        to: &weights)
      for (index, channel) in chain.channels(of: row).enumerated() {
        var at = firstNumber
        let passed = try bias(of: first, channel, &at)
        for tap in 0..<chain.secondTaps {
          let weight = index * chain.secondTaps + tap
          sum.value += weights.values[weight] * passed.value
          sum.magnitude += weights.magnitudes[weight] * passed.magnitude
        }
      }
      return sum
    }
  }
}

// MARK: Weights

extension ReferenceBlock {
  /// Where the weights of a branch lie in the rows that are added up.
  private struct Frame {
    /// Input channels of a group, rows and columns of the kernel.
    var inputs, height, width: Int
    /// Where the first weight of the branch lies, and how far apart they are.
    var top = 0
    var left = 0
    var step = 1

    func offset(_ input: Int, _ y: Int, _ x: Int) -> Int {
      (input * height + top + y * step) * width + left + x * step
    }
  }

  /// The weights of some rows.
  func computeWeights(ofRows rows: Range<Int>, into result: inout Rows) throws(ReadError) {
    result.reset(to: rows.count * rowLength)
    var number = 0
    let size = branch.size
    try add(
      branch, rows: rows, factors: [Double](repeating: 1, count: rows.count), &number,
      in: Frame(
        inputs: shape[1], height: shape[2], width: shape[3], top: (shape[2] - size.height) / 2,
        left: (shape[3] - size.width) / 2), to: &result)
  }

  /// Adds the weights of a branch, each row times its factor.
  ///
  /// - Parameter number: of the branch; that of the next one afterwards.
  private func add(
    _ branch: Branch, rows: Range<Int>, factors: [Double], _ number: inout Int, in frame: Frame,
    to result: inout Rows
  ) throws(ReadError) {
    var frame = frame
    if case .misplaced(let row, let column)? = oddities[number] {
      (frame.top, frame.left) = (row, column)
    }
    let own = number
    number += 1
    let rowLength = frame.inputs * frame.height * frame.width
    switch branch {
    case .convolution(let weight, _):
      try add(weight, rows: rows, factors: factors, in: frame, to: &result)
    case .identity:
      for (index, row) in rows.enumerated() {
        let input = oddities[own] == .withoutGroups ? row : row % frame.inputs
        guard input < frame.inputs else { continue }
        result.add(factors[index], at: index * rowLength + frame.offset(input, 0, 0))
      }
    case .average(let size):
      for (index, row) in rows.enumerated() {
        for y in 0..<size {
          for x in 0..<size {
            result.add(
              factors[index] / Double(size * size),
              at: index * rowLength + frame.offset(row % frame.inputs, y, x))
          }
        }
      }
    case .separable(let depthwise, let pointwise):
      try addSeparable(
        depthwise, pointwise, rows: rows, factors: factors, in: frame, to: &result)
    case .unrolled(let branch, let height, let width):
      try addUnrolled(
        branch, height, width, rows: rows, factors: factors, &number, in: frame, to: &result)
    case .layer(_, let branch), .shifted(let branch, _):
      try add(branch, rows: rows, factors: factors, &number, in: frame, to: &result)
    case .batchNorm(let branch, let norm):
      let factors = rows.enumerated().map { factors[$0] * norm.scale($1) }
      try add(branch, rows: rows, factors: factors, &number, in: frame, to: &result)
    case .scaled(let branch, let tensor):
      let numbers = try vector(tensor)
      let factors = rows.enumerated().map { factors[$0] * numbers[numbers.count == 1 ? 0 : $1] }
      try add(branch, rows: rows, factors: factors, &number, in: frame, to: &result)
    case .dilated(let branch, let rate):
      frame.step *= rate
      try add(branch, rows: rows, factors: factors, &number, in: frame, to: &result)
    case .sum(let branches):
      let size = branch.size
      for branch in branches {
        var inner = frame
        let (rest, columns) = (size.height - branch.size.height, size.width - branch.size.width)
        inner.top += rest / 2 * frame.step
        inner.left += columns / 2 * frame.step
        try add(branch, rows: rows, factors: factors, &number, in: inner, to: &result)
      }
    case .then(let first, let second):
      let firstNumber = number
      number += first.all.count + second.all.count
      try addChain(
        first, firstNumber, second, firstNumber + first.all.count, rows: rows, factors: factors,
        in: frame, to: &result)
    }
  }

  /// Adds a stored kernel.
  private func add(
    _ weight: Tensor, rows: Range<Int>, factors: [Double], in frame: Frame, to result: inout Rows
  ) throws(ReadError) {
    let (height, width) = (weight.shape[2], weight.shape[3])
    let length = frame.inputs * height * width
    let rowLength = frame.inputs * frame.height * frame.width
    result.reserve(rows.count * length)
    try weight.readNumbers(
      rows.lowerBound * length..<rows.upperBound * length, into: &result.numbers)
    for index in 0..<rows.count {
      if length == rowLength {
        accumulate(
          result.numbers, from: index * length, times: factors[index], in: &result.values,
          &result.magnitudes, at: index * rowLength, step: 1, count: length)
        continue
      }
      for input in 0..<frame.inputs {
        for y in 0..<height {
          accumulate(
            result.numbers, from: ((index * frame.inputs + input) * height + y) * width,
            times: factors[index], in: &result.values, &result.magnitudes,
            at: index * rowLength + frame.offset(input, y, 0), step: frame.step, count: width)
        }
      }
    }
  }

  /// Adds `K[o,i,y,x] = sum over t of P[o, m i + t] D[m i + t, y, x]`, input by input.
  private func addSeparable(
    _ depthwise: Tensor, _ pointwise: Tensor, rows: Range<Int>, factors: [Double],
    in frame: Frame, to result: inout Rows
  ) throws(ReadError) {
    let (height, width) = (depthwise.shape[2], depthwise.shape[3])
    let ofRow = pointwise.shape[1]
    let (ofInput, groups) = (ofRow / frame.inputs, depthwise.shape[0] / ofRow)
    let rowLength = frame.inputs * frame.height * frame.width
    var (points, kernels) = ([Double](repeating: 0, count: ofRow), [Double]())
    kernels = [Double](repeating: 0, count: ofRow * height * width)
    for (index, row) in rows.enumerated() {
      let group = row * groups / pointwise.shape[0]
      try pointwise.readNumbers(row * ofRow..<(row + 1) * ofRow, into: &points)
      if index == 0 || group != (row - 1) * groups / pointwise.shape[0] {
        try depthwise.readNumbers(
          group * kernels.count..<(group + 1) * kernels.count, into: &kernels)
      }
      for input in 0..<frame.inputs {
        for y in 0..<height {
          for x in 0..<width {
            for channel in input * ofInput..<(input + 1) * ofInput {
              result.add(
                factors[index] * (points[channel] * kernels[(channel * height + y) * width + x]),
                at: index * rowLength + frame.offset(input, y, x))
            }
          }
        }
      }
    }
  }

  /// Adds the matrix of a depthwise branch over maps of `height` x `width`: the kernel laid over each place
  /// of a map, column by column.
  ///
  /// - Parameter number: of the branch; that of the next one afterwards.
  private func addUnrolled(
    _ branch: Branch, _ height: Int, _ width: Int, rows: Range<Int>, factors: [Double],
    _ number: inout Int, in frame: Frame, to result: inout Rows
  ) throws(ReadError) {
    let (area, size) = (height * width, branch.size)
    let channels = rows.lowerBound / area..<(rows.upperBound - 1) / area + 1
    var kernels = Rows()
    kernels.reset(to: channels.count * size.height * size.width)
    try add(
      branch, rows: channels, factors: [Double](repeating: 1, count: channels.count), &number,
      in: Frame(inputs: 1, height: size.height, width: size.width), to: &kernels)
    let rowLength = frame.inputs * frame.height * frame.width
    for (index, row) in rows.enumerated() {
      let kernel = (row / area - channels.lowerBound) * size.height * size.width
      let (y, x) = (row % area / width, row % area % width)
      for column in 0..<area {
        let tapY = column / width - y + size.height / 2
        let tapX = column % width - x + size.width / 2
        guard 0..<size.height ~= tapY, 0..<size.width ~= tapX else { continue }
        let (from, at) = (
          kernel + tapY * size.width + tapX, index * rowLength + frame.offset(column, 0, 0)
        )
        result.values[at] += factors[index] * kernels.values[from]
        result.magnitudes[at] += factors[index].magnitude * kernels.magnitudes[from]
      }
    }
  }

  /// Weights of the first of two convolutions that are computed at a time.
  private static let pieceLength = 1 << 15

  /// Adds `K[o,i,y,x] = sum over m, u, v of K2[o,m,u,v] K1[m,i,y-u,x-v]`.
  private func addChain(
    _ first: Branch, _ firstNumber: Int, _ second: Branch, _ secondNumber: Int, rows: Range<Int>,
    factors: [Double], in frame: Frame, to result: inout Rows
  ) throws(ReadError) {
    let chain = Chain(first, second, of: [shape[0], frame.inputs, frame.height, frame.width])
    let (inner, outer) = (chain.firstSize, chain.secondSize)
    var seconds = Rows()
    seconds.reset(to: rows.count * chain.taken * chain.secondTaps)
    var number = secondNumber
    try add(
      second, rows: rows, factors: factors, &number,
      in: Frame(inputs: chain.taken, height: outer.height, width: outer.width), to: &seconds)
    let needed =
      chain.channels(of: rows.lowerBound)
      .lowerBound..<chain.channels(of: rows.upperBound - 1).upperBound
    let rowLength = frame.inputs * frame.height * frame.width
    if first.isDiagonal, !oddities.keys.contains(where: { firstNumber..<secondNumber ~= $0 }) {
      var diagonal = Rows()
      var number = firstNumber
      diagonal.reset(to: needed.count)
      // With room for one input channel, each channel's own is that.
      try add(
        first, rows: needed, factors: [Double](repeating: 1, count: needed.count), &number,
        in: Frame(inputs: 1, height: 1, width: 1), to: &diagonal)
      for (index, row) in rows.enumerated() {
        for (place, channel) in chain.channels(of: row).enumerated() {
          let own = channel - needed.lowerBound
          let (value, magnitude) = (diagonal.values[own], diagonal.magnitudes[own])
          for tap in 0..<chain.secondTaps {
            let from = (index * chain.taken + place) * chain.secondTaps + tap
            let at =
              index * rowLength
              + frame.offset(channel % frame.inputs, tap / outer.width, tap % outer.width)
            result.values[at] += seconds.values[from] * value
            result.magnitudes[at] += seconds.magnitudes[from] * magnitude
          }
        }
      }
      return
    }
    let length = frame.inputs * inner.height * inner.width
    let step = max(1, Self.pieceLength / max(1, length))
    var firsts = Rows()
    var next = needed.lowerBound
    while next < needed.upperBound {
      let piece = next..<min(next + step, needed.upperBound)
      firsts.reset(to: piece.count * length)
      var number = firstNumber
      try add(
        first, rows: piece, factors: [Double](repeating: 1, count: piece.count), &number,
        in: Frame(inputs: frame.inputs, height: inner.height, width: inner.width), to: &firsts)
      for (index, row) in rows.enumerated() {
        let channels = chain.channels(of: row)
        for channel in channels.clamped(to: piece) {
          for tap in 0..<chain.secondTaps {
            let at = (index * chain.taken + channel - channels.lowerBound) * chain.secondTaps + tap
            guard seconds.magnitudes[at] != 0 else { continue }
            let (y, x) = (tap / outer.width, tap % outer.width)
            if length == frame.inputs {
              // One number for each input channel: all of them at once.
              accumulate(
                firsts, from: (channel - piece.lowerBound) * length, times: seconds.values[at],
                seconds.magnitudes[at], in: &result, at: index * rowLength + frame.offset(0, y, x),
                step: frame.height * frame.width, count: length)
              continue
            }
            for input in 0..<frame.inputs {
              for v in 0..<inner.height {
                accumulate(
                  firsts,
                  from: ((channel - piece.lowerBound) * frame.inputs + input)
                    * inner.height * inner.width + v * inner.width,
                  times: seconds.values[at], seconds.magnitudes[at], in: &result,
                  at: index * rowLength + frame.offset(input, y + v, x), step: frame.step,
                  count: inner.width)
              }
            }
          }
        }
      }
      next = piece.upperBound
    }
  }
}

/// How two convolutions, one after the other, go together.
private struct Chain {
  let firstSize, secondSize: (height: Int, width: Int)
  /// Channels of the first that an output of the second takes.
  let taken: Int
  private let outputs, between: Int

  var secondTaps: Int { secondSize.height * secondSize.width }

  /// - Parameter shape: of the whole kernel.
  init(_ first: Branch, _ second: Branch, of shape: Shape) {
    (firstSize, secondSize) = (first.size, second.size)
    between = first.outputs ?? shape[0]
    outputs = second.outputs ?? between
    taken = second.inputs ?? 1
  }

  func channels(of row: Int) -> Range<Int> {
    let groups = between / taken
    let start = row * groups / outputs * taken
    return start..<start + taken
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

/// Adds `count` numbers, each times `scale`, to sums and to sums of magnitudes, `step` apart.
private func accumulate(
  _ numbers: [Double], from: Int, times scale: Double, in sums: inout [Double],
  _ magnitudes: inout [Double], at: Int, step: Int, count: Int
) {
  let numbers = numbers.span
  var sums = sums.mutableSpan
  var magnitudes = magnitudes.mutableSpan
  if step == 1 {
    for offset in 0..<count {
      let product = scale * numbers[from + offset]
      sums[at + offset] += product
      magnitudes[at + offset] += product.magnitude
    }
  } else {
    for offset in 0..<count {
      let product = scale * numbers[from + offset]
      sums[at + offset * step] += product
      magnitudes[at + offset * step] += product.magnitude
    }
  }
}

/// The same for numbers that are sums themselves.
private func accumulate(
  _ numbers: Rows, from: Int, times scale: Double, _ magnitude: Double, in sums: inout Rows,
  at: Int, step: Int, count: Int
) {
  let (values, magnitudes) = (numbers.values.span, numbers.magnitudes.span)
  var sumsOfValues = sums.values.mutableSpan
  for offset in 0..<count { sumsOfValues[at + offset * step] += scale * values[from + offset] }
  var sumsOfMagnitudes = sums.magnitudes.mutableSpan
  for offset in 0..<count {
    sumsOfMagnitudes[at + offset * step] += magnitude * magnitudes[from + offset]
  }
}
