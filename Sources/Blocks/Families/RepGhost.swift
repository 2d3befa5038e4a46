extension BlockFamily {
  /// A depthwise 3x3 convolution and an identity, each with its BatchNorm.
  ///
  /// The authors' code can add a second identity without parameters (`reparam_identity`); their networks
  /// have none.
  public static let repGhost = BlockFamily(
    "RepGhost", source: "arXiv:2211.06088, 3.2",
    layers: [.convBN("cheap"), .batchNorm("identity"), .module("plain identity")],
    keepsWidth: true,
    assumption:
      "taken to have no identity beside the one with BatchNorm, which no tensor would show (reparam_identity of the authors' code); those that have one are the family RepGhost-identity",
    about: "plain identity"
  ) { (layers) throws(BlockProblem) in
    let sum = layers.cheap! + layers.identity
    return try layers.has(module: "plain identity", assuming: false) ? sum + .identity : sum
  }

  /// With the second identity.
  public static let repGhostIdentity = BlockFamily(
    "RepGhost-identity", variantOf: .repGhost, settled: ["plain identity": true])
}
