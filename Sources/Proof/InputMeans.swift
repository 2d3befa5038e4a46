internal import Blocks
internal import Naming
internal import Reparameterization
internal import Topologies

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The mean of each input channel of the layers of a deploy network, by the role of their weights, as the
/// BatchNorms of training tell it: what a ReLU makes of a normal distribution with the sum of the betas as
/// its mean and the sum of the squares of the gammas as its variance.
///
/// By code of its own: it shares the network's wiring with what quantises, and no arithmetic.
///
/// - Parameter branches: of the blocks, by the role of their fused weight.
func inputMeans(
  of structure: Result<Structure, Deviation>, _ branches: [Role: Branch]
) -> [Role: [Double]] {
  guard let structure = try? structure.get() else { return [:] }
  var result: [Role: [Double]] = [:]
  for (layer, source) in structure.graph.rectifiedSources {
    guard let norms = branches[structure.deployParameters[source].role]?.lastNorms,
      let first = norms.first
    else { continue }
    result[structure.deployParameters[layer].role] = (0..<first.channelCount).map { channel in
      let mean = norms.reduce(0) { $0 + $1.beta[channel] }
      let deviation = norms.reduce(0) { $0 + $1.gamma[channel] * $1.gamma[channel] }.squareRoot()
      guard deviation > 0 else { return max(0, mean) }
      let z = mean / deviation
      return mean * erfc(-z / 2.0.squareRoot()) / 2
        + deviation * exp(-z * z / 2) / (2 * Double.pi).squareRoot()
    }
  }
  return result
}

extension Branch {
  /// The BatchNorms whose results are added to make the block's, if all that is added is such.
  fileprivate var lastNorms: [BatchNorm]? {
    switch self {
    case .batchNorm(_, let norm): return [norm]
    case .layer(_, let branch), .then(_, let branch): return branch.lastNorms
    case .sum(let branches):
      let lists = branches.compactMap(\.lastNorms)
      return lists.count == branches.count ? lists.flatMap { $0 } : nil
    case .convolution, .identity, .average, .scaled, .shifted, .dilated: return nil
    }
  }
}
