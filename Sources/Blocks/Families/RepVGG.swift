extension BlockFamily {
  /// A 3x3 and a 1x1 convolution and, where input and output are alike, an identity, each with its
  /// BatchNorm.
  public static let repVGG = BlockFamily(
    "RepVGG", source: "arXiv:2101.03697, 3.3",
    layers: [
      .batchNorm("identity", optional: true), .convBN("dense", size: 3),
      .convBN("pointwise", size: 1),
    ],
    deployKernels: .spatial(3)
  ) { layers in
    layers.dense! + layers.pointwise + layers.identity
  }
}
