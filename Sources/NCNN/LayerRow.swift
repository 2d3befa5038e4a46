internal import Graphs
internal import Tensors

/// A row of the table of operations: what of ncnn's a kind of node becomes.
///
/// A new kind is a row here. ncnn's layers and the numbers of their parameters are described in
/// `docs/developer-guide/operators.md` of github.com/Tencent/ncnn; the formulas of the kinds in
/// `formats/rvd.md`.
struct LayerRow: LoweringRow {
  let kind: NodeKind
  /// Appends layers, the last of which gives the node's value, and returns its name.
  let lower: @Sendable (inout Lowering) -> String

  init(_ kind: NodeKind, _ lower: @escaping @Sendable (inout Lowering) -> String) {
    self.kind = kind
    self.lower = lower
  }

  /// A layer without weights.
  private init(_ kind: NodeKind, _ type: String, _ parameters: [Int: Layers.Parameter] = [:]) {
    self.init(kind) { $0.append(type, $0.inputs, parameters) }
  }

  static let table = LoweringTable(all)

  static let all: [LayerRow] =
    layers + rearranging + [
      LayerRow(.relu, "ReLU"),
      LayerRow(.relu6, "Clip", [0: .float(0), 1: .float(6)]),
      LayerRow(.prelu) { lowering in
        let slope = lowering.tensor("slope")!
        return lowering.append(
          "PReLU", lowering.inputs, [0: .integer(slope.shape[0])], weights: [.plain(slope)])
      },
      LayerRow(.sigmoid, "Sigmoid"),
      LayerRow(.silu, "Swish"),
      LayerRow(.tanh, "TanH"),
      LayerRow(.gelu, "GELU", [0: .integer(0)]),
      LayerRow(.geluTanh, "GELU", [0: .integer(1)]),
      LayerRow(.hardSigmoid, "HardSigmoid", [0: .float(1 / 6), 1: .float(0.5)]),
      LayerRow(.hardSwish, "HardSwish", [0: .float(1 / 6), 1: .float(0.5)]),
      LayerRow(.softmax, "Softmax", [0: .integer(0), 1: .integer(1)]),
    ]

  private static let layers = [
    LayerRow(.convolution) { lowering in
      let groups = lowering.attribute("groups")[0]
      return lowering.convolution(
        groups == 1 ? "Convolution" : "ConvolutionDepthWise",
        kernel: Array(lowering.tensor("weight")!.shape.dimensions[2...]),
        stride: lowering.attribute("stride"), padding: lowering.attribute("padding"),
        dilation: lowering.attribute("dilation"), groups == 1 ? [:] : [7: .integer(groups)])
    },
    LayerRow(.linear) { lowering in
      guard lowering.takesMap else {
        let weight = lowering.tensor("weight")!
        return lowering.append(
          "InnerProduct", lowering.inputs,
          [
            0: .integer(weight.shape[0]), 1: .integer(lowering.tensor("bias") == nil ? 0 : 1),
            2: .integer(weight.shape.elementCount),
          ], weights: lowering.weightAndBias)
      }
      return lowering.convolution(
        "Convolution", kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1])
    },
    LayerRow(.batchNorm) { lowering in
      let parts = ["gamma", "mean", "variance", "beta"].map { lowering.tensor($0)! }
      return lowering.append(
        "BatchNorm", lowering.inputs,
        [0: .integer(parts[0].shape[0]), 1: .float(lowering.node.epsilon!)],
        weights: parts.map { .plain($0) })
    },
    layerNorm, globalResponseNorm, attention,
    LayerRow(.scale) { lowering in
      let scaled = lowering.binary(.multiply, lowering.input, lowering.channels("factor")!)
      guard let shift = lowering.channels("shift") else { return scaled }
      return lowering.binary(.add, scaled, shift)
    },
    LayerRow(.add) { $0.binary(.add, $0.inputs[0], $0.inputs[1]) },
    LayerRow(.multiply) { $0.binary(.multiply, $0.inputs[0], $0.inputs[1]) },
    // ncnn makes a vector of it.
    LayerRow(.globalAveragePool) { lowering in
      let pooled = lowering.append(
        "Pooling", lowering.inputs, [0: .integer(1), 4: .integer(1)])
      return lowering.reshape(pooled, lowering.resultShape.mapSizes)
    },
    LayerRow(.averagePool) { $0.pool([0: .integer(1), 6: .integer(1)]) },
    LayerRow(.maxPool) { $0.pool([0: .integer(0)]) },
  ]

  private static let rearranging = [
    LayerRow(.concatenate, "Concat", [0: .integer(0)]),
    LayerRow(.flatten, "Flatten"),
    LayerRow(.upsampleNearest) { lowering in
      let factor = lowering.attribute("factor")
      return lowering.append(
        "Interp", lowering.inputs,
        [0: .integer(1), 1: .float(Double(factor[0])), 2: .float(Double(factor[1]))])
    },
    LayerRow(.pixelShuffle) {
      $0.append(
        "PixelShuffle", $0.inputs, [0: .integer($0.attribute("factor")[0]), 1: .integer(0)])
    },
  ]

  /// Over the last axis, to which the channels of a map are turned.
  private static let layerNorm = LayerRow(.layerNorm) { lowering in
    let (gamma, beta) = (lowering.tensor("gamma")!, lowering.tensor("beta")!)
    func normalized(_ value: String) -> String {
      lowering.append(
        "LayerNorm", [value],
        [
          0: .integer(gamma.shape[0]), 1: .float(lowering.node.epsilon!), 2: .integer(1),
        ], weights: [.plain(gamma), .plain(beta)])
    }
    guard lowering.takesMap else { return normalized(lowering.input) }
    // Of width, height, channels: channels, width, height; and back.
    let turned = lowering.append("Permute", lowering.inputs, [0: .integer(3)])
    return lowering.append("Permute", [normalized(turned)], [0: .integer(4)])
  }

  private static let globalResponseNorm = LayerRow(.globalResponseNorm) { lowering in
    let lengths = lowering.reduce(.length, lowering.input, axes: [1, 2])
    let mean = lowering.reduce(.mean, lengths, axes: [0])
    let divisor = lowering.binary(.add, mean, lowering.node.epsilon!)
    let share = lowering.binary(.divide, lengths, divisor)
    let scaled = lowering.binary(.multiply, share, lowering.channels("gamma")!)
    let product = lowering.binary(.multiply, lowering.input, lowering.binary(.add, scaled, 1))
    guard let beta = lowering.channels("beta") else { return product }
    return lowering.binary(.add, product, beta)
  }

  /// Matrices of one row for each channel of a head, and one column for each position.
  private static let attention = LayerRow(.attention) { lowering in
    let sizes = lowering.resultShape.mapSizes
    let heads = lowering.attribute("heads")[0]
    let (depth, positions) = (sizes.channels / heads, sizes.height * sizes.width)
    // Three of the same number of channels.
    let parts = lowering.append(
      "Slice", lowering.inputs, [0: .integers([-233, -233, -233]), 1: .integer(0)], outputs: 3
    ).map { lowering.reshape($0, (heads, depth, positions)) }
    let queries = lowering.binary(
      .multiply, lowering.append("Permute", [parts[0]], [0: .integer(1)]),
      1 / Double(depth).squareRoot())
    let scores = lowering.append("MatMul", [queries, parts[1]], [0: .integer(0)])
    let shares = lowering.append("Softmax", [scores], [0: .integer(2), 1: .integer(1)])
    let sums = lowering.append("MatMul", [parts[2], shares], [0: .integer(1)])
    return lowering.reshape(sums, sizes)
  }
}

