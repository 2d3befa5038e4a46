internal import Tensors

extension BlockFamily {
  /// A depthwise 3x3 convolution with BatchNorm, a 1x1 one without, and an identity without parameters; a
  /// BatchNorm after their sum.
  public static let repViT = BlockFamily(
    "RepViT", source: "arXiv:2307.09283, 3.3, and RepVGGDW of github.com/THU-MIG/RepViT",
    layers: [
      .convBN("conv"), .convolution("pointwise"), .batchNorm("outer", afterOthers: true),
    ], keepsWidth: true
  ) { layers in
    .layer(
      "outer",
      (layers.conv! + layers.pointwise + .identity).normalized(by: layers.norm("outer")!))
  }

  /// An older form: a BatchNorm in each branch but the identity, and none after the sum.
  public static let repViTLegacy = BlockFamily(
    "RepViT-legacy", source: "RepVggDw of timm/models/repvit.py, legacy",
    layers: [.convBN("conv"), .convBN("pointwise")], keepsWidth: true
  ) { layers in
    layers.conv! + layers.pointwise + .identity
  }

  /// A classifier with BatchNorm before it, or the mean of two: one of them was trained by distillation.
  public static let normalizedClassifier = BlockFamily(
    "BN-Linear", source: "BN_Linear and RepVitClassifier of github.com/THU-MIG/RepViT",
    layers: [
      .batchNorm("norm", afterOthers: true), .linear("linear"),
      .batchNorm("distilled norm", optional: true, afterOthers: true, with: ["distilled"]),
      .linear("distilled", optional: true, with: ["distilled norm"]),
    ], isPlain: true
  ) { (layers) throws(BlockProblem) in
    func head(_ name: String, _ linear: LayerAddress) throws(BlockProblem) -> Branch? {
      guard let norm = layers.norm(name), let shape = layers.shape(linear) else { return nil }
      guard shape[1] == norm.channelCount else {
        throw BlockProblem.mismatch(
          "the BatchNorm before '\(linear)' is of \(norm.channelCount) channels, not \(shape[1])")
      }
      let normalized = Branch.layer(LayerAddress(name), .identity.normalized(by: norm))
      return .layer(linear, normalized.then(layers.branch(linear)!))
    }
    let first = try head("norm", "linear")!
    guard let second = try head("distilled norm", "distilled") else { return first }
    return (first + second).scaled(by: 0.5)
  }
}
