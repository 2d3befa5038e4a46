internal import Tensors

extension BlockFamily {
  /// A kernel that is made of parts before one BatchNorm: a k x k one; 1x1 ones after which come an average
  /// and fixed cosines; a k x k after a 1x1 that is added to an identity; a 1x1; and a 1x1 after a depthwise
  /// k x k. Each part has a factor for each channel, a row of `vector`.
  ///
  /// Averages, cosines and identity are those of the file, where they are rounded as the network uses them.
  public static let orepa = BlockFamily(
    "OREPA", source: "arXiv:2204.00826, 3.2; OREPA of github.com/JUGGHM/OREPA_CVPR2022 at 3ed037be",
    layers: [.parameter("origin", telling: true)] + orepaParts
      + [.parameter("pointwise"), .batchNorm("norm", afterOthers: true)]
  ) { (layers) throws(BlockProblem) in
    let parts = try OREPAParts(layers, order: orepaOrder)
    return .layer("norm", try parts.sum().normalized(by: layers.norm("norm")!))
  }

  /// Several such 3x3 kernels, which make one of 7x7 or more, before one BatchNorm.
  ///
  /// The authors' code slides the later kernels over the earlier ones as over an image, which is to convolve
  /// them turned by 180 degrees.
  public static let orepaLarge = BlockFamily(
    "OREPA-Large", source: "OREPA_LargeConv of github.com/JUGGHM/OREPA_CVPR2022 at 3ed037be",
    layers: ([.parameter("origin", telling: true)] + orepaParts + [.parameter("pointwise")])
      .map { $0.numbered(["n"]) } + [.batchNorm("norm", afterOthers: true)]
  ) { (layers) throws(BlockProblem) in
    var whole: Branch?
    for (index, address) in layers.addresses("origin").enumerated() {
      guard address.numbers == [index] else {
        throw BlockProblem.missing([ParameterAddress(LayerAddress("origin", index: index), .value)])
      }
      let parts = try OREPAParts(
        layers, order: orepaOrder, number: index, isTurned: index > 0)
      let kernel = Branch.layer(LayerAddress("kernel", index: index), try parts.sum())
      whole = whole?.then(kernel) ?? kernel
    }
    return .layer("norm", whole!.normalized(by: layers.norm("norm")!))
  }

  private static let orepaOrder = [
    "origin", "average", "prior", "sequence", "pointwise", "separable",
  ]

  /// The same without the 1x1 part in the place of RepVGG's 3x3 convolution.
  public static let orepaRepVGG = BlockFamily(
    "OREPA-RepVGG",
    source: "arXiv:2204.00826; RepVGGBlock_OREPA of github.com/JUGGHM/OREPA_CVPR2022 at 3ed037be",
    layers: [.batchNorm("identity", optional: true), .parameter("origin", telling: true)]
      + orepaParts
      + [.batchNorm("dense", afterOthers: true), .convBN("pointwise")],
    deployKernels: .spatial(3)
  ) { (layers) throws(BlockProblem) in
    let parts = try OREPAParts(
      layers, order: ["origin", "average", "prior", "sequence", "separable"])
    return .layer("dense", try parts.sum().normalized(by: layers.norm("dense")!))
      + layers.pointwise + layers.identity
  }

  /// A 1x1 kernel, and one that is the product of two, each with a factor for each channel, before one
  /// BatchNorm.
  public static let orepa1x1 = BlockFamily(
    "OREPA-1x1", source: "OREPA_1x1 of github.com/JUGGHM/OREPA_CVPR2022 at 3ed037be",
    layers: [
      .parameter("origin", telling: true), .parameter("first"), .parameter("second"),
      .parameter("vector"), .batchNorm("norm", afterOthers: true),
    ]
  ) { (layers) throws(BlockProblem) in
    let parts = try OREPAParts(layers, order: ["origin", "sequence"])
    let product = try parts.convolution("first").then(parts.convolution("second"))
    let sum =
      try parts.scaled(parts.convolution("origin"), "origin")
      + parts.scaled(product, "sequence")
    return .layer("norm", sum.normalized(by: layers.norm("norm")!))
  }

  private static let orepaParts: [Layer] = [
    .parameter("average conv"), .parameter("prior conv"),
    .parameter("first", optional: true, with: ["first identity"]),
    .parameter("expand", optional: true), .parameter("second"), .parameter("depthwise"),
    .parameter("separable"), .parameter("vector"),
    .parameter("average", fixed: true),
    .parameter("first identity", optional: true, with: ["first"], fixed: true),
    .parameter("prior", fixed: true),
  ]
}

/// The parts that an OREPA kernel is made of.
private struct OREPAParts {
  let layers: BlockLayers
  /// Which row of `vector` is whose.
  let order: [String]
  /// Of several kernels, which; nil of the only one.
  let number: Int?
  /// Whether kernels are to be turned by 180 degrees.
  let isTurned: Bool
  /// `[rows, O]`; the rows behind those that are in use are in no formula.
  let vector: Tensor

  init(
    _ layers: BlockLayers, order: [String], number: Int? = nil, isTurned: Bool = false
  ) throws(BlockProblem) {
    (self.layers, self.order, self.number, self.isTurned) = (layers, order, number, isTurned)
    let address = LayerAddress("vector", index: number)
    guard let vector = layers.parameter(address) else {
      throw BlockProblem.missing([ParameterAddress(address, .value)])
    }
    guard vector.shape.rank == 2, vector.shape[0] >= order.count, vector.isWeight else {
      throw BlockProblem.mismatch("its vector is \(vector.shape), not \(order.count) rows")
    }
    self.vector = vector
  }

