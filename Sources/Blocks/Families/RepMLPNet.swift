internal import Tensors

extension BlockFamily {
  /// A matrix over all values of a map in sets of channels that share it, with BatchNorm, and depthwise
  /// convolutions of the same map beside it, each with BatchNorm: they become part of the matrix.
  ///
  /// Height and width of the maps are in no tensor.
  public static let repMLPNet = BlockFamily(
    "RepMLPNet", source: "arXiv:2112.11081, 3.2; RepMLPBlock of github.com/DingXiaoH/RepMLP",
    layers: [
      .convolution("matrix"), .batchNorm("norm", afterOthers: true),
      .convBN("local", optional: true, numbered: ["k"]),
    ], kept: [.convolution("reduce", optional: true), .convolution("expand", optional: true)],
    keepsWidth: true, deployKernels: .any,
    assumption: Assumption(
      "taken to work on square maps, as all that their authors published", on: .mapRatio)
  ) { (layers) throws(BlockProblem) in
    guard case .layer(_, let matrix)? = layers.matrix, let shape = layers.shape("matrix"),
      let norm = layers.norm("norm"), shape[2] == 1, shape[3] == 1,
      shape[0] == norm.channelCount * shape[1], shape[1] > 0
    else {
      throw BlockProblem.mismatch(
        "its matrix is \(layers.shape("matrix")!), for \(layers.norm("norm")!.channelCount) channels of BatchNorm"
      )
    }
    let area = shape[1]
    let sum = Branch.layer("matrix", matrix.normalized(by: norm.repeated(area)))
    let addresses = layers.addresses("local")
    for address in addresses {
      let (size, found) = (address.numbers[0], layers.shape(address)!)
      guard size % 2 == 1, found == [norm.channelCount, 1, size, size] else {
        throw BlockProblem.mismatch(
          "the kernel of '\(address)' is \(found), not \(norm.channelCount)x1x\(size)x\(size)")
      }
    }
    guard let local = layers.all("local") else { return sum }
    // A 1x1 kernel sees no neighbours, whatever the map is like.
    let isPointwise = addresses.allSatisfy { $0.numbers == [1] }
    let ratio = layers.facts.mapRatio ?? BlockFacts.Ratio(height: 1, width: 1)
    guard let map = isPointwise ? (1, area) : ratio.size(ofArea: area) else {
      throw BlockProblem.unknownMap(area: area)
    }
    return sum + .layer("local", .unrolled(local, height: map.0, width: map.1))
  }
}

extension BatchNorm {
  /// Of channels that are `count` each of these.
  fileprivate func repeated(_ count: Int) -> BatchNorm {
    func each(_ numbers: [Double]) -> [Double] {
      numbers.flatMap { [Double](repeating: $0, count: count) }
    }
    return BatchNorm(
      gamma: each(gamma), beta: each(beta), runningMean: each(runningMean),
      runningVariance: each(runningVariance), epsilon: epsilon)
  }
}
