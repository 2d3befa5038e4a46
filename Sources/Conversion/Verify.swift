package import Blocks
package import Checkpoints
internal import Naming
internal import ONNX
public import Proof
internal import RVD
internal import Reparameterization
public import Tensors
public import Topologies

/// How two files are to be compared.
public struct ComparisonOptions: Sendable {
  /// Of the first file; the second is read with what applies to it, see `ReadingOptions.forSecond`.
  public var reading = ReadingOptions()
  /// What the training network must be.
  public var architecture: Architecture?
  /// BatchNorm's epsilon, for training files that do not say it.
  public var epsilon: Double?
  /// What may differ.
  public var tolerance = Tolerance.rounding
  /// How many threads compare.
  public var threads = Threads.all

  public init() {}
}

/// Recomputes every block of a training checkpoint and compares the result with a deploy file.
///
/// - Throws: `ReadError`, `NamingError`, `FusionError`; `ConversionError.notComparable` if one of the
///   files is not of its form.
public func verify(
  _ train: String, _ deploy: String, options: ComparisonOptions = ComparisonOptions()
) throws -> VerifyReport {
  let report = try verifyAsRead(train, deploy, options: options)
  guard !report.holds else { return report }
  // The project may have another deploy form, of which names say nothing.
  let family = report.trainNetwork.dialect.family
  for dialect in Dialect.onRequest where dialect.family == family {
    var options = options
    options.reading.dialects.append(dialect)
    let other = try verifyAsRead(train, deploy, options: options)
    if other.holds { return other }
  }
  return report
}

private func verifyAsRead(
  _ train: String, _ deploy: String, options: ComparisonOptions
) throws -> VerifyReport {
  let checkpoint = try openCheckpoint(
    train, family: options.reading.family, limits: options.reading.limits)
  let network = try Network(recognising: checkpoint, options.reading)
  let deployCheckpoint = try openCheckpoint(deploy, limits: options.reading.limits)
  if deployCheckpoint.isONNX {
    try network.requireKnownBlocks()
    guard network.form != .deploy || !network.blocksLeftByProject.isEmpty else {
      throw ConversionError.notComparable(path: network.path, .nothingToFuse)
    }
    let plan = try FusionPlan(
      network, architecture: options.architecture, epsilon: options.epsilon, isForGraph: true)
    return try verify(checkpoint, plan, onnx: deployCheckpoint, options)
  }
  let deployNetwork = try Network(
    recognising: deployCheckpoint,
    options.reading.forSecond(deployCheckpoint, ofFamily: network.dialect.family),
    asFormOf: network)
  try network.requireKnownBlocks()
  try requireForms(network, deployNetwork)

  let plan = try FusionPlan(
    network, architecture: options.architecture, epsilon: options.epsilon,
    isForGraph: deployNetwork.foldsMoreThanProject)
  let verification = try Verification(
    of: plan, epsilon: options.epsilon, in: deployNetwork,
    biasCorrection: deployCheckpoint.model?.biasCorrection ?? .none, tolerance: options.tolerance,
    threads: options.threads)

  var report = VerifyReport(
    train: FileSummary(checkpoint, network, tensors: []),
    deploy: FileSummary(deployCheckpoint, deployNetwork, tensors: []), trainNetwork: network,
    deployNetwork: deployNetwork, tolerance: options.tolerance, epsilons: plan.epsilons,
    epsilonSource: epsilonSource(network, given: options.epsilon), verification: verification,
    dropped: DroppedTensors.grouped(plan.dropped))
  report.train.notes += plan.allNotes
  try report.require(options.reading)
  try report.train.verifyChecksums(of: network.parameters.map(\.tensor))
  try report.deploy.verifyChecksums(of: deployNetwork.parameters.map(\.tensor))
  if !verification.holds {
    report.matchingStateDict = try otherStateDict(of: checkpoint, network, options) { other in
      try Verification(
        of: FusionPlan(
          other, epsilon: options.epsilon, isForGraph: deployNetwork.foldsMoreThanProject),
        epsilon: options.epsilon, in: deployNetwork,
        biasCorrection: deployCheckpoint.model?.biasCorrection ?? .none,
        tolerance: options.tolerance, threads: options.threads
      ).holds
    }
  }
  return report
}

