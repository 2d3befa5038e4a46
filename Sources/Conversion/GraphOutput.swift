internal import Blocks
internal import Checkpoints
internal import Graphs
internal import Naming
internal import Reparameterization
internal import Tensors
internal import Topologies

// What is said to formats that are graphs of operations.

extension Network {
  /// Why there is no graph of it, in words.
  var reasonForNoGraph: String {
    do throws(Deviation) {
      _ = try Structure(of: self)
    } catch {
      return error.reason
    }
    return "convolutions keep the BatchNorms behind them, as in their project's deploy form"
  }
}

/// Height and width of the images that a model is for: what is given, else what the file says, else what is
/// usual.
///
/// - Parameter architecture: the name or description of the network.
func imageSize(_ given: GivenInput, _ model: DeployModel, of architecture: String?) -> Int {
  let input = model.description.input
  return given.size ?? input?.size
    ?? (model.description.graph ?? Graph()).usualImageSize(
      of: architecture, channels: input?.mean.count,
      tensors: model.tensors.map {
        TensorType($0.elementType, $0.shape, hasScales: $0.scales != nil)
      })
}

extension DeployModel {
  /// Takes out the tensors that no operation takes.
  ///
  /// - Parameter mapping: what all tensors come from, in their order; what is taken out becomes dropped.
  /// - Returns: how many there were.
  /// - Precondition: there is a graph, of these tensors.
  mutating func removeUnused(from mapping: inout Mapping) -> Int {
    let used = Set(description.graph!.nodes.flatMap(\.operands).compactMap(\.self))
    let unused = tensors.indices.filter { !used.contains($0) }
    guard !unused.isEmpty else { return 0 }
    let names = Set(unused.map { tensors[$0].name })
    let places = Dictionary(
      uniqueKeysWithValues: tensors.indices.filter(used.contains).enumerated().map { ($1, $0) })
    // Of used tensors nothing is missing.
    description.graph = description.graph!.renumbered { places[$0] }!
    tensors = tensors.indices.filter(used.contains).map { tensors[$0] }
    let unusedNames = mapping.renamings.filter { names.contains($0.to) }.map(\.from)
    mapping.dropped = DroppedTensors.grouped(
      mapping.dropped.flatMap { group in group.names.map { ($0, group.reason) } }
        + unusedNames.map { ($0, reasonForLeavingOut($0)) })
    mapping.renamings.removeAll { names.contains($0.to) }
    return unused.count
  }
}

/// Writes the training form of a network that is known as a whole as a graph of operations.
///
/// - Throws: `ConversionError.noGraph`, `.noTrainingGraph`, and what `rewrite` does.
func rewriteTrainingForm(
  of network: Network, _ checkpoint: Checkpoint, to output: String, _ format: OutputFormat,
  _ options: RewriteOptions
) throws -> RewriteReport {
  try network.requireKnownBlocks()
  guard let structure = try? Structure(of: network) else {
    throw ConversionError.noGraph(
      path: network.path, format: format.title, reason: network.reasonForNoGraph)
  }
  guard options.channels == .keep else {
    throw ConversionError.noStem(
      path: network.path, reason: "a training form becomes a graph as it is")
  }
  guard options.writing.weightType != .int8 else {
    throw ConversionError.noSteps(
      path: network.path, format: "the training form of a network",
      known: OutputFormat.all.filter(\.hasSteps).map(\.fileExtension))
  }
  let form: TrainingForm
  do {
    form = try TrainingForm(of: network, structure, epsilon: options.epsilon)
  } catch let deviation as Deviation {
    throw ConversionError.noTrainingGraph(path: network.path, reason: deviation.reason)
  }
  let names = try format.names(for: network, options.writing.names, isWhole: true)
  let type = (options.writing.weightType ?? .float32).format
  var model = DeployModel(tensors: [], checkpoint.model ?? ModelDescription())
  var renamings: [Renaming] = []
  let shapes = network.stateDict.shapes
  var written: Set<Role> = []
  for tensor in form.tensors {
    guard
      let result = try names.output(
        tensor.output(as: type), as: tensor.role, groups: nil, isShaped: false)
    else { preconditionFailure("a graph takes no counters") }
    model.tensors.append(result)
    written.insert(tensor.role)
    guard let name = network[tensor.role]?.originalName else { continue }
    renamings.append(
      Renaming(from: name, fromShape: shapes[name]!, to: result.name, toShape: result.shape))
  }
  var dropped = network.wrapperCounters.map { (name: $0, reason: "a counter of the wrapper") }
  for parameter in network.parameters where !written.contains(parameter.role) {
    dropped.append((parameter.originalName, parameter.reasonForNoOperand))
  }
  dropped += network.stateDict.ignored.map { (name: $0.name, reason: $0.what) }
  let input = KnownInput(options.input, file: checkpoint.model?.input, network.dialect)
  model.description.graph = form.graph
  model.description.architecture = structure.architecture?.name
  model.description.classes = structure.classes
  model.description.input = input.convention
  model.description.metadata = try options.metadata.applied(
    to: model.description.metadata, of: network.path, classes: structure.classes)
  model.description.provenance = Provenance(
    sourceSHA256: nil, container: checkpoint.container, dialect: network.dialect.name,
    epsilons: form.epsilons, arithmetic: "none: the training form",
    tool: "repconv \(repconvVersion)")
  var report = RewriteReport(
    source: FileSummary(checkpoint, network, tensors: []),
    output: OutputSummary(
      path: output, format: format.title, dialect: names.name, tensors: model.tensors.count),
    parameters: network.trainableParameterCount, channelOrder: input.convention.channelOrder,
    flippedChannels: false, input: input, metadata: format.metadata(of: model.description),
    mapping: Mapping(
      dialect: network.dialect.name, names: names.name, renamings: renamings,
      dropped: DroppedTensors.grouped(dropped)),
    notes: options.metadata.notes + (format.note(leavingOut: input.convention, names: names) ?? []))
  report.epsilons = form.epsilons
  report.epsilonSource = epsilonSource(network, given: options.epsilon)
  return try write(
    model, from: checkpoint, network.dialect, verifying: network.parameters.map(\.tensor), format,
    report, options, architecture: structure.description)
}

/// Why no operation takes a tensor outside the blocks, in words.
private func reasonForLeavingOut(_ name: Name) -> String {
  name.hasSuffix(".num_batches_tracked") ? "BatchNorm's step counter" : "no operation takes it"
}

extension Parameter {
  /// Why no operation of the training form takes it, in words.
  fileprivate var reasonForNoOperand: String {
    guard case .block(let block, let address) = role else {
      return reasonForLeavingOut(originalName)
    }
    if block.family.isForTrainingOnly { return "an auxiliary head, for training only" }
    if address.part == .batchesTracked { return "BatchNorm's step counter" }
    if address.layer == .fused { return "a deploy kernel beside live branches" }
    return "in a tensor that its block computes of it"
  }
}
