extension BlockFamily {
  /// A convolution and the BatchNorm after it: one branch. A table has it only where the project's own
  /// deploy code folds it.
  public static let convolutionBatchNorm = BlockFamily(
    "ConvBN", source: "arXiv:2101.03697, 3.3, of a single branch", layers: [.convBN("conv")],
    isPlain: true
  ) { layers in
    layers.conv
  }
}
