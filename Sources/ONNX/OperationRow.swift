internal import Graphs
internal import Tensors

/// A row of the table of operations: what of ONNX's a kind of node becomes.
///
/// A new kind is a row here. ONNX's operators are specified in `docs/Operators.md` of
/// github.com/onnx/onnx, and their older versions in `docs/Changelog.md`; the formulas of the kinds in
/// `formats/rvd.md`.
struct OperationRow: LoweringRow {
  let kind: NodeKind
  /// Appends operations, the last of which gives the node's value, and returns its name.
  let lower: @Sendable (inout Lowering) throws -> Name

  init(_ kind: NodeKind, _ lower: @escaping @Sendable (inout Lowering) throws -> Name) {
    self.kind = kind
    self.lower = lower
  }

  /// An operation of one name in both, without operands.
  private init(
    _ kind: NodeKind, _ operation: String, _ attributes: [String: ONNXGraph.Attribute] = [:]
  ) {
    self.init(kind) { $0.append(operation, $0.inputs, attributes: attributes) }
  }

  static let table = LoweringTable(all)

  static let all: [OperationRow] =
    layers + rearranging + [
      OperationRow(.relu, "Relu"),
      OperationRow(.relu6) { $0.append("Clip", $0.input, $0.constant(0), $0.constant(6)) },
      OperationRow(.prelu) { $0.append("PRelu", $0.input, $0.channels("slope")) },
      OperationRow(.sigmoid, "Sigmoid"),
      OperationRow(.silu) { $0.append("Mul", $0.input, $0.append("Sigmoid", $0.input)) },
      OperationRow(.tanh, "Tanh"),
      gelu, geluTanh,
      OperationRow(.hardSigmoid, "HardSigmoid", sixth),
      OperationRow(.hardSwish) {
        $0.operatorSet >= 14
          ? $0.append("HardSwish", $0.input)
          : $0.append("Mul", $0.input, $0.append("HardSigmoid", $0.input, attributes: sixth))
      },
      softmax,
    ]

  /// x / 6 + 1/2, cut off at 0 and 1.
  private static let sixth: [String: ONNXGraph.Attribute] = [
    "alpha": .float(1 / 6), "beta": .float(0.5),
  ]

  private static let layers = [
    OperationRow(.convolution) { lowering in
      let kernel = lowering.shape("weight")
      return try lowering.append(
        "Conv", lowering.input, lowering.tensor("weight"), lowering.bias(),
        attributes: [
          "dilations": .integers(lowering.attribute("dilation")),
          "group": .integer(lowering.attribute("groups")[0]),
          "kernel_shape": .integers([kernel[2], kernel[3]]),
          "pads": .integers(lowering.attribute("padding") + lowering.attribute("padding")),
          "strides": .integers(lowering.attribute("stride")),
        ])
    },
    OperationRow(.linear) { lowering in
      guard lowering.takesMap else {
        return try lowering.append(
          "Gemm", lowering.input, lowering.tensor("weight"), lowering.bias(),
          attributes: ["alpha": .float(1), "beta": .float(1), "transB": .integer(1)])
      }
      let matrix = lowering.shape("weight")
      return try lowering.append(
        "Conv", lowering.input, lowering.tensor("weight", as: [matrix[0], matrix[1], 1, 1]),
        lowering.bias(),
        attributes: [
          "dilations": .integers([1, 1]), "group": .integer(1), "kernel_shape": .integers([1, 1]),
          "pads": .integers([0, 0, 0, 0]), "strides": .integers([1, 1]),
        ])
    },
    OperationRow(.batchNorm) { lowering in
      let names = ["gamma", "beta", "mean", "variance"].map { lowering.tensor($0)! }
      return lowering.append(
        "BatchNormalization", [lowering.input] + names,
        attributes: ["epsilon": .float(Float(lowering.node.epsilon!))])
    },
    layerNorm, globalResponseNorm, attention,
    OperationRow(.scale) { lowering in
      let scaled = lowering.append("Mul", lowering.input, lowering.channels("factor"))
      guard let shift = lowering.channels("shift") else { return scaled }
      return lowering.append("Add", scaled, shift)
    },
    OperationRow(.add, "Add"),
    OperationRow(.multiply, "Mul"),
    OperationRow(.globalAveragePool, "GlobalAveragePool"),
    // `count_include_pad` says the same as zeros around the map, but the classic engine of OpenCV (the
    // only one of 4.x) follows it in PyTorch's files alone, and gives wrong means of others.
    OperationRow(.averagePool) { lowering in
      let padding = lowering.attribute("padding")
      guard padding != [0, 0] else { return lowering.pool("AveragePool", lowering.input, padding) }
      let padded = lowering.append(
        "Pad", lowering.input, lowering.padding(padding), attributes: ["mode": .string("constant")])
      return lowering.pool("AveragePool", padded, [0, 0])
    },
    OperationRow(.maxPool) { $0.pool("MaxPool", $0.input, $0.attribute("padding")) },
  ]

