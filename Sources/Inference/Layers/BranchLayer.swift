internal import Blocks
internal import Graphs
internal import Tensors

/// A block as it was trained: every branch of its tree computed by itself, BatchNorm with its running
/// statistics. Nothing of fusion is used.
struct BranchLayer<Number: NetworkNumber>: Layer {
  /// A tree with its parameters in memory.
  private indirect enum Part: Sendable {
    /// The window's stride and padding are those of the block, and not known here.
    case convolution(
      height: Int, width: Int, dilation: Int, inputs: Int, outputs: Int, groups: Int,
      weights: [Number], bias: [Number]?)
    case identity
    case average(Int)
    /// Each channel times its factor, and a shift added.
    case affine(Part, factors: [Number], shifts: [Number]?)
    case then(Part, Part)
    case sum([Part])

    /// Rows and columns that its kernel sees.
    var size: (height: Int, width: Int) {
      switch self {
      case .convolution(let height, let width, let dilation, _, _, _, _, _):
        return ((height - 1) * dilation + 1, (width - 1) * dilation + 1)
      case .identity: return (1, 1)
      case .average(let size): return (size, size)
      case .affine(let part, _, _): return part.size
      case .then(let first, let second):
        let (a, b) = (first.size, second.size)
        return (a.height + b.height - 1, a.width + b.width - 1)
      case .sum(let parts):
        return (parts.map(\.size.height).max()!, parts.map(\.size.width).max()!)
      }
    }
  }

  private let part: Part
  private let stride, padding: (y: Int, x: Int)
  private var hasReLU = false

  /// - Parameter node: the convolution that the block stands for.
  init(_ branch: Branch, like node: NodeParameters<Number>) throws {
    let inputs = node.shape("weight")[1] * node.node.attribute("groups")[0]
    part = try Self.part(branch, inputs: inputs, dilation: 1).part
    (stride, padding) = (node.pair("stride"), node.pair("padding"))
  }

  private static func part(
    _ branch: Branch, inputs: Int, dilation: Int
  ) throws -> (part: Part, outputs: Int) {
    switch branch {
    case .convolution(let weight, let bias):
      let shape = weight.shape
      return (
        .convolution(
          height: shape[2], width: shape[3], dilation: dilation, inputs: inputs,
          outputs: shape[0], groups: inputs / shape[1],
          weights: try ParameterSource.tensor(weight).numbers(),
          bias: try bias.map { try ParameterSource.tensor($0).numbers() }), shape[0]
      )
    case .identity: return (.identity, inputs)
    case .average(let size): return (.average(size), inputs)
    case .layer(_, let branch): return try part(branch, inputs: inputs, dilation: dilation)
    case .batchNorm(let branch, let norm):
      let (inner, outputs) = try part(branch, inputs: inputs, dilation: dilation)
      let factors = norm.gamma.indices.map {
        norm.gamma[$0] / (norm.runningVariance[$0] + norm.epsilon).squareRoot()
      }
      let shifts = factors.indices.map { norm.beta[$0] - norm.runningMean[$0] * factors[$0] }
      return (
        .affine(inner, factors: factors.map { Number($0) }, shifts: shifts.map { Number($0) }),
        outputs
      )
    case .scaled(let branch, let tensor):
      let (inner, outputs) = try part(branch, inputs: inputs, dilation: dilation)
      return (
        .affine(inner, factors: try tensor.doubles().map { Number($0) }, shifts: nil), outputs
      )
    case .dilated(let branch, let rate):
      return try part(branch, inputs: inputs, dilation: dilation * rate)
    case .then(let first, let second):
      let (a, between) = try part(first, inputs: inputs, dilation: dilation)
      let (b, outputs) = try part(second, inputs: between, dilation: dilation)
      return (.then(a, b), outputs)
    case .sum(let branches):
      let parts = try branches.map { try part($0, inputs: inputs, dilation: dilation) }
      return (.sum(parts.map(\.part)), parts[0].outputs)
    }
  }

  func withReLU() -> Self? {
    var layer = self
    layer.hasReLU = true
    return hasReLU ? nil : layer
  }

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let result = run(part, call.inputs[0], stride: stride, padding: padding, call.pool)
    if hasReLU {
      unsafe result.forEachChannel(call.pool) { _, numbers in
        for index in 0..<numbers.count { unsafe numbers[index] = numbers[index].rectified }
      }
    }
    return result
  }

  /// - Parameter padding: zeros around the image, of the whole of `part`.
  private func run(
    _ part: Part, _ input: FeatureMap<Number>, stride: (y: Int, x: Int), padding: (y: Int, x: Int),
    _ pool: WorkerPool<Number>
  ) -> FeatureMap<Number> {
    let size = part.size
    let height = (input.height + 2 * padding.y - size.height) / stride.y + 1
    let width = (input.width + 2 * padding.x - size.width) / stride.x + 1
    switch part {
    case .convolution(
      let rows, let columns, let dilation, let inputs, let outputs, let groups, let weights,
      let bias):
      let window = Window(
        kernel: (rows, columns), stride: stride, padding: padding, dilation: (dilation, dilation))
      let call = LayerCall(
        inputs: [input], isSpare: [false], channels: outputs, height: height, width: width,
        pool: pool)
      if groups > 1 && groups == inputs {
        return DepthwiseLayer(
          window: window, multiplier: outputs / groups, weights: weights, bias: bias
        ).apply(call)
      }
      return ConvolutionLayer(
        convolution: MatrixConvolution(
          window: window, inputChannels: inputs, outputChannels: outputs, groups: groups,
          weights: weights), bias: bias
      ).apply(call)
    case .identity:
      return input.sampled(
        from: (-padding.y, -padding.x), stride: stride, height: height, width: width, pool)
    case .average(let size):
      let window = Window(
        kernel: (size, size), stride: stride, padding: padding, dilation: (1, 1))
      return input.means(of: window, height: height, width: width, pool)
    case .affine(let part, let factors, let shifts):
      let result = run(part, input, stride: stride, padding: padding, pool)
      result.scale(by: factors, adding: shifts, pool)
      return result
    case .then(let first, let second):
      // The first over the image and its border of zeros: so the second sees its bias beyond the edge.
      let between = run(first, input, stride: (1, 1), padding: padding, pool)
      let result = run(second, between, stride: stride, padding: (0, 0), pool)
      pool.reuse(between)
      return result
    case .sum(let parts):
      var sum: FeatureMap<Number>?
      for part in parts {
        // In the middle of the largest.
        let (rest, columns) = (size.height - part.size.height, size.width - part.size.width)
        let result = run(
          part, input, stride: stride, padding: (padding.y - rest / 2, padding.x - columns / 2),
          pool)
        guard let sum else {
          sum = result
          continue
        }
        sum.add(result, pool)
        pool.reuse(result)
      }
      return sum!
    }
  }
}
