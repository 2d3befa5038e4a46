public import Blocks
public import Tensors

/// The kernel and bias of a convolution that is equivalent to a composition of simpler ones, not yet
/// computed.
///
/// Convolution is linear in its kernel, so every composition here is a sum of *terms*: a stored kernel,
/// an identity or average, or the product of two kernels, times one factor for each output channel, at a
/// place inside the kernel. Any row (all weights of one output channel) can be computed by itself, in
/// float64.
///
///     let dense = Kernel(convolution: weight3x3).folding(batchNorm3x3)
///     let pointwise = Kernel(convolution: weight1x1).folding(batchNorm1x1).padded(to: 3, 3)
///     let identity = Kernel(identityOf: 64, groups: 1).folding(batchNorm).padded(to: 3, 3)
///     let fused = dense + pointwise + identity
public struct Kernel: Sendable {
  /// `[O, I/groups, height, width]`.
  public private(set) var shape: Shape
  private var biases: Biases
  private var terms: [Term]

  private struct Term {
    enum Source {
      /// OIHW.
      case stored(Tensor)
      /// This weight at every tap from input channel `o mod I/groups` of its group to output channel
      /// `o`, and none from others: 1 for an identity, 1 / taps for an average.
      case diagonal(Double)
      case product(Product)
      case separable(Separable)
      case unrolled(Unrolled)
    }
    var source: Source
    /// One factor for each output channel.
    var scale: [Double]
    /// Rows and columns of the source, and where its first one lies in the whole kernel.
    var height, width: Int
    var top = 0
    var left = 0
    /// Rows and columns of the kernel from one of the source to the next.
    var step = 1
  }

  /// One value for each output channel, and what the biases of first convolutions become in second ones.
  private struct Biases {
    var constant: [Double]
    var passed: [(product: Product, scale: [Double])] = []
  }

  /// A stored kernel.
  ///
  /// - Parameters:
  ///   - weight: OIHW, of a weight type.
  ///   - bias: one value for each output channel; zero if nil.
  public init(convolution weight: Tensor, bias: [Double]? = nil) {
    precondition(weight.shape.rank == 4 && weight.isWeight)
    let channels = weight.shape[0]
    precondition(bias.map { $0.count == channels } ?? true)
    self.init(.stored(weight), weight.shape, bias: bias)
  }

  /// The 1x1 kernel that changes nothing. With groups, output channel `o` takes input channel
  /// `o mod (channels / groups)` of its own group.
  public init(identityOf channels: Int, groups: Int) {
    precondition(groups > 0 && channels.isMultiple(of: groups))
    self.init(.diagonal(1), [channels, channels / groups, 1, 1])
  }

  /// The mean of `size` x `size` values of each channel.
  public init(averageOf channels: Int, groups: Int, size: Int) {
    precondition(groups > 0 && channels.isMultiple(of: groups) && size > 0)
    self.init(.diagonal(1 / Double(size * size)), [channels, channels / groups, size, size])
  }

  /// A depthwise convolution and a 1x1 one after it.
  ///
  /// - Parameter inputs: input channels of one group.
  init(depthwise: Tensor, pointwise: Tensor, inputs: Int) {
    let separable = Separable(depthwise: depthwise, pointwise: pointwise, inputs: inputs)
    self.init(
      .separable(separable),
      [pointwise.shape[0], inputs, depthwise.shape[2], depthwise.shape[3]])
  }

  /// Of a depthwise convolution over maps of `height` x `width`, padded so that they keep their size: the
  /// matrix that does the same to all values of a map, in as many groups as there are channels.
  func unrolled(height: Int, width: Int) throws(ReadError) -> Kernel {
    precondition(shape[1] == 1)
    let area = height * width
    let bias = try bias().flatMap { [Double](repeating: $0, count: area) }
    return Kernel(
      .unrolled(Unrolled(kernel: self, height: height, width: width)),
      [shape[0] * area, area, 1, 1], bias: bias)
  }

  /// Of one term.
  private init(_ source: Term.Source, _ shape: Shape, bias: [Double]? = nil) {
    self.shape = shape
    biases = Biases(constant: bias ?? [Double](repeating: 0, count: shape[0]))
    let ones = [Double](repeating: 1, count: shape[0])
    terms = [Term(source: source, scale: ones, height: shape[2], width: shape[3])]
  }