  private static let rearranging = [
    OperationRow(.concatenate, "Concat", ["axis": .integer(1)]),
    OperationRow(.flatten, "Flatten", ["axis": .integer(1)]),
    OperationRow(.upsampleNearest) { lowering in
      let factor = lowering.attribute("factor")
      // A region of interest, which this does not have; until 12 it could not be left out.
      let region = lowering.operatorSet < 13 ? lowering.nothing() : nil
      return lowering.append(
        "Resize", lowering.input, region, lowering.factors(factor[0], factor[1]),
        attributes: [
          "coordinate_transformation_mode": .string("asymmetric"), "mode": .string("nearest"),
          "nearest_mode": .string("floor"),
        ])
    },
    OperationRow(.pixelShuffle) {
      $0.append(
        "DepthToSpace", $0.input,
        attributes: ["blocksize": .integer($0.attribute("factor")[0]), "mode": .string("CRD")])
    },
  ]

  /// In simple words: `LayerNormalization`, since 17, is over the last axes only.
  private static let layerNorm = OperationRow(.layerNorm) { lowering in
    let x = lowering.input
    let difference = lowering.append("Sub", x, lowering.reduce("ReduceMean", x, [1]))
    let squares = lowering.append("Mul", difference, difference)
    let variance = lowering.append(
      "Add", lowering.reduce("ReduceMean", squares, [1]), lowering.constant(lowering.node.epsilon!))
    let normalized = lowering.append("Div", difference, lowering.append("Sqrt", variance))
    return lowering.append(
      "Add", lowering.append("Mul", normalized, lowering.channels("gamma")),
      lowering.channels("beta"))
  }

  private static let globalResponseNorm = OperationRow(.globalResponseNorm) { lowering in
    let lengths = lowering.reduce("ReduceL2", lowering.input, [2, 3])
    let mean = lowering.append(
      "Add", lowering.reduce("ReduceMean", lengths, [1]), lowering.constant(lowering.node.epsilon!))
    let shares = lowering.append(
      "Mul", lowering.append("Div", lengths, mean), lowering.channels("gamma"))
    let scaled = lowering.append(
      "Mul", lowering.input, lowering.append("Add", shares, lowering.constant(1)))
    guard let beta = lowering.channels("beta") else { return scaled }
    return lowering.append("Add", scaled, beta)
  }