/// Compares what `plan` makes of a checkpoint with an ONNX file, whose layers are known by their places in its graph and by their values: names
/// are those of the exporter.
func verify(
  _ checkpoint: Checkpoint, _ plan: FusionPlan, onnx deploy: Checkpoint,
  _ options: ComparisonOptions
) throws -> VerifyReport {
  let network = plan.network
  let file = try ONNXFile(InputFile(path: deploy.path, limits: options.reading.limits))
  let matching = try ONNXMatching(file, deploy, to: plan)
  // How biases make up for steps is said in files of this program alone.
  let said = file.metadata.first { $0.key == ONNXWriter.descriptionKey }.flatMap {
    try? ModelDescription(portableText: $0.value)
  }
  let correction = said?.biasCorrection ?? .none
  func compare(_ plan: FusionPlan) throws -> Verification {
    var verification = try Verification(
      of: plan, epsilon: options.epsilon, in: matching.network, biasCorrection: correction,
      steps: matching.steps,
      tolerance: options.tolerance, threads: options.threads)
    // What was folded into others is no tensor any more.
    for index in verification.missing.indices {
      verification.missing[index].names.removeAll(where: matching.folded.contains)
    }
    verification.missing.removeAll { $0.names.isEmpty }
    if (try? plan.structure.get()) != nil {
      verification.unexpected += matching.summary.unexpected
    }
    return verification
  }
  let verification = try compare(plan)
  var report = VerifyReport(
    train: FileSummary(checkpoint, network, tensors: []),
    deploy: FileSummary(deploy, matching.network, tensors: []), trainNetwork: network,
    deployNetwork: matching.network, tolerance: options.tolerance, epsilons: plan.epsilons,
    epsilonSource: epsilonSource(network, given: options.epsilon), verification: verification,
    dropped: DroppedTensors.grouped(plan.dropped))
  report.onnx = matching.summary
  report.deploy.kernelTypes = matching.kernelTypes
  // Names say nothing of what is missing: the graph does.
  report.deploy.notes.removeAll { if case .damaged = $0 { true } else { false } }
  report.train.notes += plan.allNotes
  try report.require(options.reading)
  try report.train.verifyChecksums(of: network.parameters.map(\.tensor))
  if !verification.holds {
    report.matchingStateDict = try otherStateDict(of: checkpoint, network, options) { other in
      try compare(
        try FusionPlan(other, epsilon: options.epsilon, isForGraph: true)
      ).holds
    }
  }
  return report
}

extension VerifyReport {
  /// Throws if a file is not as the options want it; whole has to be the training checkpoint.
  fileprivate func require(_ options: ReadingOptions) throws(ConversionError) {
    try train.require(options)
    var options = options
    options.requiresWhole = false
    try deploy.require(options)
  }
}

extension ReadingOptions {
  /// For the second of two files: the same dialects, the same key if it has such, but neither rules
  /// for names nor a family that it must be of.
  ///
  /// - Parameter family: that the first file is of: names of deploy forms can be those of several.
  package func forSecond(_ checkpoint: Checkpoint, ofFamily family: BlockFamily? = nil)
    -> ReadingOptions
  {
    var options = ReadingOptions()
    options.limits = limits
    options.dialects = dialects.filter { family == nil || $0.family == family }
    options.key = (try? checkpoint.stateDicts(called: key)) == nil ? nil : key
    return options
  }
}

/// Who says the epsilons of a fusion.
func epsilonSource(_ network: Network, given: Double?) -> EpsilonSource {
  if network.parameters.contains(where: { network.module(of: $0)?.epsilon != nil }) {
    return .file
  }
  return given != nil ? .given : .dialect
}

private func requireForms(_ train: Network, _ deploy: Network) throws {
  switch (train.form, deploy.form) {
  // A deploy form of the project's own, of which more was folded.
  case (.deploy, .deploy)
  where !train.blocksLeftByProject.isEmpty && deploy.foldsMoreThanProject: break
  case (.deploy, .train):
    throw ConversionError.notComparable(path: train.path, .exchanged(other: deploy.path))
  case (.deploy, _): throw ConversionError.notComparable(path: train.path, .nothingToFuse)
  case (_, .train): throw ConversionError.notComparable(path: deploy.path, .notFused)
  default: break
  }
}

/// The first of the checkpoint's other state dicts that `isRight`: often the averaged weights were fused, or
/// were not.
private func otherStateDict(
  of checkpoint: Checkpoint, _ network: Network, _ options: ComparisonOptions,
  where isRight: (Network) throws -> Bool
) throws -> Name? {
  let limit = 8  // Files with more hold something else.
  for dict in checkpoint.stateDicts.prefix(limit) where dict.path != network.stateDict.path {
    let key = dict.path.joined(separator: ".")
    var reading = options.reading
    reading.key = key.text
    guard let other = try? Network(recognising: checkpoint, reading), (try? isRight(other)) == true
    else { continue }
    return key
  }
  return nil
}
