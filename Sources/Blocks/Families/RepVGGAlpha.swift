internal import Tensors

extension BlockFamily {
  /// RepVGG with a factor that is learnt for the whole 1x1 branch.
  public static let repVGGAlpha = BlockFamily(
    "RepVGG-alpha",
    source:
      "RepVGGBlock of super_gradients/modules/repvgg_block.py of github.com/Deci-AI/super-gradients",
    layers: [
      .parameter("alpha"), .batchNorm("identity", optional: true), .convBN("dense"),
      .convBN("pointwise"),
    ], deployKernels: .spatial(3)
  ) { layers in
    layers.dense! + layers.branch("pointwise", scaledBy: "alpha") + layers.identity
  }

  /// A 3x3 and a 1x1 convolution, each with its BatchNorm, the second with or without a factor; no
  /// identity.
  public static let ppYOLOE = BlockFamily(
    "PP-YOLOE",
    source:
      "arXiv:2203.16250, 2.2, and RepVggBlock of ppdet/modeling/backbones/cspresnet.py of github.com/PaddlePaddle/PaddleDetection",
    layers: [
      .convBN("dense"), .convBN("pointwise"), .parameter("alpha", optional: true),
    ], deployKernels: .spatial(3)
  ) { layers in
    guard let alpha = layers.parameter("alpha") else { return layers.dense! + layers.pointwise }
    guard alpha.shape.elementCount == 1 else {
      throw BlockProblem.mismatch("'alpha' is \(alpha.shape), not one factor")
    }
    // `if self.alpha`: a factor of exactly 0 counts as none, in training as well.
    let isScaled = try alpha.doubles()[0] != 0
    return layers.dense!
      + (isScaled ? layers.branch("pointwise", scaledBy: "alpha") : layers.pointwise)
  }
}
