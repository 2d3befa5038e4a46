extension BlockFamily {
  /// Conditional positional encoding: a depthwise convolution with a bias and no BatchNorm, and an identity
  /// without parameters.
  public static let repCPE = BlockFamily(
    "RepCPE", source: "arXiv:2303.14189, 3.2, and RepCPE of github.com/apple/ml-fastvit",
    layers: [.convolution("conv")], keepsWidth: true
  ) { layers in
    layers.conv! + .identity
  }
}
