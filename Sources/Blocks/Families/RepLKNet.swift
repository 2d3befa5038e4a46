extension BlockFamily {
  /// A depthwise convolution with a large kernel and, but for the largest networks, one with a small
  /// kernel in its middle, each with its BatchNorm.
  public static let repLKNet = BlockFamily(
    "RepLKNet", source: "arXiv:2203.06717, 3.2",
    layers: [.convBN("large"), .convBN("small", optional: true)]
  ) { layers in
    layers.large! + layers.small
  }
}
