internal import Blocks
internal import Tensors

/// A block as it was trained, its parameters in memory: every branch of its tree computed by itself,
/// BatchNorm with its running statistics. Nothing of fusion is used.
struct TrainedBranch<Number: NetworkNumber>: Sendable {
  /// Channels that come out.
  private var outputs: Int
  /// Gives a map of its own.
  private(set) var apply: @Sendable (FeatureMap<Number>, WorkerPool<Number>) -> FeatureMap<Number>

  /// - Parameters:
  ///   - inputs: channels that go in.
  ///   - padding: zeros around the image, of the whole of `branch`.
  ///   - dilation: of all kernels in it.
  init(
    _ branch: Branch, inputs: Int, stride: (y: Int, x: Int), padding: (y: Int, x: Int),
    dilation: Int = 1
  ) throws {
    func trained(
      _ branch: Branch, padding: (y: Int, x: Int), dilation: Int = dilation
    ) throws -> TrainedBranch {
      try TrainedBranch(
        branch, inputs: inputs, stride: stride, padding: padding, dilation: dilation)
    }
    outputs = inputs
    switch branch {
    case .convolution(let weight, let bias):
      let convolution = Convolution<Number>(
        shape: weight.shape, groups: inputs / weight.shape[1], stride: stride, padding: padding,
        dilation: (dilation, dilation), weights: try weight.numbers(), bias: try bias?.numbers())
      outputs = weight.shape[0]
      apply = { convolution.apply($0, $1) }
    case .identity:
      let window = Window(kernel: (1, 1), stride: stride, padding: padding, dilation: (1, 1))
      apply = { input, pool in
        let (height, width) = window.output(of: input)
        return input.sampled(
          from: (-padding.y, -padding.x), stride: stride, height: height, width: width, pool)
      }
    case .average(let size):
      let window = Window(kernel: (size, size), stride: stride, padding: padding, dilation: (1, 1))
      apply = { input, pool in
        let (height, width) = window.output(of: input)
        return input.means(of: window, height: height, width: width, pool)
      }
    case .separable(let depthwise, let pointwise):
      let each = Convolution<Number>(
        shape: depthwise.shape, groups: inputs, stride: stride, padding: padding,
        dilation: (dilation, dilation), weights: try depthwise.numbers())
      let all = Convolution<Number>(
        shape: pointwise.shape, groups: depthwise.shape[0] / pointwise.shape[1], stride: (1, 1),
        padding: (0, 0), dilation: (1, 1), weights: try pointwise.numbers())
      outputs = pointwise.shape[0]
      apply = { input, pool in
        let between = each.apply(input, pool)
        let result = all.apply(between, pool)
        pool.reuse(between)
        return result
      }
    case .unrolled(let branch, let height, let width):
      let size = branch.size()
      let inside = try TrainedBranch(
        branch, inputs: inputs / (height * width), stride: (1, 1),
        padding: (size.height / 2, size.width / 2))
      let window = Window(kernel: (1, 1), stride: stride, padding: padding, dilation: (1, 1))
      outputs = inputs
      apply = { input, pool in
        let (rows, columns) = window.output(of: input)
        let values = input.sampled(
          from: (-padding.y, -padding.x), stride: stride, height: rows, width: columns, pool)
        let maps = values.gathered(height, width, pool)
        let results = inside.apply(maps, pool)
        results.scatter(into: values, pool)
        pool.reuse(maps)
        pool.reuse(results)
        return values
      }
    case .layer(_, let branch):
      self = try trained(branch, padding: padding)
    case .dilated(let branch, let rate):
      self = try trained(branch, padding: padding, dilation: dilation * rate)
    case .batchNorm(let branch, let norm):
      let factors = zip(norm.gamma, norm.runningVariance).map {
        $0 / ($1 + norm.epsilon).squareRoot()
      }
      let shifts = factors.indices.map { norm.beta[$0] - norm.runningMean[$0] * factors[$0] }
      self = try trained(branch, padding: padding).scaled(by: factors, adding: shifts)
    case .scaled(let branch, let factors):
      self = try trained(branch, padding: padding).scaled(by: factors.doubles())
    case .shifted(let branch, let numbers):
      let numbers = try numbers.doubles()
      self = try trained(branch, padding: padding).scaled(
        by: numbers.map { _ in 1 }, adding: numbers)
    case .then(let first, let second):
      // The first over the image and its border of zeros: so the second sees its bias beyond the edge.
      let first = try TrainedBranch(
        first, inputs: inputs, stride: (1, 1), padding: padding, dilation: dilation)
      let second = try TrainedBranch(
        second, inputs: first.outputs, stride: stride, padding: (0, 0), dilation: dilation)
      outputs = second.outputs
      apply = { input, pool in
        let between = first.apply(input, pool)
        let result = second.apply(between, pool)
        pool.reuse(between)
        return result
      }
    case .sum(let branches):
      let (height, width) = branch.size(dilation: dilation)
      let parts = try branches.map { part in
        // In the middle of the largest.
        let size = part.size(dilation: dilation)
        return try trained(
          part,
          padding: (padding.y - (height - size.height) / 2, padding.x - (width - size.width) / 2))
      }
      outputs = parts[0].outputs
      apply = { input, pool in
        let sum = parts[0].apply(input, pool)
        for part in parts.dropFirst() {
          let result = part.apply(input, pool)
          sum.add(result, pool)
          pool.reuse(result)
        }
        return sum
      }
    }
  }

  /// Each channel times its factor, and a shift added.
  private func scaled(by factors: [Double], adding shifts: [Double]? = nil) -> TrainedBranch {
    let (factors, shifts) = (factors.map { Number($0) }, shifts?.map { Number($0) })
    var result = self
    result.apply = { [apply] input, pool in
      let map = apply(input, pool)
      map.scale(by: factors, adding: shifts, pool)
      return map
    }
    return result
  }
}
