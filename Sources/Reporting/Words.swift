internal import Conversion
internal import Graphs
internal import Tensors

/// What people call the kinds of nodes.
let operationWords: [NodeKind: String] = [
  .convolution: "Conv", .linear: "Linear", .add: "Add", .multiply: "Multiply", .scale: "Scale",
  .batchNorm: "BatchNorm", .layerNorm: "LayerNorm", .globalResponseNorm: "GRN",
  .attention: "Attention", .concatenate: "Concatenate", .flatten: "flatten",
  .globalAveragePool: "Global average pool", .averagePool: "Average pool", .maxPool: "Max pool",
  .upsampleNearest: "Upsample", .pixelShuffle: "Pixel shuffle", .relu: "ReLU", .relu6: "ReLU6",
  .prelu: "PReLU", .sigmoid: "sigmoid", .silu: "SiLU", .tanh: "tanh", .gelu: "GELU",
  .geluTanh: "GELU (tanh)", .hardSigmoid: "hard sigmoid", .hardSwish: "hard swish",
  .softmax: "softmax",
]

/// `Conv` of `convolution`.
func word(for operation: String) -> String {
  NodeKind(named: operation).flatMap { operationWords[$0] } ?? operation
}

extension NetworkDrawing.Step {
  /// `Conv 3×3`.
  var title: String {
    operation == "input"
      ? "Input"
      : word(for: operation) + (kernel.map { " \($0[0])×\($0[1])" } ?? "")
  }

  /// `stride 2, 4 groups`.
  var settings: String {
    var parts: [String] = []
    if let stride, stride != [1, 1] {
      parts.append(
        "stride " + (stride[0] == stride[1] ? "\(stride[0])" : "\(stride[0])×\(stride[1])"))
    }
    if isDepthwise {
      parts.append("depthwise")
    } else if let groups, groups > 1 {
      parts.append("\(groups) groups")
    }
    return parts.joined(separator: ", ")
  }

  /// `48 → 96`.
  var channels: String {
    let before = inputChannels.map(String.init) ?? "?"
    let after = outputChannels.map(String.init) ?? "?"
    return kernel != nil && operation == NodeKind.convolution.name
      || operation == NodeKind.linear.name ? "\(before) → \(after)" : after
  }

  /// `56 × 56`; nil of what is no map, or where sizes are not known.
  var map: String? {
    guard let height, let width else { return nil }
    return "\(height) × \(width)"
  }

  /// The name of its weight less the part that all have: `stages.0.conv`.
  var layer: String {
    (weight.dropping(suffix: ".weight") ?? weight).text
  }

  /// All of it in a line.
  var summary: String {
    ([title, settings, "\(channels) channels"] + then.map(word) + [map ?? "", block?.text ?? layer])
      .filter { !$0.isEmpty }.joined(separator: ", ")
  }
}

/// `1.36 G`, `24.5 M`: three digits of large numbers.
func short(_ number: Int) -> String {
  for (unit, power) in [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)]
  where Double(number) >= power {
    let value = Double(number) / power
    let digits = value >= 100 ? 1.0 : value >= 10 ? 10.0 : 100.0
    return brief((value * digits).rounded() / digits) + " " + unit
  }
  return "\(number)"
}

/// One digit behind the point, or a dash.
func tenths(_ value: Double?) -> String {
  value.map { "\(($0 * 10).rounded() / 10)" } ?? "–"
}

/// The middle of a long text as an ellipsis.
func shortened(_ text: String, to length: Int) -> String {
  guard text.count > length else { return text }
  return "\(text.prefix(length / 2 - 1))…\(text.suffix(length - length / 2))"
}
