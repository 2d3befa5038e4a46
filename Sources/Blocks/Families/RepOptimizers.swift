internal import Tensors

extension BlockFamily {
  /// A 3x3 and a 1x1 convolution and, where input and output are alike, an identity, each times factors of
  /// its own; a BatchNorm after their sum. What scales are searched with (`LinearAddBlock`), and, with
  /// constant factors, CSLA.
  public static let linearAdd = BlockFamily(
    "LinearAdd",
    source: "arXiv:2205.15242, 3.1, and LinearAddBlock of github.com/DingXiaoH/RepOptimizers",
    layers: [
      .convolution("dense"), .parameter("dense factors"), .convolution("pointwise"),
      .parameter("pointwise factors"), .parameter("identity factors", optional: true),
      .batchNorm("post", afterOthers: true),
    ], deployKernels: .spatial(3)
  ) { layers in
    var sum =
      layers.branch("dense", scaledBy: "dense factors")!
      + layers.branch("pointwise", scaledBy: "pointwise factors")
    if let factors = layers.parameter("identity factors") {
      sum = sum + .layer("identity", .identity.scaled(by: factors))
    }
    return .layer("post", sum.normalized(by: layers.norm("post")!))
  }

  /// A 3x3 convolution with BatchNorm and nothing beside it: what RepOptimizers train, whose networks have
  /// such blocks only.
  public static let realVGG = BlockFamily(
    "RealVGG",
    source: "arXiv:2205.15242, 3.3, and RealVGGBlock of github.com/DingXiaoH/RepOptimizers",
    layers: [.convBN("conv")], deployKernels: .spatial(3)
  ) { layers in
    layers.conv
  }
}
