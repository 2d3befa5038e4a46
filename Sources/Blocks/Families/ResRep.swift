extension BlockFamily {
  /// A convolution with BatchNorm, and a 1x1 one after it that training empties row by row, its compactor;
  /// layers that are not to be pruned have none.
  ///
  /// Which rows go, and what they are taken from, is a matter of the network: see `Pruning`.
  public static let resRep = BlockFamily(
    "ResRep", source: "arXiv:2007.03260, 3.2; rr/ of github.com/DingXiaoH/ResRep",
    layers: [
      .convBN("conv"), .convolution("compactor", optional: true),
      .parameter("mask", optional: true, with: ["compactor"], fixed: true),
    ],
    assumption:
      "taken to feed nothing but the convolution of the next number beside them or, the last of all, a linear layer that takes channel after channel, as in their authors' networks"
  ) { layers in
    layers.compactor.map { .layer("pruned", layers.conv!.then($0)) } ?? layers.conv
  }
}
