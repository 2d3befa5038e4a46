internal import Graphs
internal import Inference
internal import Tensors

/// What images make of a network in float32.
struct Ranges {
  /// By value, the smallest and the largest number.
  private(set) var bounds: [Int: ClosedRange<Float>] = [:]
  /// By node of a layer, the mean of each channel of what it gives, over the images that biases are
  /// corrected with.
  private(set) var means: [Int: [Double]] = [:]

  /// What the network makes of those images.
  private(set) var results: [NetworkValue] = []

  /// - Parameters:
  ///   - forBiases: some of `images`.
  ///   - path: of the network's file, for errors.
  init(
    _ computation: StepwiseComputation, _ layers: [IntegerLayer], _ forBiases: [ImageBatch],
    of images: NetworkInput, path: String, _ threads: Threads
  ) throws {
    let graph = computation.network.graph
    let wanted = Set(layers.flatMap { [$0.input] + ($0.output.map { [$0] } ?? []) })
    let nodes = Set(layers.map(\.node))
    var (sums, positions) = ([Int: [Double]](), [Int: Int]())
    func look(at batch: ImageBatch, takingMeans: Bool) throws -> NetworkValue {
      try computation.run(batch) { value, result in
        if wanted.contains(value) || value == graph.result {
          guard let found = result.bounds else {
            throw CalibrationError.notFinite(path: path, place: graph.place(of: value))
          }
          let known = bounds[value] ?? found
          bounds[value] =
            min(known.lowerBound, found.lowerBound)...max(known.upperBound, found.upperBound)
        }
        if takingMeans, nodes.contains(value - 1) {
          sums[value - 1] = sums[value - 1].map { zip($0, result.sums).map(+) } ?? result.sums
          positions[value - 1, default: 0] += result.positions
        }
      }
    }
    for batch in forBiases { results.append(try look(at: batch, takingMeans: true)) }
    if images.count > forBiases.reduce(0, { $0 + $1.count }) {
      for start in stride(from: 0, to: images.count, by: CalibratedNetwork.batch) {
        let range = start..<min(start + CalibratedNetwork.batch, images.count)
        _ = try look(at: images.batch(range, threads: threads), takingMeans: false)
      }
    }
    for (node, sums) in sums { means[node] = sums.map { $0 / Double(positions[node]!) } }
  }
}

extension Graph {
  /// What to call a value in an error.
  fileprivate func place(of value: Int) -> String {
    guard value > 0 else { return "the input" }
    return nodes[value - 1].block.map(printable) ?? "operation \(value - 1)"
  }
}

extension StepwiseComputation {
  /// Computes all values in order, and lets go of each when it is not needed any more.
  ///
  /// - Returns: the network's result.
  func run(
    _ images: ImageBatch, _ look: (_ value: Int, NetworkValue) throws -> Void
  ) rethrows -> NetworkValue {
    let (graph, lastUses) = (network.graph, network.graph.lastUses)
    var values = [Graph.input: input(images)]
    try look(Graph.input, values[Graph.input]!)
    for (index, node) in graph.nodes.enumerated() {
      let result = value(of: index, node.inputs.map { values[$0]! })
      try look(index + 1, result)
      for input in node.inputs where lastUses[input] == index { values[input] = nil }
      values[index + 1] = result
    }
    return values[graph.result]!
  }
}
