internal import Blocks
internal import CheckpointFiles
internal import Checkpoints
public import Naming
internal import Proof
internal import Reparameterization
internal import Tensors
public import Topologies

/// What `fuse` should do beside what the file itself decides.
public struct FuseOptions: Sendable {
  /// How the training checkpoint is read.
  public var reading = ReadingOptions()
  /// How the deploy file is written.
  public var writing = WritingOptions()
  /// What the network must be.
  public var architecture: Architecture?
  /// BatchNorm's epsilon, for files that do not say it.
  public var epsilon: Double?
  /// What is known of the network's input.
  public var input = GivenInput()
  /// What people want to know of the model.
  public var metadata = GivenMetadata()
  /// Whether to stop before anything is written.
  public var isDryRun = false
  /// Whether to read what was written, and to give it its name only if every block of it is what the
  /// training checkpoint amounts to, recomputed by other code than that which fused it.
  public var isVerified = false

  public init() {}
}

/// Fuses the re-parameterizable blocks of a training checkpoint and writes the deploy form.
///
/// The output appears only when it is complete and every checksum of the input that was read is right.
///
/// - Throws: `ReadError`, `NamingError`, `FusionError`, `ConversionError`, `WriteError`.
public func fuse(
  _ source: String, to output: String, options: FuseOptions = FuseOptions()
) throws -> FuseReport {
  try fuse(source, to: output, options: options, changing: nil)
}

/// Likewise, with a change of what is written.
///
/// - Parameter change: of a network that is known as a whole; nil for none.
package func fuse(
  _ source: String, to output: String, options: FuseOptions, changing change: NetworkChange?
) throws -> FuseReport {
  let format = try OutputFormat.forPath(output, named: options.writing.format)
  let checkpoint = try openCheckpoint(
    source, family: options.reading.family, limits: options.reading.limits)
  let type = options.writing.weightType ?? .float32
  try format.require(options.writing, path: output)
  if change != nil { try format.requireSteps(path: output) }
  if options.isVerified, !format.isReadable {
    throw ConversionError.notReadable(path: output, format: format.title)
  }
  var reading = options.reading
  if let names = options.writing.names, names.isOnRequest { reading.dialects.append(names) }
  let network = try Network(recognising: checkpoint, reading)
  // Where the project's own code may load the file, which asks for what its deploy form has.
  let isOwn =
    !format.isForDeploy
    && (try? format.names(for: network, options.writing.names, isWhole: false)) == network.dialect
  let plan = try FusionPlan(
    network, architecture: options.architecture, epsilon: options.epsilon, keepingBranches: isOwn,
    isForGraph: !format.isShaped)
  if format.isGraph || change != nil, plan.graph == nil {
    throw ConversionError.noGraph(
      path: source, format: format.title, reason: network.reasonForNoGraph)
  }
  let deployKernels = try plan.compareDeployKernels()
  let structure = try? plan.structure.get()

  // Of blocks inside a larger network nobody knows the input unless it is given.
  let input =
    structure == nil && options.input.isEmpty
    ? nil : KnownInput(options.input, file: checkpoint.model?.input, network.dialect)

  let metadata = try options.metadata.applied(
    to: checkpoint.model?.metadata ?? ModelMetadata(), of: source, classes: structure?.classes)

  let names = try format.names(
    for: network, options.writing.names, isWhole: structure != nil)
  var tensors = plan.deployTensors
  var quantization: QuantizationReport?
  var changed: ChangedNetwork?
  if let change {
    changed = try change(
      DeployNetwork(
        graph: plan.graph!, tensors: tensors, names: tensors.map { names.label(of: $0.role) },
        input: input?.convention))
    tensors = changed!.tensors
  }
  if type == .int8 {
    (tensors, quantization) = try quantize(
      tensors, inputMeans: plan.inputMeans, path: source, options.writing.quantization,
      threads: options.writing.threads
    ) { names.label(of: $0) }
  }
  let watch = ValueWatch()
  var model = DeployModel(
    tensors: try plan.outputTensors(
      tensors, names: names, as: type.format, isShaped: format.isShaped
    ).map(watch.watching),
    ModelDescription(
      graph: plan.graph,
      architecture: structure?.architecture?.name,
      classes: structure?.classes,
      metadata: metadata,
      input: input?.convention,
      provenance: Provenance(
        sourceSHA256: nil,
        container: checkpoint.container,
        dialect: network.dialect.name, epsilons: plan.epsilons,
        arithmetic: "float64, rounded once",
        biasCorrection: changed?.biasCorrection
          ?? (quantization?.correctsBiases == true ? Provenance.batchNormStatistics : nil),
        tool: "repconv \(repconvVersion)")))
  model.integers = changed?.integers
  var report = FuseReport(
    source: FileSummary(checkpoint, network, tensors: []),
    output: OutputSummary(
      path: output, format: format.title, dialect: names.name, tensors: model.tensors.count),
    blocks: plan.blocks.count, blocksWithIdentity: plan.blocks.count(where: \.hasIdentity),
    passedThrough: plan.steps.count - plan.blocks.count,
    trainParameters: network.trainableParameterCount,
    deployParameters: model.tensors.reduce(0) { $0 + $1.shape.elementCount },
    epsilons: plan.epsilons, epsilonSource: epsilonSource(network, given: options.epsilon),
    besideBranches: deployKernels, input: input,
    metadata: format.metadata(of: model.description),
    mapping: Mapping(
      dialect: network.dialect.name, names: names.name,
      renamings: plan.mapping(to: model.tensors), dropped: DroppedTensors.grouped(plan.dropped)),
    notes: plan.allNotes + deployKernels.differenceNotes
      + plan.epsilonNotes(given: options.epsilon, writtenAs: names)
      + (input.flatMap { format.note(leavingOut: $0.convention, names: names) } ?? [])
      + options.metadata.notes + format.notes(leavingOut: metadata),
    quantization: quantization)
  try report.source.require(options.reading, with: report.notes)
  if format.isGraph { report.output.tensors -= model.removeUnused(from: &report.mapping) }
  try model.tensors.requireUniqueNames(path: output)
  if options.isDryRun { return report }

  let (file, written) = try format.write(
    model, to: output, from: source,
    recording: options.writing.recordsSourceDigest ? checkpoint.file : nil,
    options.writing, imageSize: imageSize(options.input, model, of: structure?.description))
  report.output.take(written, options.writing)
  try verifySources(of: network.parameters.map(\.tensor))
  try watch.requireValues(as: type.format, path: source)
  if options.isVerified, written?.externalData != nil {
    // The file names the other one, which is not there yet.
    throw ConversionError.notReadable(path: output, format: "\(format.title) in two files")
  }
  if options.isVerified {
    report.verification = try verifyWritten(file, of: checkpoint, names: names, plan, options)
  }
  try file.commit(sync: options.writing.sync)
  report.output.byteCount = file.count
  report.largestWeight = LargestWeight(
    name: watch.findings.largestName, magnitude: watch.findings.largest)
  return report
}

