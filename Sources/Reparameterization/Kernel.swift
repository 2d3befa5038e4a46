public import Tensors

/// The kernel and bias of a convolution that is equivalent to a composition of simpler ones, not yet
/// computed.
///
/// Convolution is linear in its kernel, so every composition here is a sum of *terms*: a stored kernel
/// or an identity, times one factor for each output channel, at a place inside the kernel. Any row
/// (all weights of one output channel) can be computed by itself, in float64.
///
///     let dense = Kernel(convolution: weight3x3).folding(batchNorm3x3)
///     let pointwise = Kernel(convolution: weight1x1).folding(batchNorm1x1).padded(to: 3, 3)
///     let identity = Kernel(identityOf: 64, groups: 1).folding(batchNorm).padded(to: 3, 3)
///     let fused = dense + pointwise + identity
public struct Kernel: Sendable {
  /// `[O, I/groups, height, width]`.
  public let shape: Shape
  /// One value for each output channel.
  public private(set) var bias: [Double]
  private var terms: [Term]

  private struct Term {
    enum Source {
      /// OIHW.
      case stored(Tensor)
      /// Weight 1 from input channel `o mod I/groups` of its group to output channel `o`; 1x1.
      case identity
    }
    var source: Source
    /// One factor for each output channel.
    var scale: [Double]
    /// Rows and columns of the source, and where its first one lies in the whole kernel.
    var height, width, top, left: Int
  }

  /// A stored kernel.
  ///
  /// - Parameters:
  ///   - weight: OIHW, of a weight type.
  ///   - bias: one value for each output channel; zero if nil.
  public init(convolution weight: Tensor, bias: [Double]? = nil) {
    precondition(weight.shape.rank == 4 && weight.elementType.isWeightType)
    shape = weight.shape
    let channels = shape[0]
    precondition(bias.map { $0.count == channels } ?? true)
    self.bias = bias ?? [Double](repeating: 0, count: channels)
    terms = [
      Term(
        source: .stored(weight), scale: [Double](repeating: 1, count: channels),
        height: shape[2], width: shape[3], top: 0, left: 0)
    ]
  }

  /// The 1x1 kernel that changes nothing. With groups, output channel `o` takes input channel
  /// `o mod (channels / groups)` of its own group.
  public init(identityOf channels: Int, groups: Int) {
    precondition(groups > 0 && channels.isMultiple(of: groups))
    shape = [channels, channels / groups, 1, 1]
    bias = [Double](repeating: 0, count: channels)
    terms = [
      Term(
        source: .identity, scale: [Double](repeating: 1, count: channels), height: 1, width: 1,
        top: 0, left: 0)
    ]
  }

  private init(shape: Shape, bias: [Double], terms: [Term]) {
    self.shape = shape
    self.bias = bias
    self.terms = terms
  }

  /// The convolution with batch normalisation after it: `K' = scale K`, `b' = shift + scale b`
  /// (RepVGG, arXiv:2101.03697, section 3.3).
  public func folding(_ norm: BatchNorm) -> Kernel {
    precondition(norm.channelCount == shape[0])
    var result = self
    for channel in bias.indices {
      result.bias[channel] = norm.shift[channel] + norm.scale[channel] * bias[channel]
      for term in terms.indices { result.terms[term].scale[channel] *= norm.scale[channel] }
    }
    return result
  }

  /// The kernel in the middle of a larger one of zeros; equivalent if the convolution's padding grows
  /// by as much.
  ///
  /// - Precondition: the sizes differ by even numbers, so that there is a middle.
  public func padded(to height: Int, _ width: Int) -> Kernel {
    let (rows, columns) = (height - shape[2], width - shape[3])
    precondition(rows >= 0 && columns >= 0 && rows.isMultiple(of: 2) && columns.isMultiple(of: 2))
    var result = Kernel(shape: [shape[0], shape[1], height, width], bias: bias, terms: terms)
    for term in terms.indices {
      result.terms[term].top += rows / 2
      result.terms[term].left += columns / 2
    }
    return result
  }

  /// The convolution whose output is the sum of both outputs.
  public static func + (a: Kernel, b: Kernel) -> Kernel {
    precondition(a.shape == b.shape)
    return Kernel(
      shape: a.shape, bias: zip(a.bias, b.bias).map { $0 + $1 }, terms: a.terms + b.terms)
  }

  /// Weights of one output channel.
  public var rowLength: Int { shape[1] * shape[2] * shape[3] }