  private func address(_ name: String) -> LayerAddress { LayerAddress(name, index: number) }

  private func has(_ name: String) -> Bool { layers.parameter(address(name)) != nil }

  private func parameter(_ name: String) throws(BlockProblem) -> Tensor {
    guard let tensor = layers.parameter(address(name)) else {
      throw BlockProblem.missing([ParameterAddress(address(name), .value)])
    }
    return tensor
  }

  /// OIHW.
  private func kernel(_ name: String) throws(BlockProblem) -> Tensor {
    let tensor = try parameter(name)
    guard tensor.shape.rank == 4, tensor.isWeight, tensor.shape.elementCount > 0 else {
      throw BlockProblem.mismatch("its '\(address(name))' is \(tensor.shape), and no kernel")
    }
    return isTurned ? tensor.flipped(axis: 2).flipped(axis: 3) : tensor
  }

  func convolution(_ name: String) throws(BlockProblem) -> Branch {
    .convolution(try kernel(name), bias: nil)
  }

  /// All numbers of a tensor, or some, in another order or number and shape.
  private func remade(
    _ tensor: Tensor, as shape: Shape, _ change: ([Double]) -> [Double]
  ) throws(BlockProblem) -> Tensor {
    do {
      return try Tensor(
        float64: change(try tensor.doubles()), shape: shape, name: "part of a kernel")
    } catch {
      throw BlockProblem.mismatch("a part of its kernel cannot be read: \(error)")
    }
  }

  /// A part with its factors.
  func scaled(_ branch: Branch, _ name: String) throws(BlockProblem) -> Branch {
    let (row, channels) = (order.firstIndex(of: name)!, vector.shape[1])
    let factors = try remade(vector, as: [channels]) {
      Array($0[row * channels..<(row + 1) * channels])
    }
    return .layer(address(name), branch.scaled(by: factors))
  }

  /// A 1x1 convolution, and what is multiplied with each of its channels: a depthwise kernel of the same
  /// numbers in each channel if they are `[k, k]`, of `[O, k, k]` otherwise.
  private func spread(_ conv: String, over name: String) throws(BlockProblem) -> Branch {
    let (first, pattern) = (try kernel(conv), try parameter(name))
    let (outputs, shape) = (first.shape[0], pattern.shape)
    guard first.shape[2] == 1, first.shape[3] == 1, pattern.isWeight,
      shape.rank == 2 || shape.rank == 3 && shape[0] == outputs
    else {
      throw BlockProblem.mismatch("its '\(address(name))' is \(shape), after \(first.shape)")
    }
    var depthwise = try remade(
      pattern, as: Shape([outputs, 1] + shape.dimensions.suffix(2))
    ) { numbers in
      shape.rank == 3 ? numbers : (0..<outputs).flatMap { _ in numbers }
    }
    if isTurned { depthwise = depthwise.flipped(axis: 2).flipped(axis: 3) }
    return Branch.convolution(first, bias: nil).then(.convolution(depthwise, bias: nil))
  }

  /// The k x k after a 1x1, which is added to the identity of the file if that is there.
  private func sequence() throws(BlockProblem) -> Branch {
    let second = try convolution("second")
    if has("expand") { return try convolution("expand").then(second) }
    let identity = Branch.layer(address("first identity"), try convolution("first identity"))
    return (try convolution("first") + identity).then(second)
  }

  /// The 1x1 after a depthwise k x k. The authors' code takes row `r` of the 1x1 kernel for output channel
  /// `r / groups` of group `r mod groups`: rows are put where they are used.
  private func separable(inputs: Int) throws(BlockProblem) -> Branch {
    let depthwise = try kernel("depthwise")
    var pointwise = try kernel("separable")
    let (channels, taken) = (depthwise.shape[0], pointwise.shape[1])
    guard depthwise.shape[1] == 1, taken > 0, channels.isMultiple(of: taken),
      pointwise.shape[2] == 1, pointwise.shape[3] == 1,
      pointwise.shape[0].isMultiple(of: channels / taken), inputs > 0, taken.isMultiple(of: inputs)
    else {
      throw BlockProblem.mismatch(
        "its '\(address("separable"))' is \(pointwise.shape), after \(depthwise.shape)")
    }
    let (rows, groups) = (pointwise.shape[0], channels / taken)
    if groups > 1 {
      pointwise = try remade(pointwise, as: pointwise.shape) { numbers in
        (0..<rows).flatMap { row in
          let (group, place) = row.quotientAndRemainder(dividingBy: rows / groups)
          let from = (place * groups + group) * taken
          return numbers[from..<from + taken]
        }
      }
    }
    return .separable(depthwise: depthwise, pointwise: pointwise)
  }

  /// All parts.
  func sum() throws(BlockProblem) -> Branch {
    var sum = try scaled(convolution("origin"), "origin")
    sum = sum + (try scaled(spread("average conv", over: "average"), "average"))
    sum = sum + (try scaled(spread("prior conv", over: "prior"), "prior"))
    sum = sum + (try scaled(sequence(), "sequence"))
    if order.contains("pointwise") {
      sum = sum + (try scaled(convolution("pointwise"), "pointwise"))
    }
    let inputs = try kernel("origin").shape[1]
    return sum + (try scaled(separable(inputs: inputs), "separable"))
  }
}
