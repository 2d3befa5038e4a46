extension BlockFamily {
  /// A classifier beside the network, as at `stage1_aux` of RepVGGplus, which only training uses.
  public static let auxiliaryHead = BlockFamily(
    "AuxiliaryHead", source: "repvggplus.py of github.com/DingXiaoH/RepVGG at eae7c520",
    layers: [.convBN("conv"), .linear("classifier")], isForTrainingOnly: true, keepsWidth: true
  ) { _ in nil }
}
