import Conversion
import Tensors

extension QuantizationReport {
  /// How many weights are int8, and what that changes of each kernel, most first.
  var rows: [String] {
    let inSteps = layers.filter { $0.elementType == .int8 }
    let corrected = inSteps.count(where: \.isCorrected)
    var lines = [
      row(
        "int8",
        "\(grouped(inSteps.count)) of \(count(layers.count, "layer")); "
          + (corrected > 0
            ? "\(count(corrected, "bias", "biases")) corrected" : "biases as they were")
          + "; signal to noise of each, in dB:")
    ]
    let worstFirst = layers.enumerated().sorted {
      ($0.element.signalToNoise ?? .infinity, $0.offset)
        < ($1.element.signalToNoise ?? .infinity, $1.offset)
    }
    for (_, layer) in worstFirst {
      let ratio = layer.signalToNoise.map { "\(($0 * 10).rounded() / 10)" } ?? "exact"
      let padding = String(repeating: " ", count: max(0, 6 - ratio.count))
      lines.append(
        row(
          "",
          padding + ratio + "  " + layer.name.shown
            + (layer.elementType == .int8 ? "" : "  (kept in \(layer.elementType.rawValue))")))
    }
    return lines
  }
}
