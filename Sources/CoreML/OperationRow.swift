internal import Graphs
internal import Tensors

/// A row of the table of operations: what of MIL's a kind of node becomes.
///
/// A new kind is a row here. MIL's operations are described in coremltools
/// (`coremltools/converters/mil/mil/ops/defs` of github.com/apple/coremltools); the formulas of the kinds in
/// `formats/rvd.md`.
struct OperationRow: LoweringRow {
  let kind: NodeKind
  /// Appends operations, the last of which gives the node's value, and returns it.
  let lower: @Sendable (inout Lowering) -> Lowering.Value

  init(_ kind: NodeKind, _ lower: @escaping @Sendable (inout Lowering) -> Lowering.Value) {
    self.kind = kind
    self.lower = lower
  }

  /// An operation of one value, with what else it is told.
  private init(
    _ kind: NodeKind, _ operation: String, _ constants: [String: Program.Constant] = [:]
  ) {
    self.init(kind) { lowering in
      lowering.append(
        operation,
        constants.mapValues { .constant($0) }.merging(["x": .value(lowering.input)]) { $1 })
    }
  }

  static let table = LoweringTable(all)

  static let all: [OperationRow] =
    layers + rearranging + [
      OperationRow(.relu, "relu"),
      OperationRow(.relu6, "relu6"),
      prelu,
      OperationRow(.sigmoid, "sigmoid"),
      OperationRow(.silu, "silu"),
      OperationRow(.tanh, "tanh"),
      OperationRow(.gelu, "gelu", ["mode": .string("EXACT")]),
      OperationRow(.geluTanh, "gelu", ["mode": .string("TANH_APPROXIMATION")]),
      OperationRow(.hardSigmoid, "sigmoid_hard", sixth),
      OperationRow(.hardSwish) { lowering in
        let gate = lowering.append(
          "sigmoid_hard",
          sixth.mapValues { .constant($0) }.merging(["x": .value(lowering.input)]) { $1 })
        return lowering.append("mul", lowering.input, .value(gate))
      },
      OperationRow(.softmax, "softmax", ["axis": .integer(1)]),
    ]

  /// x / 6 + 1/2, cut off at 0 and 1.
  private static let sixth: [String: Program.Constant] = [
    "alpha": .number(1 / 6), "beta": .number(0.5),
  ]

  private static let layers = [
    OperationRow(.convolution) { $0.convolution($0.tensor("weight")!) },
    OperationRow(.linear) { lowering in
      let matrix = lowering.shape("weight").dimensions
      guard lowering.takesMap else {
        return lowering.append(
          "linear",
          [
            "x": .value(lowering.input), "weight": lowering.tensor("weight"),
            "bias": lowering.tensor("bias"),
          ])
      }
      return lowering.convolution(
        lowering.tensor("weight", as: matrix + [1, 1])!, stride: [1, 1], padding: [0, 0],
        dilation: [1, 1], groups: 1)
    },
    // MIL's is of maps.
    OperationRow(.batchNorm) { lowering in
      let shape = lowering.input.shape
      func normalized(_ map: Lowering.Value) -> Lowering.Value {
        lowering.append(
          "batch_norm",
          [
            "x": .value(map), "gamma": lowering.tensor("gamma"), "beta": lowering.tensor("beta"),
            "mean": lowering.tensor("mean"), "variance": lowering.tensor("variance"),
            "epsilon": .constant(.number(lowering.node.epsilon!)),
          ], shape: map.shape)
      }
      guard !lowering.takesMap else { return normalized(lowering.input) }
      return lowering.reshape(
        normalized(lowering.reshape(lowering.input, shape + [1, 1])), shape)
    },
    OperationRow(.layerNorm) { lowering in
      lowering.append(
        "layer_norm",
        [
          "x": .value(lowering.input), "axes": .constant(.integers([1])),
          "gamma": lowering.tensor("gamma"), "beta": lowering.tensor("beta"),
          "epsilon": .constant(.number(lowering.node.epsilon!)),
        ])
    },
    globalResponseNorm, attention,
    OperationRow(.scale) { lowering in
      let scaled = lowering.append("mul", lowering.input, lowering.channels("factor")!)
      guard let shift = lowering.channels("shift") else { return scaled }
      return lowering.append("add", scaled, shift)
    },
    OperationRow(.add) { $0.append("add", $0.inputs[0], .value($0.inputs[1])) },
    OperationRow(.multiply) { $0.append("mul", $0.inputs[0], .value($0.inputs[1])) },
    OperationRow(
      .globalAveragePool, "reduce_mean", ["axes": .integers([2, 3]), "keep_dims": .bool(true)]),
    OperationRow(.averagePool) {
      $0.pool("avg_pool", ["exclude_padding_from_average": .constant(.bool(false))])
    },
    OperationRow(.maxPool) { $0.pool("max_pool") },
  ]