  /// Matrices of one row for each channel of a head, and one column for each position.
  private static let attention = OperationRow(.attention) { lowering in
    let (channels, height, width) = lowering.inputShape.mapSizes
    let (heads, values) = (lowering.attribute("heads")[0], channels / 3)
    func part(_ index: Int, _ lowering: inout Lowering) -> Name {
      let slice = lowering.append(
        "Slice", lowering.input, lowering.integers([index * values], named: "from"),
        lowering.integers([(index + 1) * values], named: "to"),
        lowering.integers([1], named: "axis"))
      return lowering.append(
        "Reshape", slice,
        lowering.integers([0, heads, values / heads, height * width], named: "heads"))
    }
    func transposed(_ value: Name, _ lowering: inout Lowering) -> Name {
      lowering.append("Transpose", value, attributes: ["perm": .integers([0, 1, 3, 2])])
    }
    let scale = lowering.constant(1 / Double(values / heads).squareRoot())
    let queries = lowering.append("Mul", transposed(part(0, &lowering), &lowering), scale)
    let scores = lowering.append("MatMul", queries, part(1, &lowering))
    let shares = lowering.append("Softmax", scores, attributes: ["axis": .integer(3)])
    let sums = lowering.append("MatMul", part(2, &lowering), transposed(shares, &lowering))
    return lowering.append(
      "Reshape", sums, lowering.integers([0, values, height, width], named: "map"))
  }

  /// `Gelu` since 20; before, in the words that runtimes know it by.
  private static let gelu = OperationRow(.gelu) { lowering in
    guard lowering.operatorSet < 20 else {
      return lowering.append(
        "Gelu", lowering.input, attributes: ["approximate": .string("none")])
    }
    let erf = lowering.append(
      "Erf", lowering.append("Div", lowering.input, lowering.constant(2.0.squareRoot())))
    let sum = lowering.append("Add", erf, lowering.constant(1))
    let product = lowering.append("Mul", lowering.input, sum)
    return lowering.append("Mul", product, lowering.constant(0.5))
  }

  private static let geluTanh = OperationRow(.geluTanh) { lowering in
    guard lowering.operatorSet < 20 else {
      return lowering.append(
        "Gelu", lowering.input, attributes: ["approximate": .string("tanh")])
    }
    // OpenCV 5.0 knows these words, and crashes where a constant is not the first of two.
    let x = lowering.input
    let cube = lowering.append("Mul", x, lowering.append("Mul", x, x))
    let inner = lowering.append(
      "Add", x, lowering.append("Mul", lowering.constant(0.044715), cube))
    let tanh = lowering.append(
      "Tanh", lowering.append("Mul", lowering.constant((2 / Double.pi).squareRoot()), inner))
    let product = lowering.append(
      "Mul", x, lowering.append("Add", lowering.constant(1), tanh))
    return lowering.append("Mul", lowering.constant(0.5), product)
  }

  /// Until 12, over everything from an axis on: channels have to be the last.
  private static let softmax = OperationRow(.softmax) { lowering in
    guard lowering.operatorSet < 13, lowering.takesMap else {
      return lowering.append("Softmax", lowering.input, attributes: ["axis": .integer(1)])
    }
    let turned = lowering.append(
      "Transpose", lowering.input, attributes: ["perm": .integers([0, 2, 3, 1])])
    return lowering.append(
      "Transpose", lowering.append("Softmax", turned, attributes: ["axis": .integer(3)]),
      attributes: ["perm": .integers([0, 3, 1, 2])])
  }
}

extension Lowering {
  /// A reduction that keeps its axes; those are an input of means and lengths since 18.
  fileprivate mutating func reduce(_ operation: String, _ input: Name, _ axes: [Int]) -> Name {
    let keeps = ["keepdims": ONNXGraph.Attribute.integer(1)]
    if operatorSet < 18 {
      let attributes = keeps.merging(["axes": .integers(axes)]) { first, _ in first }
      return append(operation, input, attributes: attributes)
    }
    return append(operation, input, integers(axes, named: "axes"), attributes: keeps)
  }

  fileprivate mutating func pool(
    _ operation: String, _ input: Name, _ padding: [Int]
  ) -> Name {
    append(
      operation, input,
      attributes: [
        "kernel_shape": .integers(attribute("kernel")), "pads": .integers(padding + padding),
        "strides": .integers(attribute("stride")),
      ])
  }
}
