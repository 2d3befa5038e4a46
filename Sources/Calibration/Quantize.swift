internal import Checkpoints
public import Conversion
internal import Graphs
public import Inference
internal import Tensors

/// What `quantize` should do.
public struct QuantizeOptions: Sendable {
  /// How the network is read.
  public var reading = ReadingOptions()
  /// How the output is written; its weights are int8.
  public var writing = WritingOptions()
  /// BatchNorm's epsilon, for files that do not say it.
  public var epsilon: Double?
  /// What is known of the network's input, but for the size, which is that of the images.
  public var input = GivenInput()
  /// What people want to know of the model.
  public var metadata = GivenMetadata()
  /// How it becomes integers.
  public var calibration = CalibrationOptions()

  public init() {}
}

/// What `quantize` did.
public struct QuantizeReport: Encodable, Sendable {
  /// The network.
  public var source: FileSummary
  /// What was written.
  public var output: OutputSummary
  /// What ranges and means are from.
  public var images: ImageSelection
  /// What became of its layers.
  public var calibration: CalibrationReport
  /// What should be said of it.
  public var notes: [Note]
}

/// Makes a network compute in int8: fuses it, if it is in training form, finds the steps of its weights and
/// values by images, corrects its biases, and writes it.
///
/// - Parameters:
///   - form: the network's, as `RunnableNetwork` tells it.
///   - images: ready for this network.
///   - progress: called with the number of layers done since the last call, and once, with 0 and the total,
///     before the first.
/// - Throws: `CalibrationError`, and what `fuse` and `rewrite` do.
public func quantize(
  _ source: String, in form: RunnableNetwork.Form, to output: String, images: ImageSelection,
  options: QuantizeOptions = QuantizeOptions(),
  progress: @escaping (_ done: Int, _ total: Int?) -> Void = { _, _ in }
) throws -> QuantizeReport {
  let format = try OutputFormat.forPath(output, named: options.writing.format)
  let place =
    switch images.source {
    case .array(let path, _): path
    case .pictures(let folder, _): folder ?? "the pictures"
    case .random: "random numbers"
    }
  let (height, width) = (images.input.shape[1], images.input.shape[2])
  let size = options.input.size ?? height
  guard height == size, width == size else {
    throw CalibrationError.otherSize(path: place, height: height, width: width, expected: size)
  }
  var calibration = options.calibration
  if !format.isGraph { calibration.target = nil }
  var input = options.input
  input.size = size
  var report: CalibrationReport?
  func change(_ network: DeployNetwork) throws -> ChangedNetwork {
    let result = try CalibratedNetwork(
      network.graph, network.tensors, names: network.names, channels: network.input?.mean.count,
      images: images.input, path: source, imagesPath: place, limits: options.reading.limits,
      calibration, progress: progress)
    report = result.report
    return ChangedNetwork(
      tensors: result.tensors, integers: calibration.target.map { _ in result.integers },
      biasCorrection: result.report.correctsBiases ? Provenance.calibrationImages : nil)
  }
  switch form {
  case .train:
    var fusing = FuseOptions()
    fusing.reading = options.reading
    fusing.writing = options.writing
    fusing.epsilon = options.epsilon
    fusing.input = input
    fusing.metadata = options.metadata
    let fused = try fuse(source, to: output, options: fusing, changing: change)
    return QuantizeReport(
      source: fused.source, output: fused.output, images: images, calibration: report!,
      notes: fused.source.notes + fused.notes)
  case .deploy:
    var rewriting = RewriteOptions()
    rewriting.reading = options.reading
    rewriting.writing = options.writing
    rewriting.input = input
    rewriting.metadata = options.metadata
    let written = try rewrite(source, to: output, options: rewriting, changing: change)
    return QuantizeReport(
      source: written.source, output: written.output, images: images, calibration: report!,
      notes: written.source.notes + written.notes)
  }
}
