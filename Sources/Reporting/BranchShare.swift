internal import Blocks
internal import Conversion
internal import Reparameterization
internal import Tensors

/// How much one of a block's branches adds to the fused kernel.
public struct BranchShare: Encodable, Equatable, Sendable {
  /// The layers of the family that it consists of: `dense`; none of an identity or average alone.
  public var layers: [String]
  /// Whether it is the block's input, whatever is done to that.
  public var isIdentity: Bool
  /// Height and width of its own kernel.
  public var kernel: [Int]
  /// The root of the sum of squares of what it adds.
  public var norm: Double
  /// The inner product of what it adds and the fused kernel, over the square of the latter: shares add up to
  /// 1, and are negative of a branch that works against the others. 0 of a kernel of zeros.
  public var share: Double

  private enum CodingKeys: String, CodingKey {
    case layers
    case isIdentity = "identity"
    case kernel, norm, share
  }

  /// `dense`, `identity`, `conv.0, scale, …`
  var name: String {
    guard !layers.isEmpty else { return isIdentity ? "identity" : "average" }
    return layers.prefix(3).joined(separator: ", ") + (layers.count > 3 ? ", …" : "")
  }
}

extension FusedBlock {
  /// The shares of what is added in the block, from one pass over all of its kernels.
  ///
  /// - Throws: `KernelProblem`, `ReadError`.
  func branchShares() throws -> [BranchShare] {
    let parts = branch.addends
    let kernels = try parts.map { try Kernel($0.branch, partOf: kernel) }
    let channels = kernel.shape[0]
    let length = max(1, kernel.shape.elementCount / max(1, channels))
    let rows = max(1, FusedWeights(kernel).pieceBytes / (length * MemoryLayout<Float>.size))
    var squares = [Double](repeating: 0, count: parts.count)
    var products = squares
    var whole = 0.0
    for start in stride(from: 0, to: channels, by: rows) {
      let range = start..<min(start + rows, channels)
      let numbers = try kernels.map { try $0.weights(ofRows: range) }
      for index in 0..<range.count * length {
        let sum = numbers.reduce(0) { $0 + $1[index] }
        whole += sum * sum
        for part in numbers.indices {
          let number = numbers[part][index]
          squares[part] += number * number
          products[part] += number * sum
        }
      }
    }
    return parts.indices.map { part in
      let size = parts[part].branch.size()
      return BranchShare(
        layers: parts[part].layers, isIdentity: parts[part].branch.isIdentity,
        kernel: [size.height, size.width],
        norm: squares[part].squareRoot(), share: whole > 0 ? products[part] / whole : 0)
    }
  }

  /// The kernels that are trained, one after the other.
  var trainedKernels: [Tensor] {
    branch.all.flatMap { branch -> [Tensor] in
      switch branch {
      case .convolution(let weight, _): [weight]
      case .separable(let depthwise, let pointwise): [depthwise, pointwise]
      default: []
      }
    }
  }
}

extension Branch {
  /// What is added in it, each with what is done to the sum: their kernels add up to its own. Of a tree that
  /// is no sum, that tree.
  fileprivate var addends: [(layers: [String], branch: Branch)] {
    /// With `change` done to each.
    func each(
      _ branch: Branch, _ change: (Branch) -> Branch
    ) -> [(layers: [String], branch: Branch)] {
      branch.addends.map { ($0.layers, change($0.branch)) }
    }
    return switch self {
    case .sum(let branches): branches.map { ($0.layers, $0) }
    case .layer(let address, let branch) where branch.isSum:
      each(branch) { .layer(address, $0) }
    case .batchNorm(let branch, let norm): each(branch) { .batchNorm($0, norm) }
    case .scaled(let branch, let factors): each(branch) { .scaled($0, by: factors) }
    case .shifted(let branch, let shifts): each(branch) { .shifted($0, by: shifts) }
    case .dilated(let branch, let rate): each(branch) { .dilated($0, by: rate) }
    default: [(layers, self)]
    }
  }

  /// Whether it is a sum, whatever is done to that.
  private var isSum: Bool {
    switch self {
    case .sum: true
    case .layer(_, let branch), .batchNorm(let branch, _), .scaled(let branch, _),
      .shifted(let branch, _), .dilated(let branch, _):
      branch.isSum
    default: false
    }
  }

  /// The layers in it, each once.
  private var layers: [String] {
    var seen: Set<LayerAddress> = []
    return all.compactMap { branch in
      guard case .layer(let address, _) = branch, seen.insert(address).inserted else { return nil }
      return address.description
    }
  }

  /// Whether it is an identity, whatever is done to that.
  fileprivate var isIdentity: Bool {
    switch self {
    case .identity: true
    case .layer(_, let branch), .batchNorm(let branch, _), .scaled(let branch, _),
      .shifted(let branch, _):
      branch.isIdentity
    default: false
    }
  }
}
