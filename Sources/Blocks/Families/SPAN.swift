extension BlockFamily {
  /// A 1x1, a 3x3 and a 1x1 convolution in series, padded before the first, and a 1x1 one beside them, all
  /// without BatchNorm.
  ///
  /// The authors' code makes the deploy kernel of the branches whenever it runs, and keeps both.
  public static let span = BlockFamily(
    "SPAN", source: "Conv3XC of github.com/hongyuanyu/SPAN at c77a5917",
    layers: [
      .convolution("skip"), .convolution("first"), .convolution("second"), .convolution("third"),
    ], deployKernels: .spatial(3)
  ) { layers in
    // From the right, so that the kernel of no product is made twice.
    .layer("series", layers.first!.then(layers.second!.then(layers.third!))) + layers.skip
  }
}
