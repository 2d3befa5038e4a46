internal import Tensors

extension BlockFamily {
  /// A 3x3 convolution with BatchNorm, a 1x1 one without, and an identity without parameters where input
  /// and output are alike; a BatchNorm after their sum. The default of its project, there called V2.
  public static let qaRepVGG = BlockFamily(
    "QARepVGG", source: "arXiv:2212.01593, 3.2, and QARepVGGBlockV2 of github.com/cxxgtxy/QARepVGG",
    layers: [
      .convBN("dense"), .convolution("pointwise"), .module("identity"), .module("average"),
      .batchNorm("post", afterOthers: true),
    ], deployKernels: .spatial(3)
  ) { (layers) throws(BlockProblem) in
    try requireFoldable(layers)
    var sum = layers.dense! + layers.pointwise
    if try layers.has(module: "identity") { sum = sum + .identity }
    // Of YOLOv6's blocks, which have the same names.
    if try layers.has(module: "average", assuming: false) {
      sum = sum + .layer("average", .average(size: 3))
    }
    return postNormalized(sum, layers)
  }

  /// The three branches of RepVGG, each with its BatchNorm, and another BatchNorm after their sum. Instead
  /// of the identity's BatchNorm there can be an identity without parameters (QARepVGGBlockV5).
  public static let qaRepVGGV1 = BlockFamily(
    "QARepVGG-V1", source: "QARepVGGBlockV1 and QARepVGGBlockV5 of github.com/cxxgtxy/QARepVGG",
    layers: [
      .batchNorm("identity", optional: true), .convBN("dense"), .convBN("pointwise"),
      .module("plain identity"), .batchNorm("post", afterOthers: true),
    ], deployKernels: .spatial(3)
  ) { (layers) throws(BlockProblem) in
    try requireFoldable(layers)
    var sum = layers.dense! + layers.pointwise
    if let identity = layers.identity {
      sum = sum + identity
    } else if try layers.has(module: "plain identity") {
      sum = sum + .identity
    }
    return postNormalized(sum, layers)
  }

  /// The first form: no BatchNorm in any branch, and one after the sum.
  public static let qaRepVGGFirst = BlockFamily(
    "QARepVGG-first", source: "QARepVGGBlock of github.com/cxxgtxy/QARepVGG",
    layers: [
      .convolution("dense"), .convolution("pointwise"), .module("identity"),
      .batchNorm("post", afterOthers: true),
    ], deployKernels: .spatial(3)
  ) { (layers) throws(BlockProblem) in
    try requireFoldable(layers)
    guard !layers.hasBias("dense") else {
      throw BlockProblem.notOne("its 3x3 convolution has a bias, as no QARepVGG's has")
    }
    var sum = layers.dense! + layers.pointwise
    if try layers.has(module: "identity") { sum = sum + .identity }
    return postNormalized(sum, layers)
  }

  /// As QARepVGG, with an average over 3x3 beside an identity in the newer of two kinds
  /// (`QARepVGGBlockV2`). The project's own deploy form leaves the BatchNorm behind the sum where it is.
  public static let yolov6QARepVGG = BlockFamily(
    "YOLOv6-QARepVGG",
    source:
      "QARepVGGBlock and QARepVGGBlockV2 of yolov6/layers/common.py of github.com/meituan/YOLOv6",
    layers: [
      .convBN("dense"), .convolution("pointwise"), .module("identity"), .module("average"),
    ], kept: [.batchNorm("post", optional: true, afterOthers: true)], deployKernels: .spatial(3)
  ) { (layers) throws(BlockProblem) in
    var sum = layers.dense! + layers.pointwise
    guard try layers.has(module: "identity") else { return sum }
    sum = sum + .identity
    // Both have one name for all that has parameters.
    if try layers.has(module: "average") { sum = sum + .layer("average", .average(size: 3)) }
    return sum
  }

  /// The older of the two kinds.
  public static let yolov6QARepVGGBlock = BlockFamily(
    "YOLOv6-QARepVGGBlock", variantOf: .yolov6QARepVGG, settled: ["average": false])

  /// The newer of the two kinds, which the project's own configurations have.
  public static let yolov6QARepVGGBlockV2 = BlockFamily(
    "YOLOv6-QARepVGGBlockV2", variantOf: .yolov6QARepVGG, settled: ["average": true])

  /// As QARepVGG, with a bias and perhaps a factor in the 1x1 branch, and not always a BatchNorm after the
  /// sum.
  ///
  /// In its training checkpoints a deploy kernel stands beside the branches from the beginning, with the
  /// random numbers that it was made with.
  public static let superGradientsQARepVGG = BlockFamily(
    "SuperGradients-QARepVGG",
    source:
      "QARepVGGBlock of super_gradients/modules/qarepvgg_block.py of github.com/Deci-AI/super-gradients",
    layers: [
      .parameter("alpha", optional: true), .convBN("dense"), .convolution("pointwise"),
      .module("identity"), .batchNorm("post", optional: true, afterOthers: true),
    ], deployKernels: .spatial(3), hasNoiseBesideBranches: true
  ) { (layers) throws(BlockProblem) in
    var sum =
      layers.dense! + (layers.branch("pointwise", scaledBy: "alpha") ?? layers.pointwise!)
    if try layers.has(module: "identity") { sum = sum + .identity }
    return layers.norm("post") == nil ? sum : postNormalized(sum, layers)
  }

  /// A branch with the BatchNorm that follows it.
  private static func postNormalized(_ sum: Branch, _ layers: BlockLayers) -> Branch {
    .layer("post", sum.normalized(by: layers.norm("post")!))
  }

  /// Throws where the BatchNorm after the sum does not follow the sum itself.
  private static func requireFoldable(_ layers: BlockLayers) throws(BlockProblem) {
    guard !layers.hasSqueezeExcitation else {
      throw .notOne(
        "Squeeze-and-Excitation stands between the sum of its branches and the BatchNorm, which so cannot be folded; what the project's own conversion makes of it answers differently"
      )
    }
    guard !layers.hasBias("pointwise") else {
      throw .notOne("its 1x1 convolution has a bias, as no QARepVGG's has")
    }
  }
}
