extension BlockFamily {
  /// Diverse Branch Block: a k x k and a 1x1 convolution, an average after a 1x1, and a k x k after a
  /// 1x1, each with its BatchNorm; `residual` is what the second 1x1 adds to an identity, `expand` a
  /// whole one, to more channels. What stands before a k x k or an average is padded with its own bias.
  public static let dbb = BlockFamily(
    "DBB", source: "arXiv:2103.13425, 3.2 and 3.3",
    layers: [
      .convBN("origin"), .convBN("reduce", optional: true, with: ["average"]),
      .batchNorm("average", optional: true, afterOthers: true),
      .convBN("pointwise", optional: true),
      .convolution("residual", optional: true, with: ["inner", "outer"]),
      .convolution("expand", optional: true, with: ["inner", "outer"]),
      .batchNorm("inner", optional: true, afterOthers: true, with: ["outer"]),
      .convBN("outer", optional: true, with: ["inner"]),
    ]
  ) { (layers) throws(BlockProblem) in
    var branch = layers.origin! + layers.pointwise
    if let norm = layers.norm("average"), let size = layers.kernelSize("origin") {
      guard size.height == size.width else {
        throw BlockProblem.mismatch("an average beside a kernel of \(size.height)x\(size.width)")
      }
      let average = Branch.average(size: size.height).normalized(by: norm)
      branch = branch + .layer("average", layers.reduce.map { $0.then(average) } ?? average)
    }
    if let inner = layers.norm("inner"), let outer = layers.outer {
      guard let first = layers.residual.map({ .identity + $0 }) ?? layers.expand else {
        throw BlockProblem.missing([ParameterAddress("residual", .weight)])
      }
      branch = branch + .layer("sequence", .layer("inner", first.normalized(by: inner)).then(outer))
    }
    return branch
  }
}