  /// The weights of some output channels in float64, OIHW.
  ///
  /// Terms are multiplied and added one after the other in the order they were composed, each with
  /// one rounding to float64 per operation, so every machine gets the same bits.
  public func weights(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    var workspace = Workspace()
    try accumulate(rows, workspace: &workspace)
    return Array(workspace.accumulator[..<(rows.count * rowLength)])
  }

  /// Leaves the weights of `rows` in `workspace.accumulator`.
  func accumulate(_ rows: Range<Int>, workspace: inout Workspace) throws(ReadError) {
    let count = rows.count * rowLength
    // Taken out for the time being, so that it and the other arrays can be used together.
    var sums = workspace.accumulator
    workspace.accumulator = []
    defer { workspace.accumulator = sums }
    grow(&sums, to: count)
    // A first term that fills the kernel is stored rather than added.
    var isFirst = true
    if terms.first.map({ $0.height * $0.width }) != shape[2] * shape[3] {
      for index in 0..<count { sums[index] = 0 }
      isFirst = false
    }
    for term in terms {
      switch term.source {
      case .stored(let weight):
        let length = shape[1] * term.height * term.width
        let range = rows.lowerBound * length..<rows.upperBound * length
        if weight.fitsFloat {
          grow(&workspace.floats, to: range.count)
          try weight.readNumbers(range, into: &workspace.floats)
          add(term, workspace.floats.span, rows, isFirst, &sums)
        } else {
          grow(&workspace.doubles, to: range.count)
          try weight.readNumbers(range, into: &workspace.doubles)
          add(term, workspace.doubles.span, rows, isFirst, &sums)
        }
      case .identity:
        let area = shape[2] * shape[3]
        let center = term.top * shape[3] + term.left
        for (index, row) in rows.enumerated() {
          let column = row % shape[1]
          sums[index * rowLength + column * area + center] += term.scale[row]
        }
      }
      isFirst = false
    }
  }

  private func grow<Number: WeightNumber>(_ numbers: inout [Number], to count: Int) {
    if numbers.count < count { numbers = [Number](repeating: 0, count: count) }
  }

  /// Adds a stored term's rows, scaled and at its place, to the accumulated ones.
  @inline(__always)
  private func add<Number: WeightNumber>(
    _ term: Term, _ values: borrowing Span<Number>, _ rows: Range<Int>, _ isFirst: Bool,
    _ accumulator: inout [Double]
  ) {
    var sums = accumulator.mutableSpan
    if term.height == shape[2], term.width == shape[3] {
      for (index, row) in rows.enumerated() {
        let factor = term.scale[row]
        let start = index * rowLength
        if isFirst {
          for position in start..<start + rowLength {
            sums[position] = factor * Double(values[position])
          }
        } else {
          for position in start..<start + rowLength {
            sums[position] += factor * Double(values[position])
          }
        }
      }
      return
    }
    let (area, width) = (shape[2] * shape[3], shape[3])
    var next = 0
    for (index, row) in rows.enumerated() {
      let factor = term.scale[row]
      var start = index * rowLength + term.top * width + term.left
      for _ in 0..<shape[1] {
        for y in 0..<term.height {
          for x in 0..<term.width {
            sums[start + y * width + x] += factor * Double(values[next])
            next += 1
          }
        }
        start += area
      }
    }
  }
}

/// A kernel's weights in float32, rounded once, to nearest.
public struct FusedWeights: TensorContents {
  public let kernel: Kernel

  public init(_ kernel: Kernel) { self.kernel = kernel }

  public var granularity: Int { kernel.rowLength }

  public func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    let length = max(1, kernel.rowLength)
    precondition(range.lowerBound.isMultiple(of: length) && range.upperBound.isMultiple(of: length))
    try kernel.accumulate(range.lowerBound / length..<range.upperBound / length, workspace: &workspace)
    // Safe: the buffer holds exactly `range.count` floats; writers hand out aligned memory, and
    // `storeBytes` would not need it.
    let sums = workspace.accumulator.span
    for index in 0..<range.count {
      unsafe buffer.storeBytes(of: Float(sums[index]), toByteOffset: 4 * index, as: Float.self)
    }
  }
}

/// A kernel's bias in float32, rounded once, to nearest.
public struct FusedBias: TensorContents {
  public let kernel: Kernel

  public init(_ kernel: Kernel) { self.kernel = kernel }

  public var granularity: Int { 1 }

  public func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    for (index, value) in kernel.bias[range].enumerated() {
      unsafe buffer.storeBytes(of: Float(value), toByteOffset: 4 * index, as: Float.self)
    }
  }
}