  /// The convolution with batch normalisation after it: `K' = scale K`, `b' = shift + scale b` with
  /// `scale = gamma / sqrt(variance + epsilon)` and `shift = beta - mean scale` (RepVGG,
  /// arXiv:2101.03697, section 3.3).
  public func folding(_ norm: BatchNorm) -> Kernel {
    precondition(norm.channelCount == shape[0])
    let scale = norm.scale
    var result = scaled(by: scale)
    let shift = norm.shift
    for channel in shift.indices {
      result.biases.constant[channel] = shift[channel] + scale[channel] * biases.constant[channel]
    }
    return result
  }

  /// The convolution whose every output channel is multiplied by its own factor.
  public func scaled(by factors: [Double]) -> Kernel {
    precondition(factors.count == shape[0])
    var result = self
    for channel in factors.indices {
      result.biases.constant[channel] *= factors[channel]
      for term in terms.indices { result.terms[term].scale[channel] *= factors[channel] }
      for part in biases.passed.indices {
        result.biases.passed[part].scale[channel] *= factors[channel]
      }
    }
    return result
  }

  /// The convolution with its own constant added to every output channel.
  public func shifted(by shifts: [Double]) -> Kernel {
    precondition(shifts.count == shape[0])
    var result = self
    result.biases.constant = zip(biases.constant, shifts).map { $0 + $1 }
    return result
  }

  /// The kernel in the middle of a larger one of zeros; equivalent if the convolution's padding grows
  /// by as much.
  ///
  /// - Precondition: the sizes differ by even numbers, so that there is a middle.
  public func padded(to height: Int, _ width: Int) -> Kernel {
    let (rows, columns) = (height - shape[2], width - shape[3])
    precondition(rows >= 0 && columns >= 0 && rows.isMultiple(of: 2) && columns.isMultiple(of: 2))
    var result = self
    result.shape = [shape[0], shape[1], height, width]
    for term in terms.indices {
      result.terms[term].top += rows / 2
      result.terms[term].left += columns / 2
    }
    return result
  }

  /// The kernel whose taps are `rate` apart, with zeros between.
  public func dilated(by rate: Int) -> Kernel {
    precondition(rate > 0)
    var result = self
    result.shape = [shape[0], shape[1], (shape[2] - 1) * rate + 1, (shape[3] - 1) * rate + 1]
    for term in terms.indices {
      result.terms[term].top *= rate
      result.terms[term].left *= rate
      result.terms[term].step *= rate
    }
    return result
  }

  /// The convolution whose output is the sum of both outputs.
  public static func + (a: Kernel, b: Kernel) -> Kernel {
    precondition(a.shape == b.shape)
    var sum = a
    sum.biases.constant = zip(a.biases.constant, b.biases.constant).map { $0 + $1 }
    sum.biases.passed += b.biases.passed
    sum.terms += b.terms
    return sum
  }

  /// One convolution after the other, where the second sees the first's bias beyond the edge:
  /// `K[o,i] = sum over m of K2[o,m] * K1[m,i]`, `b[o] = b2[o] + sum over m and taps of K2[o,m] b1[m]`
  /// (DBB, arXiv:2103.13425, 3.2, transform III).
  ///
  /// Every row of the second takes `second.shape[1]` channels of the first, those of its group.
  ///
  /// - Precondition: the first's channels make whole groups of the second, and all that a row takes are
  ///   of one group of the first.
  public func then(_ second: Kernel) -> Kernel {
    let product = Product(first: self, second: second)
    var result = Kernel(
      .product(product), [second.shape[0], shape[1], product.height, product.width])
    result.biases = second.biases
    result.biases.passed.append((product, result.terms[0].scale))
    return result
  }

  /// Of a kernel of 1x1 that takes one input channel to each output channel and no other, as an identity:
  /// its weights; nil of any other.
  var diagonal: [Double]? {
    var weights = [Double](repeating: 0, count: shape[0])
    for term in terms {
      guard case .diagonal(let weight) = term.source, shape[2] == 1, shape[3] == 1 else {
        return nil
      }
      for channel in weights.indices { weights[channel] += term.scale[channel] * weight }
    }
    return weights
  }

  /// The biases of some output channels, in float64. Where one convolution follows another, all weights
  /// of the second are read for them.
  public func bias(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    var result = Array(biases.constant[rows])
    for (product, scale) in biases.passed {
      let passed = try product.bias(ofRows: rows)
      for (index, row) in rows.enumerated() { result[index] += scale[row] * passed[index] }
    }
    return result
  }

