extension BlockFamily {
  /// A depthwise convolution with a large kernel beside smaller ones whose taps are apart, each with its
  /// BatchNorm, and a BatchNorm after their sum.
  public static let uniRepLKNet = BlockFamily(
    "UniRepLKNet", source: "arXiv:2311.15599, 3.2",
    layers: dilatedLayers + [.batchNorm("norm", afterOthers: true)]
  ) { (layers) throws(BlockProblem) in
    .layer("norm", try dilatedSum(layers).normalized(by: layers.norm("norm")!))
  }

  /// The same without the BatchNorm after the sum, wherever else it is used.
  public static let dilatedReparam = BlockFamily(
    "DilatedReparam", source: "arXiv:2311.15599, 3.1", layers: dilatedLayers
  ) { (layers) throws(BlockProblem) in
    try dilatedSum(layers)
  }

  /// The smaller kernels are told apart by their size `k` and how far apart their taps are, `r`.
  private static let dilatedLayers: [Layer] = [
    .convBN("origin"), .convBN("dilated", optional: true, numbered: ["k", "r"]),
  ]

  private static func dilatedSum(_ layers: BlockLayers) throws(BlockProblem) -> Branch {
    let large = layers.kernelSize("origin")!
    var sum = layers.origin!
    for address in layers.addresses("dilated") {
      let (size, rate) = (address.numbers[0], address.numbers[1])
      guard let found = layers.kernelSize(address), found == (size, size) else {
        throw BlockProblem.mismatch("the kernel of '\(address)' is not \(size)x\(size)")
      }
      let limit = min(large.height, large.width)
      guard size > 0, 1...limit ~= rate, (size - 1) * rate < limit else {
        throw BlockProblem.mismatch(
          "'\(address)', with taps \(rate) apart, is no part of \(large.height)x\(large.width)")
      }
      sum = sum + layers.branch(address, dilatedBy: rate)
    }
    return sum
  }
}