  private static let rearranging = [
    OperationRow(.concatenate) { lowering in
      lowering.append(
        "concat",
        [
          "values": .values(lowering.inputs), "axis": .constant(.integer(1)),
          "interleave": .constant(.bool(false)),
        ])
    },
    OperationRow(.flatten) { $0.reshape($0.input, $0.resultSizes) },
    OperationRow(.upsampleNearest) { lowering in
      let factor = lowering.attribute("factor")
      return lowering.append(
        "upsample_nearest_neighbor",
        [
          "x": .value(lowering.input), "scale_factor_height": .constant(.integer(factor[0])),
          "scale_factor_width": .constant(.integer(factor[1])),
        ])
    },
    OperationRow(.pixelShuffle) { lowering in
      lowering.append(
        "pixel_shuffle",
        [
          "x": .value(lowering.input),
          "upscale_factor": .constant(.integer(lowering.attribute("factor")[0])),
        ])
    },
  ]

  /// In simple words: MIL's takes a slope for each channel of a map, and nothing else.
  private static let prelu = OperationRow(.prelu) { lowering in
    let negative = lowering.append("minimum", lowering.input, .constant(.number(0)))
    let scaled = lowering.append("mul", negative, lowering.channels("slope")!)
    return lowering.append(
      "add", lowering.append("relu", ["x": .value(lowering.input)]), .value(scaled))
  }

  private static let globalResponseNorm = OperationRow(.globalResponseNorm) { lowering in
    let x = lowering.input
    let perChannel = [1, x.shape[1], 1, 1]
    let lengths = lowering.append(
      "reduce_l2_norm",
      ["x": .value(x), "axes": .constant(.integers([2, 3])), "keep_dims": .constant(.bool(true))],
      shape: perChannel)
    let mean = lowering.append(
      "reduce_mean",
      [
        "x": .value(lengths), "axes": .constant(.integers([1])),
        "keep_dims": .constant(.bool(true)),
      ],
      shape: [1, 1, 1, 1])
    let divisor = lowering.append(
      "add", mean, .constant(.number(lowering.node.epsilon!)), shape: [1, 1, 1, 1])
    let share = lowering.append("real_div", lengths, .value(divisor), shape: perChannel)
    let scaled = lowering.append("mul", share, lowering.channels("gamma")!, shape: perChannel)
    let factor = lowering.append("add", scaled, .constant(.number(1)), shape: perChannel)
    let product = lowering.append("mul", x, .value(factor))
    guard let beta = lowering.channels("beta") else { return product }
    return lowering.append("add", product, beta)
  }

  /// Matrices of one row for each channel of a head, and one column for each position.
  private static let attention = OperationRow(.attention) { lowering in
    let (shape, heads) = (lowering.resultSizes, lowering.attribute("heads")[0])
    let (depth, positions) = (shape[1] / heads, shape[2] * shape[3])
    let parts = (0..<3).map { part in
      let slice = lowering.append(
        "slice_by_size",
        [
          "x": .value(lowering.input), "begin": .constant(.integers([0, part * shape[1], 0, 0])),
          "size": .constant(.integers(shape)),
        ])
      return lowering.reshape(slice, [1, heads, depth, positions])
    }
    let queries = lowering.append(
      "mul", parts[0], .constant(.number(1 / Double(depth).squareRoot())), shape: parts[0].shape)
    func product(
      _ x: Lowering.Value, _ y: Lowering.Value, transposing: (x: Bool, y: Bool), _ shape: [Int]
    ) -> Lowering.Value {
      lowering.append(
        "matmul",
        [
          "x": .value(x), "y": .value(y), "transpose_x": .constant(.bool(transposing.x)),
          "transpose_y": .constant(.bool(transposing.y)),
        ], shape: shape)
    }
    let scores = product(
      queries, parts[1], transposing: (true, false), [1, heads, positions, positions])
    let shares = lowering.append(
      "softmax", ["x": .value(scores), "axis": .constant(.integer(3))], shape: scores.shape)
    let sums = product(parts[2], shares, transposing: (false, true), parts[2].shape)
    return lowering.reshape(sums, shape)
  }
}

extension Lowering {
  /// The node's, or that of a kernel of 1x1.
  fileprivate mutating func convolution(
    _ weight: Argument, stride: [Int]? = nil, padding: [Int]? = nil, dilation: [Int]? = nil,
    groups: Int? = nil
  ) -> Value {
    append(
      "conv",
      [
        "x": .value(input), "weight": weight, "bias": tensor("bias"),
        "strides": .constant(.integers(stride ?? attribute("stride"))),
        "pad_type": .constant(.string("custom")),
        "pad": .constant(.integers((padding ?? attribute("padding")).flatMap { [$0, $0] })),
        "dilations": .constant(.integers(dilation ?? attribute("dilation"))),
        "groups": .constant(.integer(groups ?? attribute("groups")[0])),
      ])
  }

  fileprivate mutating func reshape(_ value: Value, _ shape: [Int]) -> Value {
    append("reshape", ["x": .value(value), "shape": .constant(.integers(shape))], shape: shape)
  }

  fileprivate mutating func pool(_ operation: String, _ more: [String: Argument?] = [:]) -> Value {
    append(
      operation,
      more.merging([
        "x": .value(input), "kernel_sizes": .constant(.integers(attribute("kernel"))),
        "strides": .constant(.integers(attribute("stride"))),
        "pad_type": .constant(.string("custom")),
        "pad": .constant(.integers(attribute("padding").flatMap { [$0, $0] })),
        "ceil_mode": .constant(.bool(false)),
      ]) { $1 })
  }
}
