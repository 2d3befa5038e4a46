internal import Checkpoints
internal import Graphs
internal import Inference
internal import Reparameterization
internal import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// How much the layers of a network that compute in integers change its result.
struct Judgement {
  /// By node, if it alone does, in decibels.
  private(set) var alone: [Int: Double] = [:]
  /// By node, if it and all before it do.
  private(set) var cumulative: [Int: Double] = [:]

  /// - Parameter progress: called with the number of layers done since the last call.
  init(
    of network: IntegerNetwork, _ images: [ImageBatch], _ options: CalibrationOptions,
    progress: (Int) -> Void
  ) throws {
    let (computation, arithmetic) = (network.computation, network.arithmetic)
    let graph = computation.network.graph
    var exact = images.map { Stream(computation, $0) }
    var integer = images.map { Stream(computation, $0, arithmetic) }
    var results = exact.map { _ in [NetworkValue]() }
    for index in graph.nodes.indices {
      let exactResults = exact.map { $0.result() }
      guard let (layer, computed) = network.byNode[index] else {
        for batch in images.indices {
          exact[batch].advance(with: exactResults[batch])
          integer[batch].advance()
        }
        continue
      }
      let steps = layer.output.flatMap { arithmetic.values[$0] }
      var alone = exact.map { stream in
        let input = stream.inputs[0]
        let rounded = arithmetic.values[layer.input].map { input.rounded(to: $0) } ?? input
        return computation.value(of: index, [rounded], by: computed)
      }
      if network.correctedBiases[index] != nil {
        // The bias makes up for what is before it as well, which now computes in float32.
        let means = IntegerNetwork.means(of: exactResults)
        let shifts = zip(means, IntegerNetwork.means(of: alone)).map { Float($0 - $1) }
        alone = alone.map { $0.adding(shifts) }
      }
      let integerResults = integer.map { $0.result(by: computed) }
      for batch in images.indices {
        results[batch] += [
          exact[batch].finish(with: alone[batch], rounding: layer.output, to: steps),
          integer[batch].finish(with: integerResults[batch], rounding: layer.output, to: steps),
        ]
        exact[batch].advance(with: exactResults[batch])
        integer[batch].advance(with: integerResults[batch])
      }
      progress(1)
    }
    for (position, layer) in network.layers.enumerated() {
      func ratio(_ which: Int) -> Double {
        var (signal, noise) = (0.0, 0.0)
        for batch in images.indices {
          let powers = exact[batch].values[graph.result]!.power(
            andOfNoiseIn: results[batch][2 * position + which])
          signal += powers.signal
          noise += powers.noise
        }
        return decibels(signal, noise)
      }
      alone[layer.node] = ratio(0)
      cumulative[layer.node] = ratio(1)
    }
  }
}

/// The ratio of two powers; infinite if there is no noise.
func decibels(_ signal: Double, _ noise: Double) -> Double {
  noise > 0 ? 10 * log10(signal / noise) : .infinity
}
