extension BlockFamily {
  /// What mixes tokens in place of attention: `x + factor (mixer(x) - norm(x))`, where the mixer has the
  /// branches of MobileOne, `norm` is a BatchNorm, and each channel has its factor (layer scale). All of
  /// it is one depthwise convolution.
  ///
  /// Networks without layer scale have no factors.
  public static let repMixer = BlockFamily(
    "RepMixer", source: "arXiv:2303.14189, 3.2, and RepMixer of github.com/apple/ml-fastvit",
    layers: [
      .parameter("factor", optional: true), .batchNorm("norm", afterOthers: true),
      .batchNorm("skip", optional: true), .convBN("conv", numbered: ["n"]),
      .convBN("scale", optional: true),
    ], keepsWidth: true
  ) { layers in
    let norm = Branch.identity.normalized(by: layers.norm("norm")!).scaled(by: -1)
    let change = layers.all("conv")! + layers.scale + layers.skip + .layer("norm", norm)
    guard let factor = layers.parameter("factor") else { return change + .identity }
    return .layer("factor", change.scaled(by: factor)) + .identity
  }
}
