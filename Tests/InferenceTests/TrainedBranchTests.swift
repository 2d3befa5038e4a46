import Blocks
import Reparameterization
import Tensors
import TestSupport
import Testing

@testable import Inference

/// Trees run layer by layer against the one convolution that they amount to.
@Suite struct TrainedBranchTests {
  private var random = SeededGenerator(seed: 5)

  private mutating func tensor(_ dimensions: Int...) throws -> Tensor {
    let shape = Shape(dimensions)
    let numbers = (0..<shape.elementCount).map { _ in Double.random(in: -1...1, using: &random) }
    return try Tensor(float64: numbers, shape: shape, name: "t")
  }

  private mutating func convolution(_ dimensions: [Int], bias: Bool = false) throws -> Branch {
    let shape = Shape(dimensions)
    let numbers = (0..<shape.elementCount).map { _ in Double.random(in: -1...1, using: &random) }
    return .convolution(
      try Tensor(float64: numbers, shape: shape, name: "t"),
      bias: bias ? try tensor(dimensions[0]) : nil)
  }

  private mutating func tree(_ kind: Int) throws -> (tree: Branch, inputs: Int) {
    switch kind {
    case 0:
      let separable = Branch.separable(
        depthwise: try tensor(18, 1, 3, 3), pointwise: try tensor(4, 18, 1, 1))
      return (try convolution([4, 6, 1, 1]) + separable.scaled(by: try tensor(4)), 6)
    case 1:
      let separable = Branch.separable(
        depthwise: try tensor(12, 1, 3, 3), pointwise: try tensor(4, 6, 1, 1))
      return (try convolution([4, 3, 3, 3], bias: true) + separable, 6)
    case 2:
      let filter = try convolution([4, 1, 3, 3]).scaled(by: tensor(4)).shifted(by: tensor(4))
      return (try .identity + convolution([4, 4, 1, 1], bias: true).then(filter), 4)
    case 3:
      return (try Branch.identity.shifted(by: tensor(6)).then(convolution([4, 6, 1, 1])), 6)
    default:
      let local = try convolution([2, 1, 3, 3]) + convolution([2, 1, 1, 1], bias: true)
      return (try convolution([24, 12, 1, 1]) + .unrolled(local, height: 3, width: 4), 24)
    }
  }

  @Test(arguments: 0..<5, [(1, 1), (2, 1)])
  func `what is run in training form is the convolution`(
    kind: Int, stride: (y: Int, x: Int)
  ) throws {
    var maker = self
    let (tree, inputs) = try maker.tree(kind)
    let kernel = try Kernel(tree)
    let padding = (kernel.shape[2] / 2, kernel.shape[3] / 2)
    let rows = 0..<kernel.shape[0]
    let fused = Convolution<Double>(
      shape: kernel.shape, groups: inputs / kernel.shape[1], stride: stride, padding: padding,
      dilation: (1, 1), weights: try kernel.weights(ofRows: rows), bias: try kernel.bias())
    let trained = try TrainedBranch<Double>(
      tree, inputs: inputs, stride: stride, padding: padding)
    for threads in [1, 3] {
      let pool = WorkerPool<Double>(Threads(threads))
      let input = pool.map(channels: inputs, images: 2, height: 5, width: 6)
      unsafe input.forEachBand(pool) { positions, numbers in
        var random = SeededGenerator(seed: UInt64(positions.lowerBound))
        for index in numbers.indices {
          unsafe numbers[index] = Double.random(in: -1...1, using: &random)
        }
      }
      let expected = fused.apply(input, pool).numbers()
      #expect(largestDifference(trained.apply(input, pool).numbers(), expected) < 1e-12)
    }
  }
}
