internal import Blocks
internal import Naming
public import Tensors

/// How a deploy kernel that stands beside live branches compares with what the branches give.
public struct DeployKernelComparison: Equatable, Sendable {
  /// Of the block.
  public var path: Name
  /// The largest difference of any weight or bias.
  public var largestDifference: Double
  /// The largest magnitude among what the branches give.
  public var scale: Double

  /// Whether the difference is no more than float32 arithmetic explains.
  public var agrees: Bool { largestDifference <= 1e-4 * max(scale, .leastNormalMagnitude) }
}

extension FusionPlan {
  /// Compares each deploy kernel that stands beside branches with them. The branches are what is used
  /// in any case.
  ///
  /// - Throws: `FusionError.mismatchedShapes` if the two cannot be compared, `ReadError`.
  public func compareDeployKernels() throws -> [DeployKernelComparison] {
    guard !blocksWithBoth.isEmpty else { return [] }
    let kernels = Dictionary(
      blocks.map { ($0.path, $0.kernel) }, uniquingKeysWith: { first, _ in first })
    return try blocksWithBoth.map { block in
      let kernel = kernels[block.path]!
      var result = DeployKernelComparison(path: block.path, largestDifference: 0, scale: 0)
      func compare(_ computed: some Collection<Double>, _ stored: some Collection<Double>) {
        for (a, b) in zip(computed, stored) {
          result.scale = max(result.scale, a.magnitude)
          // NaN counts as different.
          let difference = (a - b).magnitude
          result.largestDifference =
            difference.isNaN ? .infinity : max(result.largestDifference, difference)
        }
      }
      if let weight = block[.fused(.weight)] {
        guard
          weight.tensor.shape == kernel.shape
            || weight.tensor.shape.dimensions + [1, 1] == kernel.shape.dimensions
        else {
          throw FusionError.mismatchedShapes(
            path: network.path, block: block.path, family: block.family.name,
            what: "the deploy kernel is \(weight.tensor.shape), its branches give \(kernel.shape)")
        }
        let length = kernel.rowLength
        var stored = [Double](repeating: 0, count: length)
        for row in 0..<kernel.shape[0] {
          try weight.tensor.readNumbers(row * length..<(row + 1) * length, into: &stored)
          compare(try kernel.weights(ofRows: row..<row + 1), stored)
        }
      }
      if let bias = block[.fused(.bias)] { compare(try kernel.bias(), try bias.tensor.doubles()) }
      return result
    }
  }
}
