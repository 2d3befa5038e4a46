internal import CheckpointFiles
public import Checkpoints
public import Naming
public import Proof
public import Reparameterization
internal import Tensors

/// What `fuse` should do beside what the file itself decides.
public struct FuseOptions: Sendable {
  public var reading = ReadingOptions()
  public var writing = WritingOptions()
  /// What the network must be.
  public var architecture: Architecture?
  /// BatchNorm's epsilon, for files that do not say it.
  public var epsilon: Double?
  /// Whether to stop before anything is written.
  public var isDryRun = false
  /// Whether to read what was written, and to give it its name only if every block of it is what the
  /// training checkpoint amounts to, recomputed by other code than that which fused it.
  public var isVerified = false

  public init() {}
}

/// What `fuse` did.
public struct FuseReport: Sendable {
  public var container: String
  /// What each tensor of the output comes from; of a fused one, its block's dense kernel.
  public var mapping: Mapping
  /// Of the input.
  public var notes: [String]
  /// `RepVGG-A0`, a description of a custom one, or nil for any other network.
  public var architecture: String?
  public var blocks: Int
  public var blocksWithIdentity: Int
  public var tensors: Int
  public var passedThrough: Int
  public var trainParameters: Int
  public var deployParameters: Int
  public var bytesRead: Int
  /// Nil if nothing was written.
  public var bytesWritten: Int?
  public var epsilons: [Double]
  /// Where the epsilons come from, in words.
  public var epsilonSource: String
  public var largestWeight: (name: String, magnitude: Float)
  /// Deploy kernels that stood beside branches.
  public var doubled: [DoubledBlock]
  public var input: InputConvention?
  public var outputFormat: String
  /// SHA-256 over the tensors, if the format stores it.
  public var contentDigest: String?
  /// If it was asked for.
  public var verification: Verification?
}

/// Fuses the re-parameterizable blocks of a training checkpoint and writes the deploy form.
///
/// The output appears only when it is complete and every checksum of the input that was read is right.
///
/// - Throws: `ReadError`, `NamingError`, `FusionError`, `ConversionError`, `WriteError`.
public func fuse(
  _ input: String, to output: String, options: FuseOptions = FuseOptions()
) throws -> FuseReport {
  let format = try OutputFormat.forPath(output, named: options.writing.format)
  let checkpoint = try openCheckpoint(input, family: options.reading.family)
  let network = try Network(recognising: checkpoint, options.reading)
  let plan = try FusionPlan(
    network, architecture: options.architecture, epsilon: options.epsilon)
  let doubled = try plan.compareDoubled()
  let structure = try? plan.structure.get()

  let watch = ValueWatch()
  let names = options.writing.names ?? format.names
  let model = DeployModel(
    tensors: try plan.outputTensors(names: names, isShaped: format.isShaped).map(watch.watching),
    ModelDescription(
      graph: structure?.graph,
      architecture: structure?.architecture?.name,
      classes: structure?.classes,
      input: structure == nil ? nil : network.dialect.input,
      provenance: Provenance(
        sourceSHA256: nil,
        container: checkpoint.container,
        dialect: network.dialect.name, epsilons: plan.epsilons,
        arithmetic: "float64, rounded once", tool: "repconv \(repconvVersion)")))
  var report = FuseReport(
    container: checkpoint.container,
    mapping: Mapping(
      dialect: network.dialect, names: names,
      renamings: plan.mapping(to: model.tensors), dropped: grouped(plan.dropped)),
    notes: checkpoint.allNotes + network.notes + plan.notes,
    architecture: structure?.description,
    blocks: plan.blocks.count, blocksWithIdentity: plan.blocks.count(where: \.hasIdentity),
    tensors: model.tensors.count,
    passedThrough: plan.steps.count - plan.blocks.count,
    trainParameters: network.trainableParameterCount,
    deployParameters: model.tensors.reduce(0) { $0 + $1.shape.elementCount },
    bytesRead: checkpoint.byteCount, bytesWritten: nil,
    epsilons: plan.epsilons,
    epsilonSource: epsilonSource(network, given: options.epsilon),
    largestWeight: ("", 0), doubled: doubled, input: model.description.input,
    outputFormat: format.title)
  try model.tensors.requireUniqueNames(path: output)
  if options.isDryRun { return report }

  let file = try OutputFile(path: output, options.writing)
  report.contentDigest = try format.write(
    model, of: options.writing.recordsSourceDigest ? input : nil, to: file,
    threads: options.writing.threads)
  try verifySources(of: network.parameters.map(\.tensor))
  if let (name, count) = watch.findings.notFinite.min(by: { $0.key < $1.key }) {
    throw ConversionError.notFinite(path: input, name: name, count: count)
  }
  if options.isVerified {
    report.verification = try verifyWritten(file, names: names, plan, options)
  }
  try file.commit(sync: options.writing.sync)
  report.bytesWritten = file.count
  report.largestWeight = (watch.findings.largestName, watch.findings.largest)
  return report
}

/// Compares a complete file with what `plan` should have made, value by value.
private func verifyWritten(
  _ file: OutputFile, names: Dialect, _ plan: FusionPlan, _ options: FuseOptions
) throws -> Verification {
  var reading = ReadingOptions()
  reading.dialects = [names] + options.reading.dialects.filter { $0 != names }
  let written = try Network(recognising: openCheckpoint(file.partialPath), reading)
  let verification = try Verification(
    of: plan, epsilon: options.epsilon, in: written, tolerance: .ulps(0),
    threads: options.writing.threads)
  guard verification.holds else {
    throw ConversionError.notProven(
      path: file.path,
      blocks: verification.blocks.filter { $0.grade == .different }.map(\.path),
      others: verification.tensors.filter { !$0.isAlike }.map(\.name)
        + verification.missing.flatMap(\.names) + verification.unexpected)
  }
  try verifySources(of: written.parameters.map(\.tensor))
  return verification
}

extension FusionPlan {
  /// Two output tensors come from a fused block, one from any other.
  fileprivate func mapping(to tensors: [OutputTensor]) -> [Renaming] {
    var sources: [Parameter] = []
    for step in steps {
      switch step {
      case .fuse(let block):
        let kernel = network[.block(path: block.path, .kernel(.dense))]!
        sources += [kernel, kernel]
      case .pass(let parameter):
        sources.append(parameter)
      }
    }
    let shapes = network.stateDict.shapes
    return zip(sources, tensors).map { source, tensor in
      Renaming(
        from: source.originalName, to: tensor.name,
        fromShape: shapes[source.originalName]!, toShape: tensor.shape)
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

/// Names by reason, both in the order of their first appearance.
func grouped(_ dropped: [(name: String, reason: String)]) -> [(reason: String, names: [String])] {
  var result: [(reason: String, names: [String])] = []
  var index: [String: Int] = [:]
  for (name, reason) in dropped {
    if let at = index[reason] {
      result[at].names.append(name)
    } else {
      index[reason] = result.count
      result.append((reason, [name]))
    }
  }
  return result
}

extension Network {
  /// Elements that an optimiser changes: what papers count as parameters.
  public var trainableParameterCount: Int {
    parameters.reduce(0) { count, parameter in
      // A deploy kernel beside branches repeats them.
      if case .block(let path, .fused) = parameter.role,
        blocks.first(where: { $0.path == path })?.hasBranches == true
      {
        return count
      }
      return count + (parameter.role.isTrainable ? parameter.tensor.shape.elementCount : 0)
    }
  }
}
