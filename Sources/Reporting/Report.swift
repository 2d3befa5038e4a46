internal import Blocks
internal import Checkpoints
public import Conversion
internal import Graphs
internal import Naming
public import Proof
internal import Reparameterization
public import Tensors

/// How a report is made.
public struct ReportingOptions: Sendable {
  /// How the file is read, or, if there is one, the training checkpoint; the other is read with what applies
  /// to it.
  public var reading = ReadingOptions()
  /// BatchNorm's epsilon, for training files that do not say it.
  public var epsilon: Double?
  /// What may differ from what the training checkpoint amounts to.
  public var tolerance = Tolerance.rounding
  /// Height and width in pixels of the images that maps and costs are told of; by default what the file
  /// says, else what is usual.
  public var imageSize: Int?
  /// How many threads read weights.
  public var threads = Threads.all

  public init() {}
}

/// Says what there is to say of a network. All weights are read, in pieces: memory does not grow with them.
///
/// - Parameters:
///   - path: a training checkpoint, or a deploy network.
///   - training: the training checkpoint that `path` is to be the fused form of.
/// - Throws: `ReadError`, `NamingError`, `FusionError`; `ConversionError.notComparable` if a training
///   checkpoint is named and one of the two is not of its form.
public func report(
  _ path: String, training: String? = nil, options: ReportingOptions = ReportingOptions()
) throws -> NetworkReport {
  var reading = options.reading
  let proof = try training.map { training in
    var comparison = ComparisonOptions()
    comparison.reading = options.reading
    comparison.epsilon = options.epsilon
    comparison.tolerance = options.tolerance
    comparison.threads = options.threads
    return try verify(training, path, options: comparison)
  }
  let checkpoint = try openCheckpoint(path, family: training == nil ? reading.family : nil)
  if let proof {
    reading = reading.forSecond(checkpoint, ofFamily: proof.trainNetwork.dialect.family)
  }
  let inspected = try inspect(path, options: reading, verifying: true)
  let form = try DeployForm(
    of: checkpoint, reading, epsilon: options.epsilon,
    matched: proof?.onnx == nil ? nil : proof?.deployNetwork)
  let plan = try proof.map { try FusionPlan(of: $0, epsilon: options.epsilon) } ?? form.plan

  let (size, shapes) = try form.sizes(
    for: options.imageSize, said: inspected.input?.convention.size,
    architecture: inspected.file.architecture, path: path)
  let layers = try form.layers(
    fusedFrom: plan, proof?.verification, shapes: shapes, threads: options.threads)
  let blocks = try concurrentMap(
    of: plan?.blocks ?? [], largestFirst: \.kernel.shape.elementCount,
    threads: options.threads
  ) { block, _ in
    ReportedBlock(
      path: block.path, family: block.address.family.name, shape: block.kernel.shape,
      branches: try block.branchShares(),
      proof: proof?.verification.blocks.first { $0.path == block.path })
  }
  return NetworkReport(
    source: inspected.file, train: proof?.train,
    digest: try checkpoint.file.map(fileDigest) ?? fileDigest(path),
    trainDigest: try training.map(fileDigest),
    contentDigest: inspected.contentDigest,
    parameters: inspected.parameters, deployParameters: inspected.deployParameters,
    multiplyAdds: shapes.flatMap { form.multiplyAdds($0) }, imageSize: size,
    input: inspected.input, metadata: inspected.metadata, provenance: inspected.provenance,
    epsilons: plan?.epsilons ?? [],
    drawing: form.graph.map { NetworkDrawing($0, weights: form.weights, shapes: shapes) },
    reason: form.reason,
    layers: layers, blocks: blocks, proof: proof,
    notes: inspected.file.notes + (proof?.train.notes ?? form.plan?.allNotes ?? []))
}

extension FusionPlan {
  /// What the training checkpoint of a proof amounts to, as it was compared.
  fileprivate init(of proof: VerifyReport, epsilon: Double?) throws {
    try self.init(
      proof.trainNetwork, epsilon: epsilon,
      isForGraph: proof.onnx != nil || proof.deployNetwork.foldsMoreThanProject)
  }
}

extension DeployForm {
  /// The height and width of images, and the shapes of all values for them; nil of both if there is no graph
  /// or nothing is known that it takes.
  ///
  /// - Parameters:
  ///   - asked: what was asked for.
  ///   - said: by the file.
  /// - Throws: `ConversionError.sizeDoesNotFit` of a size that was asked for.
  fileprivate func sizes(
    for asked: Int?, said: Int?, architecture: String?, path: String
  ) throws(ConversionError) -> (size: Int?, shapes: [ValueShape]?) {
    guard let graph else { return (nil, nil) }
    let size =
      asked ?? said ?? graph.usualImageSize(of: architecture, channels: nil, tensors: types)
    do {
      return (size, try shapes(imageSize: size))
    } catch {
      if asked != nil { throw .sizeDoesNotFit(path: path, size: size, error) }
      return (nil, nil)
    }
  }
}
