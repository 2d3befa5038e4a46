internal import Tensors

extension BlockFamily {
  /// A 3x3 convolution; a 3x3 after a 1x1 one; after a 1x1 one each a Sobel filter in both directions and a
  /// Laplacian one, depthwise and with a factor for each channel; and an identity: all without BatchNorm,
  /// what stands before a filter padded with its own bias.
  public static let ecbsr = BlockFamily(
    "ECBSR", source: "ECB of github.com/xindongzhang/ECBSR at c60b1d27; ACM MM 2021, 3.2",
    layers: [.convolution("conv"), part("wide", "k0", telling: true)]
      + ["b0", "k1", "b1"].map { part("wide", $0) }
      + filters.flatMap { filter in
        ["k0", "b0", "scale", "bias", "mask"].map { part(filter, $0) }
      },
    kept: [.parameter("activation", optional: true)],
    deployKernels: .spatial(3),
    assumption: Assumption(
      "taken to have an identity where as many channels come out as go in, which no tensor shows, and which the authors' own configurations leave out (idt_ecbsr)",
      on: .identity, doubtful: true)
  ) { (layers) throws(BlockProblem) in
    func tensor(_ layer: String, _ name: String, _ kernel: Shape?) throws(BlockProblem) -> Tensor {
      let address = LayerAddress("\(layer) \(name)")
      let tensor = layers.parameter(address)!
      let shape = tensor.shape
      let fits = kernel.map { shape.rank == 4 && (shape[2], shape[3]) == ($0[2], $0[3]) }
      guard fits ?? (shape.elementCount == layers.shape("conv")![0]) else {
        throw BlockProblem.mismatch("its '\(address)' is \(shape)")
      }
      return tensor
    }
    let size = layers.shape("conv")!
    func pointwise(_ layer: String) throws(BlockProblem) -> Branch {
      let kernel = try tensor(layer, "k0", [1, 1, 1, 1])
      let bias = layers.parameter(LayerAddress("\(layer) b0"))!
      guard bias.shape.elementCount == kernel.shape[0] else {
        throw BlockProblem.mismatch("its '\(layer) b0' is \(bias.shape), beside \(kernel.shape)")
      }
      return .convolution(kernel, bias: bias)
    }
    let wide = Branch.convolution(
      try tensor("wide", "k1", size), bias: try tensor("wide", "b1", nil))
    var sum = layers.conv! + .layer("wide", try pointwise("wide").then(wide))
    for filter in filters {
      let mask = Branch.convolution(try tensor(filter, "mask", size), bias: nil)
      let filtered = mask.scaled(by: try tensor(filter, "scale", nil))
        .shifted(by: try tensor(filter, "bias", nil))
      sum = sum + .layer(LayerAddress(filter), try pointwise(filter).then(filtered))
    }
    return layers.facts.hasIdentity ?? true && size[0] == size[1] ? sum + .identity : sum
  }

  private static let filters = ["horizontal", "vertical", "laplacian"]

  private static func part(_ layer: String, _ name: String, telling: Bool = false) -> Layer {
    .parameter("\(layer) \(name)", telling: telling, fixed: name == "mask")
  }
}
