extension BlockFamily {
  /// A 3x3 and a 1x1 convolution and, where input and output are alike, an identity, each with its
  /// BatchNorm.
  public static let repVGG = BlockFamily(
    "RepVGG", source: "arXiv:2101.03697, 3.3",
    layers: [
      .batchNorm("identity", optional: true), .convBN("dense", size: 3),
      .convBN("pointwise", size: 1), .module("plain identity"),
    ], deployKernels: .spatial(3)
  ) { (layers) throws(BlockProblem) in
    let sum = layers.dense! + layers.pointwise
    if let identity = layers.identity { return sum + identity }
    // Only trials have an identity without BatchNorm (QARepVGGBlockV6 of github.com/cxxgtxy/QARepVGG).
    return try layers.has(module: "plain identity", assuming: false) ? sum + .identity : sum
  }
}
