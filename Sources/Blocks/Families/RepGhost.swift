extension BlockFamily {
  /// A depthwise 3x3 convolution and an identity, each with its BatchNorm.
  ///
  /// The authors' code can add a second identity without parameters (`reparam_identity`), which no file
  /// shows; their networks have none.
  public static let repGhost = BlockFamily(
    "RepGhost", source: "arXiv:2211.06088, 3.2",
    layers: [.convBN("cheap"), .batchNorm("identity")], keepsWidth: true,
    assumption: Assumption(
      "taken to have no identity beside the one with BatchNorm, which no tensor would show (reparam_identity of the authors' code)",
      on: .identity)
  ) { layers in
    layers.cheap! + layers.identity + (layers.facts.hasIdentity == true ? .identity : nil)
  }
}