  /// The biases of all output channels.
  public func bias() throws(ReadError) -> [Double] { try bias(ofRows: 0..<shape[0]) }

  /// Weights of one output channel.
  public var rowLength: Int { shape[1] * shape[2] * shape[3] }

  /// Bytes that are best computed at a time.
  var pieceBytes: Int {
    terms.lazy.map {
      if case .stored(let weight) = $0.source { weight.pieceBytes } else { 1 << 20 }
    }
    .max() ?? 1 << 20
  }

  /// The weights of some output channels in float64, OIHW.
  ///
  /// Terms are multiplied and added one after the other in the order they were composed, each with
  /// one rounding to float64 per operation, so every machine gets the same bits.
  public func weights(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    var workspace = Workspace()
    try sum(rows, at: Array(0..<shape[2] * shape[3]), workspace: &workspace)
    return Array(workspace.accumulator[..<(rows.count * rowLength)])
  }

  /// Fills `result` with the weights of some output channels, each rounded once to float32.
  ///
  /// Most weights of most blocks come from one term alone, the kernel that is as large as the result;
  /// they take one multiplication on the way from input to output. Only where smaller terms lie on it
  /// (the middle, for a RepVGG block) are sums formed.
  func round(
    _ rows: Range<Int>, into result: UnsafeMutableBufferPointer<Float>, workspace: inout Workspace
  ) throws(ReadError) {
    let area = shape[2] * shape[3]
    var taps = Array(0..<area)
    let covered = Set(terms.dropFirst().flatMap { overlay(of: $0).map(\.tap) })
    if let first = terms.first, case .stored(let weight) = first.source,
      first.height * first.width == area, covered.count < area
    {
      taps = taps.filter { covered.contains($0) }
      try workspace.read(rows, ofLength: rowLength, from: weight)
      if weight.fitsFloat {
        unsafe round(workspace.floats.span, times: first.scale, rows, into: result)
      } else {
        unsafe round(workspace.doubles.span, times: first.scale, rows, into: result)
      }
      guard !taps.isEmpty else { return }
    }
    try sum(rows, at: taps, workspace: &workspace, firstIsRead: taps.count < area)
    let sums = workspace.accumulator.span
    for (slot, tap) in taps.enumerated() {
      var (source, target) = (slot, tap)
      for _ in 0..<rows.count * shape[1] {
        unsafe result[target] = Float(sums[source])
        source &+= taps.count
        target &+= area
      }
    }
  }

  /// Rounds rows of `values`, each multiplied by its factor.
  private func round<Number: WeightNumber>(
    _ values: borrowing Span<Number>, times scale: [Double], _ rows: Range<Int>,
    into result: UnsafeMutableBufferPointer<Float>
  ) {
    for (index, row) in rows.enumerated() {
      let factor = scale[row]
      for position in index * rowLength..<(index + 1) * rowLength {
        // Adding zero makes -0 of the product 0, as adding the other terms' zeros would.
        unsafe result[position] = Float(factor * Double(values[position]) + 0)
      }
    }
  }

  /// Where the weights of a term lie in the kernel: taps are counted row by row from the top left.
  private func overlay(of term: Term) -> [(from: Int, tap: Int)] {
    (0..<term.height).flatMap { y in
      (0..<term.width).map { x in
        (
          y * term.width + x,
          (term.top + y * term.step) * shape[3] + term.left + x * term.step
        )
      }
    }
  }

  /// Leaves the sum of all terms in `workspace.accumulator`, as `[rows, I/groups, taps]`.
  ///
  /// - Parameter firstIsRead: whether `workspace` holds the rows of the first term already.
  fileprivate func sum(
    _ rows: Range<Int>, at taps: [Int], workspace: inout Workspace, firstIsRead: Bool = false
  ) throws(ReadError) {
    // Taken out for the time being, so that it and the other arrays can be used together.
    var sums = workspace.accumulator
    workspace.accumulator = []
    defer { workspace.accumulator = sums }
    let count = rows.count * shape[1] * taps.count
    sums.grow(to: count)
    for index in 0..<count { sums[index] = 0 }

    var slots = [Int?](repeating: nil, count: shape[2] * shape[3])
    for (slot, tap) in taps.enumerated() { slots[tap] = slot }
    for (index, term) in terms.enumerated() {
      let overlay = overlay(of: term).compactMap { from, tap in slots[tap].map { (from, $0) } }
      switch term.source {
      case .stored(let weight):
        if !(index == 0 && firstIsRead) {
          try workspace.read(
            rows, ofLength: shape[1] * term.height * term.width, from: weight)
        }
        if weight.fitsFloat {
          add(term, workspace.floats.span, rows, overlay, &sums, taps.count)
        } else {
          add(term, workspace.doubles.span, rows, overlay, &sums, taps.count)
        }
      case .diagonal(let weight):
        for (index, row) in rows.enumerated() {
          for (_, slot) in overlay {
            sums[(index * shape[1] + row % shape[1]) * taps.count + slot] +=
              term.scale[row] * weight
          }
        }
      case .product(let product):
        let weights = try product.weights(ofRows: rows)
        add(term, weights.span, rows, overlay, &sums, taps.count)
      case .separable(let separable):
        let weights = try separable.weights(ofRows: rows)
        add(term, weights.span, rows, overlay, &sums, taps.count)
      case .unrolled(let unrolled):
        let weights = try unrolled.weights(ofRows: rows)
        add(term, weights.span, rows, overlay, &sums, taps.count)
      }
    }
  }

