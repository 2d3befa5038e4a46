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
    let parts = try OREPAParts(
      layers, order: ["origin", "average", "prior", "sequence", "pointwise", "separable"])
    return .layer("norm", try parts.sum().normalized(by: layers.norm("norm")!))
  }

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
    let product = Branch.convolution(try parts.kernel("first"), bias: nil)
      .then(.convolution(try parts.kernel("second"), bias: nil))
    let sum =
      try parts.scaled(.convolution(try parts.kernel("origin"), bias: nil), "origin")
      + parts.scaled(product, "sequence")
    return .layer("norm", sum.normalized(by: layers.norm("norm")!))
  }

  private static let orepaParts: [Layer] = [
    .parameter("average conv"), .parameter("prior conv"),
    .parameter("first", optional: true, with: ["first identity"]),
    .parameter("expand", optional: true), .parameter("second"), .parameter("depthwise"), .parameter("separable"), .parameter("vector"),
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
  /// `[rows, O]`; the rows behind those that are in use are in no formula.
  let vector: Tensor

  init(_ layers: BlockLayers, order: [String]) throws(BlockProblem) {
    (self.layers, self.order) = (layers, order)
    vector = layers.parameter("vector")!
    guard vector.shape.rank == 2, vector.shape[0] >= order.count, vector.isWeight else {
      throw BlockProblem.mismatch("its vector is \(vector.shape), not \(order.count) rows")
    }
  }

  /// OIHW.
  func kernel(_ name: LayerAddress) throws(BlockProblem) -> Tensor {
    let tensor = layers.parameter(name)!
    guard tensor.shape.rank == 4, tensor.isWeight, tensor.shape.elementCount > 0 else {
      throw BlockProblem.mismatch("its '\(name)' is \(tensor.shape), and no kernel")
    }
    return tensor
  }

  /// A part with its factors.
  func scaled(_ branch: Branch, _ name: String) throws(BlockProblem) -> Branch {
    let channels = vector.shape[1]
    do {
      let row = order.firstIndex(of: name)!
      var factors = [Double](repeating: 0, count: channels)
      try vector.readNumbers(row * channels..<(row + 1) * channels, into: &factors)
      let tensor = try Tensor(float64: factors, shape: [channels], name: "vector")
      return .layer(LayerAddress(name), branch.scaled(by: tensor))
    } catch {
      throw BlockProblem.mismatch("its vector cannot be read: \(error)")
    }
  }

  /// A 1x1 convolution, and what is multiplied with each of its channels: a depthwise kernel of the same
  /// numbers in each channel if they are `[k, k]`, of `[O, k, k]` otherwise.
  private func spread(_ conv: LayerAddress, over name: LayerAddress) throws(BlockProblem) -> Branch {
    let (first, pattern) = (try kernel(conv), layers.parameter(name)!)
    let (outputs, shape) = (first.shape[0], pattern.shape)
    guard first.shape[2] == 1, first.shape[3] == 1, pattern.isWeight,
      shape.rank == 2 || shape.rank == 3 && shape[0] == outputs
    else {
      throw BlockProblem.mismatch("its '\(name)' is \(shape), after \(first.shape)")
    }
    do {
      var numbers = try pattern.doubles()
      if shape.rank == 2 {
        numbers = (0..<outputs).flatMap { _ in numbers }
      }
      let size = shape.dimensions.suffix(2)
      let depthwise = try Tensor(
        float64: numbers, shape: Shape([outputs, 1] + size), name: "\(name)")
      return Branch.convolution(first, bias: nil).then(.convolution(depthwise, bias: nil))
    } catch {
      throw BlockProblem.mismatch("its '\(name)' cannot be read: \(error)")
    }
  }

  /// The k x k after a 1x1, which is added to the identity of the file if that is there.
  private func sequence() throws(BlockProblem) -> Branch {
    let second = Branch.convolution(try kernel("second"), bias: nil)
    if layers.parameter("expand") != nil {
      return Branch.convolution(try kernel("expand"), bias: nil).then(second)
    }
    guard layers.parameter("first") != nil else {
      throw BlockProblem.missing([
        ParameterAddress("first", .value), ParameterAddress("first identity", .value),
      ])
    }
    let first =
      Branch.convolution(try kernel("first"), bias: nil)
      + .layer("first identity", .convolution(try kernel("first identity"), bias: nil))
    return first.then(second)
  }

  /// The 1x1 after a depthwise k x k. The authors' code takes row `r` of the 1x1 kernel for output channel
  /// `r mod groups` of group `r / groups`, counted within the group: rows are put where they are used.
  private func separable(inputs: Int) throws(BlockProblem) -> Branch {
    let depthwise = try kernel("depthwise")
    var pointwise = try kernel("separable")
    let (channels, taken) = (depthwise.shape[0], pointwise.shape[1])
    guard depthwise.shape[1] == 1, taken > 0, channels.isMultiple(of: taken),
      pointwise.shape[2] == 1, pointwise.shape[3] == 1,
      pointwise.shape[0].isMultiple(of: channels / taken), inputs > 0, taken.isMultiple(of: inputs)
    else {
      throw BlockProblem.mismatch(
        "its 'separable' is \(pointwise.shape), after \(depthwise.shape)")
    }
    let (rows, groups) = (pointwise.shape[0], channels / taken)
    if groups > 1 {
      do {
        let numbers = try pointwise.doubles()
        var moved: [Double] = []
        moved.reserveCapacity(numbers.count)
        for row in 0..<rows {
          let (group, place) = row.quotientAndRemainder(dividingBy: rows / groups)
          let from = (place * groups + group) * taken
          moved += numbers[from..<from + taken]
        }
        pointwise = try Tensor(float64: moved, shape: pointwise.shape, name: "separable")
      } catch {
        throw BlockProblem.mismatch("its 'separable' cannot be read: \(error)")
      }
    }
    return .separable(depthwise: depthwise, pointwise: pointwise)
  }

  func sum() throws(BlockProblem) -> Branch {
    let origin = try kernel("origin")
    var sum = try scaled(.convolution(origin, bias: nil), "origin")
    sum = sum + (try scaled(spread("average conv", over: "average"), "average"))
    sum = sum + (try scaled(spread("prior conv", over: "prior"), "prior"))
    sum = sum + (try scaled(sequence(), "sequence"))
    if order.contains("pointwise") {
      sum = sum + (try scaled(.convolution(kernel("pointwise"), bias: nil), "pointwise"))
    }
    return sum + (try scaled(separable(inputs: origin.shape[1]), "separable"))
  }
}
