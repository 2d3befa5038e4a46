extension BlockFamily {
  /// A deploy convolution of RepVGG with a BatchNorm put behind it, to be trained further: the third form
  /// of its blocks.
  public static let insertedBatchNorm = BlockFamily(
    "RepVGG-BN", source: "tools/insert_bn.py of github.com/DingXiaoH/RepVGG at eae7c520",
    layers: [.convBN("conv")], deployKernels: .spatial(3)
  ) { layers in
    layers.conv
  }
}