  /// Adds the rows of a stored term, scaled, to the sums of the taps it covers.
  private func add<Number: WeightNumber>(
    _ term: Term, _ values: borrowing Span<Number>, _ rows: Range<Int>,
    _ overlay: [(from: Int, slot: Int)], _ sums: inout [Double], _ tapCount: Int
  ) {
    var sums = sums.mutableSpan
    let area = term.height * term.width
    for (index, row) in rows.enumerated() {
      let factor = term.scale[row]
      for (from, slot) in overlay {
        // Counted without checks for overflow, which can take longer than the arithmetic; the accesses
        // are checked.
        var (source, target) = (index * shape[1] * area + from, index * shape[1] * tapCount + slot)
        for _ in 0..<shape[1] {
          sums[target] += factor * Double(values[source])
          source &+= area
          target &+= tapCount
        }
      }
    }
  }
}

extension Workspace {
  /// Fills `floats` with rows of a stored kernel, or `doubles` where these are more than floats hold.
  fileprivate mutating func read(
    _ rows: Range<Int>, ofLength length: Int, from weight: Tensor
  ) throws(ReadError) {
    let range = rows.lowerBound * length..<rows.upperBound * length
    if weight.fitsFloat {
      floats.grow(to: range.count)
      try weight.readNumbers(range, into: &floats)
    } else {
      doubles.grow(to: range.count)
      try weight.readNumbers(range, into: &doubles)
    }
  }
}

/// The weights of a kernel as numbers, OIHW, computed when they are asked for.
public struct FusedWeights: NumberSource {
  /// What is computed.
  public let kernel: Kernel

  /// The weights of `kernel`, not computed yet.
  public init(_ kernel: Kernel) { self.kernel = kernel }

  /// Whole rows.
  public var granularity: Int { kernel.rowLength }
  public var pieceBytes: Int { kernel.pieceBytes }

  public func compute(_ range: Range<Int>, workspace: inout Workspace) throws(ReadError) {
    try kernel.sum(
      rows(range), at: Array(0..<kernel.shape[2] * kernel.shape[3]), workspace: &workspace)
    swap(&workspace.doubles, &workspace.accumulator)
  }

  public func round(
    _ range: Range<Int>, into floats: UnsafeMutableBufferPointer<Float>, workspace: inout Workspace
  ) throws(ReadError) -> Bool {
    try unsafe kernel.round(rows(range), into: floats, workspace: &workspace)
    return true
  }

  private func rows(_ range: Range<Int>) -> Range<Int> {
    let length = max(1, kernel.rowLength)
    precondition(range.lowerBound.isMultiple(of: length) && range.upperBound.isMultiple(of: length))
    return range.lowerBound / length..<range.upperBound / length
  }
}

/// The biases of a kernel as numbers, computed when they are asked for.
public struct FusedBias: NumberSource {
  /// What is computed.
  public let kernel: Kernel

  /// The bias of `kernel`, not computed yet.
  public init(_ kernel: Kernel) { self.kernel = kernel }

  /// All at once: of a convolution after another, each piece would read the weights again.
  public var granularity: Int { kernel.shape[0] }
  public var pieceBytes: Int { 1 << 20 }

  public func compute(_ range: Range<Int>, workspace: inout Workspace) throws(ReadError) {
    workspace.doubles.grow(to: range.count)
    let biases = try kernel.bias(ofRows: range)
    for index in biases.indices { workspace.doubles[index] = biases[index] }
  }
}
