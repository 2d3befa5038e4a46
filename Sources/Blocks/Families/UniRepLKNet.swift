internal import Tensors

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

  /// The linear layer behind Global Response Normalization, whose shift it takes in, with BatchNorm and a
  /// factor for each channel after it.
  public static let responseNormalizedLinear = BlockFamily(
    "GRN-Linear",
    source: "reparameterize of UniRepLKNetBlock, github.com/AILab-CVC/UniRepLKNet at b5677d8f",
    layers: [
      .linear("linear"), .batchNorm("norm", afterOthers: true), .parameter("shift"),
      .parameter("scale", optional: true),
    ], isPlain: true
  ) { (layers) throws(BlockProblem) in
    guard let linear = layers.linear, let shift = layers.parameter("shift"),
      layers.shape("linear")![1] == shift.shape.elementCount
    else {
      throw BlockProblem.mismatch(
        "the shift before its linear layer is of \(layers.parameter("shift")!.shape.elementCount) channels, not \(layers.shape("linear")![1])"
      )
    }
    let shifted = Branch.layer("shift", .identity.shifted(by: shift))
    let whole = Branch.layer("norm", shifted.then(linear).normalized(by: layers.norm("norm")!))
    return layers.parameter("scale").map { .layer("scale", whole.scaled(by: $0)) } ?? whole
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
