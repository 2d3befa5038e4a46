internal import Checkpoints
internal import Graphs
internal import Inference
internal import Reparameterization
internal import Tensors

/// A network some of whose layers compute in integers, as far as float32 can tell what they make.
struct IntegerNetwork {
  let computation: StepwiseComputation
  /// Those that compute in integers.
  let layers: [IntegerLayer]
  private(set) var weights: WeightSteps
  private(set) var arithmetic = IntegerArithmetic()
  /// By node of a layer whose bias was changed.
  private(set) var correctedBiases: [Int: [Float]] = [:]
  /// By node, those of `layers`.
  private(set) var byNode: [Int: (layer: IntegerLayer, computed: StepwiseLayer)] = [:]
  /// The power of what the network gives in float32 over that of what is different, in decibels, over the
  /// images that biases were corrected with.
  private(set) var signalToNoise = Double.infinity

  /// - Parameters:
  ///   - layers: in order.
  ///   - ranges: of the images, `margin` what they are multiplied by.
  ///   - images: those that the means of `ranges` are of.
  ///   - progress: called with the number of layers done since the last call.
  init(
    _ computation: StepwiseComputation, _ layers: [IntegerLayer], _ tensors: [DeployTensor],
    _ weights: WeightSteps, _ ranges: Ranges, margin: Double, _ options: CalibrationOptions,
    images: [ImageBatch], progress: (Int) -> Void
  ) throws {
    self.computation = computation
    self.layers = layers
    self.weights = weights
    arithmetic.hasIntegerBiases = options.target == .cpu
    arithmetic.hasOneScalePerTensor = options.hasOneScalePerTensor
    if let target = options.target {
      for value in layers.flatMap({ [$0.input, $0.output ?? $0.input] }) {
        arithmetic.values[value] = IntegerArithmetic.Steps(
          of: ranges.bounds[value]!, margin: value == Graph.input ? 1 : margin, for: target)
      }
    }
    let graph = computation.network.graph
    let biasUses = graph.nodes.compactMap { node in
      node.kind == .convolution || node.kind == .linear ? node.operand("bias") : nil
    }
    var waiting = Dictionary(uniqueKeysWithValues: layers.map { ($0.node, $0) })
    var streams = images.map { Stream(computation, $0, arithmetic) }
    for index in graph.nodes.indices {
      guard let layer = waiting.removeValue(forKey: index) else {
        for stream in streams.indices { streams[stream].advance() }
        continue
      }
      let bias = try layer.bias.map { try tensors[$0].doubles().map { Float($0) } }
      let inputScale = arithmetic.values[layer.input]?.scale ?? 1
      if let bias, arithmetic.hasIntegerBiases {
        self.weights.makeRoom(
          for: bias, of: layer, inputScale: inputScale, asOne: options.hasOneScalePerTensor)
      }
      let scales = self.weights.scales[index]!
      let rounded = try tensors[layer.weight].rounded(toStepsOf: scales)
      var computed = try computation.network.layer(of: index, weights: rounded, bias: bias)
      var results = streams.map { $0.result(by: computed) }
      if let bias {
        var corrected = bias
        if options.correctsBiases, biasUses.count(where: { $0 == layer.bias }) == 1 {
          let means = Self.means(of: results)
          corrected = bias.indices.map { channel in
            Float(Double(bias[channel]) + ranges.means[index]![channel] - means[channel])
          }
          correctedBiases[index] = corrected
        }
        if arithmetic.hasIntegerBiases {
          corrected = zip(corrected, scales).map { number, scale in
            let step = inputScale * scale
            return (number / step).rounded(.toNearestOrEven) * step
          }
        }
        let shifts = zip(corrected, bias).map { $0 - $1 }
        results = results.map { $0.adding(shifts) }
        computed = try computation.network.layer(of: index, weights: rounded, bias: corrected)
      }
      byNode[index] = (layer, computed)
      for (stream, result) in results.enumerated() { streams[stream].advance(with: result) }
      progress(1)
    }
    var (signal, noise) = (0.0, 0.0)
    for (stream, exact) in zip(streams, ranges.results) {
      let powers = exact.power(andOfNoiseIn: stream.values[graph.result]!)
      signal += powers.signal
      noise += powers.noise
    }
    signalToNoise = decibels(signal, noise)
  }

  /// Of each channel, over all positions.
  static func means(of values: [NetworkValue]) -> [Double] {
    var sums = values[0].sums
    for value in values.dropFirst() { sums = zip(sums, value.sums).map(+) }
    let positions = values.reduce(0) { $0 + $1.positions }
    return sums.map { $0 / Double(positions) }
  }
}

/// The values of a network that are still needed, up to one of its nodes.
struct Stream {
  private let computation: StepwiseComputation
  private let lastUses: [Int]
  /// Those that are rounded as soon as they are there.
  private let rounded: [Int: IntegerArithmetic.Steps]
  private(set) var values: [Int: NetworkValue]
  /// The node that comes next.
  private(set) var next = 0

  init(
    _ computation: StepwiseComputation, _ images: ImageBatch,
    _ arithmetic: IntegerArithmetic = IntegerArithmetic()
  ) {
    self.computation = computation
    lastUses = computation.network.graph.lastUses
    rounded = arithmetic.values
    values = [:]
    keep(computation.input(images), as: Graph.input)
  }

  /// The values that a node takes.
  var inputs: [NetworkValue] {
    computation.network.graph.nodes[next].inputs.map { values[$0]! }
  }

  /// What the next node makes of them.
  func result(by layer: StepwiseLayer? = nil) -> NetworkValue {
    computation.value(of: next, inputs, by: layer)
  }

  /// Goes past the next node.
  ///
  /// - Parameter result: what it gives; nil for what it makes of its inputs.
  mutating func advance(with result: NetworkValue? = nil) {
    let result = result ?? self.result()
    for value in computation.network.graph.nodes[next].inputs where lastUses[value] == next {
      values[value] = nil
    }
    next += 1
    keep(result, as: next)
  }

  private mutating func keep(_ result: NetworkValue, as value: Int) {
    values[value] = rounded[value].map { result.rounded(to: $0) } ?? result
  }

  /// The network's result, if the next node gives `result`, all others compute in float32, and one value
  /// is rounded.
  func finish(
    with result: NetworkValue, rounding value: Int?, to steps: IntegerArithmetic.Steps?
  ) -> NetworkValue {
    let graph = computation.network.graph
    var (values, index, result) = (values, next, result)
    while true {
      if index + 1 == value, let steps { result = result.rounded(to: steps) }
      for input in graph.nodes[index].inputs where lastUses[input] == index { values[input] = nil }
      values[index + 1] = result
      index += 1
      guard index < graph.nodes.count else { return result }
      result = computation.value(of: index, graph.nodes[index].inputs.map { values[$0]! })
    }
  }
}