/// Compares a complete file with what `plan` should have made, value by value.
private func verifyWritten(
  _ file: any Output, of source: Checkpoint, names: Dialect, _ plan: FusionPlan,
  _ options: FuseOptions
) throws -> Verification {
  var reading = ReadingOptions()
  // Of its family: names of deploy forms can be those of several.
  reading.dialects =
    [names] + options.reading.dialects.filter { $0 != names && $0.family == names.family }
  let checkpoint = try openCheckpoint(file.partialPath)
  func require(_ verification: Verification, comparing others: [Name] = []) throws {
    guard !verification.holds || !others.isEmpty else { return }
    throw ConversionError.notProven(
      path: file.path,
      blocks: verification.blocks.filter { $0.grade == .different }.map(\.path),
      others: verification.tensors.filter { !$0.isAlike }.map(\.name)
        + verification.missing.flatMap(\.names) + verification.unexpected + others)
  }
  if checkpoint.isONNX {
    var comparison = ComparisonOptions()
    comparison.epsilon = options.epsilon
    comparison.tolerance = .ulps(0)
    comparison.threads = options.writing.threads
    let report = try verify(source, plan, onnx: checkpoint, comparison)
    try require(report.verification, comparing: report.onnx!.notCompared)
    return report.verification
  }
  let written = try Network(recognising: checkpoint, reading, asFormOf: plan.network)
  let verification = try Verification(
    of: plan, epsilon: options.epsilon, in: written,
    biasCorrection: checkpoint.model?.biasCorrection ?? .none, tolerance: .ulps(0),
    threads: options.writing.threads)
  try require(verification)
  try verifySources(of: written.parameters.map(\.tensor))
  return verification
}

extension FusionPlan {
  /// Two output tensors come from a fused block, one from any other.
  fileprivate func mapping(to tensors: [OutputTensor]) -> [Renaming] {
    var sources: [Name] = []
    let shapes = network.stateDict.shapes
    for step in steps {
      switch step {
      case .fuse(let block): sources += [block.sourceName, block.sourceName]
      case .pass(let parameter): sources.append(parameter.originalName)
      }
    }
    return zip(sources, tensors).map { source, tensor in
      Renaming(
        from: source, fromShape: shapes[source]!, to: tensor.name, toShape: tensor.shape)
    }
  }
}

/// Compares the storages of tensors with the checksums that their container records.
func verifySources(of tensors: [Tensor]) throws {
  var seen: Set<ObjectIdentifier> = []
  for tensor in tensors where seen.insert(ObjectIdentifier(tensor.source)).inserted {
    try tensor.source.verify()
  }
}

extension Network {
  /// Elements that an optimiser changes: what papers count as parameters.
  public var trainableParameterCount: Int {
    parameters.reduce(0) { count, parameter in
      // A deploy kernel beside branches repeats them.
      if case .block(let block, let address) = parameter.role, address.layer == .fused,
        self.block(at: block.path)?.hasBranches == true
      {
        return count
      }
      return count + (parameter.role.isTrainable ? parameter.tensor.shape.elementCount : 0)
    }
  }
}
