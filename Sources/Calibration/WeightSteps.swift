internal import Graphs
internal import Naming
internal import Reparameterization
internal import Tensors

/// The scales of the weights of layers.
struct WeightSteps {
  /// By node, one for each output channel.
  private(set) var scales: [Int: [Float]] = [:]

  init(
    _ layers: [IntegerLayer], _ tensors: [DeployTensor], _ options: CalibrationOptions
  ) throws {
    let roles = Set(layers.map { tensors[$0.weight].role })
    let quantization = try Quantization(
      of: tensors, threads: options.threads, where: roles.contains)
    let byRole = Dictionary(
      quantization.layers.map { ($0.role, $0.scales) }, uniquingKeysWith: { first, _ in first })
    for layer in layers {
      let found = byRole[tensors[layer.weight].role]!
      scales[layer.node] =
        options.hasOneScalePerTensor
        ? [Float](repeating: found.max()!, count: found.count) : found
    }
  }

  /// Makes scales of channels larger where a bias would not fit 32 bits: of channels that are all but
  /// zero beside it, which nobody will miss.
  mutating func makeRoom(
    for biases: [Float], of layer: IntegerLayer, inputScale: Float, asOne: Bool
  ) {
    // Corrected biases, which are near these, have to fit as well.
    let mostSteps: Float = 0x1p29
    let least = biases.map { ($0.magnitude / mostSteps) / inputScale }
    var result = zip(scales[layer.node]!, least).map { max($0, $1) }
    if asOne { result = [Float](repeating: result.max()!, count: result.count) }
    scales[layer.node] = result
  }
}

extension DeployTensor {
  /// All of its numbers, in float64.
  func doubles() throws -> [Double] {
    guard case .numbers(let numbers) = contents else { preconditionFailure("no numbers") }
    var workspace = Workspace()
    try numbers.compute(0..<shape.elementCount, workspace: &workspace)
    return Array(workspace.doubles.prefix(shape.elementCount))
  }

  /// What steps of scales, one for each index along the first axis, make of its numbers.
  func rounded(toStepsOf scales: [Float]) throws -> [Float] {
    let numbers = try doubles()
    let run = numbers.count / scales.count
    return numbers.indices.map { index in
      let scale = scales[index / run]
      return Float(step(nearest: numbers[index], of: scale)) * scale
    }
  }
}
