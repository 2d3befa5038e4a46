extension BlockFamily {
  /// Several convolutions alike, a 1x1 one beside larger ones, and a skip where input and output are
  /// alike, each with its BatchNorm; depthwise and pointwise by turns.
  public static let mobileOne = BlockFamily(
    "MobileOne", source: "arXiv:2206.04040, 3.1",
    layers: [
      .batchNorm("skip", optional: true), .convBN("conv", numbered: ["n"]),
      .convBN("scale", optional: true),
    ],
    deployKernels: .depthwiseOrPointwise
  ) { layers in
    layers.all("conv")! + layers.scale + layers.skip
  }
}
