extension BlockFamily {
  /// Asymmetric Convolution Block: a k x k convolution, and a k x 1 and a 1 x k one that lie on its middle
  /// column and row, each with its BatchNorm.
  public static let acb = BlockFamily(
    "ACB", source: "arXiv:1908.03930, 3.3",
    layers: [.convBN("square"), .convBN("vertical"), .convBN("horizontal")]
  ) { layers in
    layers.square! + layers.vertical + layers.horizontal
  }
}
