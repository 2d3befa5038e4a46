extension BlockFamily {
  /// A depthwise 7x7 convolution and a depthwise 3x3 one, each with its BatchNorm, and no identity.
  public static let repVGGDepthwise = BlockFamily(
    "RepVGGDW", source: "arXiv:2405.14458, 3.3, and RepVGGDW of github.com/THU-MIG/yolov10",
    layers: [.convBN("large", size: 7), .convBN("small", size: 3)], keepsWidth: true,
    deployKernels: .depthwise
  ) { layers in
    layers.large! + layers.small
  }
}
