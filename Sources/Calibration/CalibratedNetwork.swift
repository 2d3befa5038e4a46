package import Checkpoints
package import Graphs
package import Inference
internal import Naming
package import Reparameterization
package import Tensors

/// A network in deploy form that computes in int8, made of one that computes in float32 and of images.
///
/// 1. Weights become steps of one scale for each output channel, the largest magnitude over 127; nothing
///    is clipped.
/// 2. Values that layers take and give become steps that reach from the smallest to the largest number
///    that the images make.
/// 3. Layer by layer, with all before it in int8 already, what rounding changes of the mean of each
///    channel is taken off its bias (Nagel et al. 2019, arXiv:1906.04721, appendix D).
///
/// All sums over images are taken in float64 and in their order, so the result does not depend on the number
/// of threads.
package struct CalibratedNetwork {
  /// Those of the network, weights in steps and biases corrected.
  package var tensors: [DeployTensor]
  package var integers: IntegerArithmetic
  package var report: CalibrationReport

  /// Images that are computed at a time.
  static let batch = 16
  /// Images that biases are corrected with, and layers are judged by, at most: they are in memory, between
  /// two layers, all at once.
  static let imagesForBiases = 64
  static let imagesForJudgement = 16

  /// - Parameters:
  ///   - names: of the tensors.
  ///   - path: of the network's file, for errors; `imagesPath` likewise.
  ///   - channels: of the images, if they are known.
  ///   - progress: called with the number of layers done since the last call, and once, with 0 and the
  ///     total, before the first.
  /// - Throws: `CalibrationError`, `InferenceError`, `ReadError`.
  package init(
    _ graph: Graph, _ tensors: [DeployTensor], names: [Name], channels: Int?,
    images: NetworkInput, path: String, imagesPath: String, limits: ReadingLimits,
    _ options: CalibrationOptions,
    progress: (_ done: Int, _ total: Int?) -> Void = { _, _ in }
  ) throws {
    if images.count < CalibrationOptions.leastImages, !options.allowsFewImages || images.count == 0
    {
      throw CalibrationError.tooFewImages(
        path: imagesPath, found: images.count, least: CalibrationOptions.leastImages)
    }
    let tensors =
      options.hasOneScalePerTensor
      ? try equalized(tensors, of: graph) : tensors
    let network = try StepwiseNetwork(graph, tensors, channels: channels, limits: limits)
    let computation = try network.computation(
      height: images.shape[1], width: images.shape[2], images: Self.batch,
      channels: images.shape[0], threads: options.threads)
    let layers = graph.integerLayers
    guard !layers.isEmpty else { throw CalibrationError.noLayers(path: path) }
    let weightNames = layers.map { names[$0.weight] }
    var kept = try Self.kept(layers, graph, weightNames, path: path, options)
    let passes = options.keptCount > 0 || options.keptBelow != nil ? 3 : 2
    progress(0, passes * layers.count)

    let forBiases = try images.spread(Self.imagesForBiases, Self.batch, options.threads)
    let ranges = try Ranges(
      computation, layers, forBiases, of: images, path: path, options.threads)
    let weights = try WeightSteps(layers, tensors, options)

    func integerNetwork() throws -> IntegerNetwork {
      try IntegerNetwork(
        computation, layers.filter { !kept.contains($0.node) }, tensors, weights, ranges,
        margin: CalibrationOptions.margin(images: images.count), options, images: forBiases
      ) { progress($0, nil) }
    }
    var integer = try integerNetwork()
    let judgement = try Judgement(
      of: integer, images.spread(Self.imagesForJudgement, Self.batch, options.threads), options
    ) { progress($0, nil) }
    let worst = integer.layers.map(\.node).filter { judgement.alone[$0] != nil }.sorted {
      (judgement.alone[$0]!, $0) < (judgement.alone[$1]!, $1)
    }
    let found =
      Set(worst.prefix(options.keptCount))
      .union(worst.filter { judgement.alone[$0]! < options.keptBelow ?? -.infinity })
    if !found.isEmpty {
      kept.formUnion(found)
      integer = try integerNetwork()
    }
    self.integers = integer.arithmetic
    self.tensors = tensors
    for layer in integer.layers {
      guard case .numbers(let numbers) = tensors[layer.weight].contents else { continue }
      self.tensors[layer.weight].contents = .steps(
        numbers, scales: integer.weights.scales[layer.node]!)
    }
    for (node, bias) in integer.correctedBiases {
      let tensor = layers.first { $0.node == node }!.bias!
      self.tensors[tensor].contents = .numbers(
        try Tensor(float32: bias, shape: [bias.count], name: names[tensor]))
    }
    report = CalibrationReport(
      target: options.target, images: images.count,
      margin: CalibrationOptions.margin(images: images.count),
      hasOneScalePerTensor: options.hasOneScalePerTensor,
      layers: zip(layers, weightNames).map { layer, name in
        CalibrationReport.Layer(
          name: name, elementType: kept.contains(layer.node) ? .float32 : .int8,
          alone: judgement.alone[layer.node].finite,
          cumulative: judgement.cumulative[layer.node].finite,
          isCorrected: integer.correctedBiases[layer.node] != nil)
      },
      signalToNoise: Optional(integer.signalToNoise).finite)
  }

  /// The nodes of the layers that are named.
  private static func kept(
    _ layers: [IntegerLayer], _ graph: Graph, _ names: [Name], path: String,
    _ options: CalibrationOptions
  ) throws -> Set<Int> {
    var kept: Set<Int> = []
    for wanted in options.keptLayers.map({ Name($0) }) {
      let found = zip(layers, names).filter { layer, name in
        name == wanted || name == "\(wanted).weight" || graph.nodes[layer.node].block == wanted
      }
      guard !found.isEmpty else {
        throw CalibrationError.noLayer(
          path: path, name: wanted, nearest: nearestNames(to: wanted, in: names))
      }
      kept.formUnion(found.map(\.0.node))
    }
    return kept
  }
}

extension Double? {
  fileprivate var finite: Double? { flatMap { $0.isFinite ? $0 : nil } }
}

extension NetworkInput {
  /// So many of the images at most, from the first to the last as far from each other as can be, in
  /// batches.
  func spread(_ most: Int, _ batch: Int, _ threads: Threads) throws -> [ImageBatch] {
    let number = min(most, count)
    return try stride(from: 0, to: number, by: batch).map { start in
      let indices = (start..<min(start + batch, number)).map { $0 * count / number }
      return ImageBatch(
        joining: try indices.map { try self.batch($0..<$0 + 1, threads: threads) })
    }
  }
}
