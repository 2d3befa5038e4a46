extension BlockFamily {
  /// The branches of MobileOne. A factor and a shift of one number each stay behind their sum, and two more
  /// behind the activation.
  public static let ppLCNetV3 = BlockFamily(
    "PP-LCNetV3",
    source:
      "LearnableRepLayer of ppocr/modeling/backbones/rec_lcnetv3.py of github.com/PaddlePaddle/PaddleOCR",
    layers: [
      .batchNorm("identity", optional: true), .convBN("conv", numbered: ["n"]),
      .convBN("pointwise", optional: true),
    ],
    kept: ["factor", "shift", "activation factor", "activation shift"].map {
      .parameter($0, optional: true)
    }, deployKernels: .depthwiseOrPointwise
  ) { layers in
    layers.all("conv")! + layers.pointwise + layers.identity
  }
}