/// `BinaryOp::OperationType`.
private enum BinaryOperation: Int {
  case add = 0
  case multiply = 2
  case divide = 3
}

/// `Reduction::ReductionOp`.
private enum ReductionOperation: Int {
  case mean = 3
  /// The root of the sum of squares.
  case length = 8
}

extension Lowering {
  fileprivate var weightAndBias: [Layers.Weight] {
    [.tagged(tensor("weight")!)] + (tensor("bias").map { [.plain($0)] } ?? [])
  }

  fileprivate mutating func convolution(
    _ type: String, kernel: [Int], stride: [Int], padding: [Int], dilation: [Int],
    _ more: [Int: Layers.Parameter] = [:]
  ) -> String {
    let weight = tensor("weight")!
    let numbers = [
      0: weight.shape[0], 1: kernel[1], 11: kernel[0], 2: dilation[1], 12: dilation[0],
      3: stride[1], 13: stride[0], 4: padding[1], 14: padding[0],
      5: tensor("bias") == nil ? 0 : 1, 6: weight.shape.elementCount,
    ]
    return append(
      type, inputs, numbers.mapValues { .integer($0) }.merging(more) { $1 },
      weights: weightAndBias)
  }

  fileprivate mutating func pool(_ kind: [Int: Layers.Parameter]) -> String {
    let (kernel, stride) = (attribute("kernel"), attribute("stride"))
    let padding = attribute("padding")
    let numbers = [
      1: kernel[1], 11: kernel[0], 2: stride[1], 12: stride[0], 3: padding[1], 13: padding[0],
      14: padding[1], 15: padding[0],
      // No window ends outside.
      5: 1,
    ]
    return append("Pooling", inputs, numbers.mapValues { .integer($0) }.merging(kind) { $1 })
  }

  fileprivate mutating func reshape(
    _ value: String, _ sizes: (channels: Int, height: Int, width: Int)
  ) -> String {
    append(
      "Reshape", [value],
      [0: .integer(sizes.width), 1: .integer(sizes.height), 2: .integer(sizes.channels)])
  }

  fileprivate mutating func binary(
    _ operation: BinaryOperation, _ a: String, _ b: String
  ) -> String {
    append("BinaryOp", [a, b], [0: .integer(operation.rawValue)])
  }

  fileprivate mutating func binary(
    _ operation: BinaryOperation, _ a: String, _ number: Double
  ) -> String {
    append(
      "BinaryOp", [a], [0: .integer(operation.rawValue), 1: .integer(1), 2: .float(number)])
  }

  /// A reduction that keeps its axes.
  fileprivate mutating func reduce(
    _ operation: ReductionOperation, _ value: String, axes: [Int]
  ) -> String {
    append(
      "Reduction", [value],
      [
        0: .integer(operation.rawValue), 1: .integer(0), 3: .integers(axes), 4: .integer(1),
        // Axes are counted as this does it since 2020.
        5: .integer(1),
      ])
  }
}
