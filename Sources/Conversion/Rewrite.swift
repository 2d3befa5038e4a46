internal import Blocks
internal import CheckpointFiles
internal import Checkpoints
internal import Graphs
public import Naming
internal import RVD
internal import Reparameterization
internal import Tensors
internal import Topologies

/// What `rewrite` should do beside what the file itself decides.
public struct RewriteOptions: Sendable {
  /// The order of the colours; `keep` is the input's.
  public enum Channels: String, CaseIterable, Sendable {
    case keep, rgb, bgr
  }
  /// How the input is read.
  public var reading = ReadingOptions()
  /// How the output is written.
  public var writing = WritingOptions()
  /// The order in which the output's first convolution expects the colours.
  public var channels = Channels.keep
  /// What is known of the input of the network that is read.
  public var input = GivenInput()
  /// What people want to know of the model.
  public var metadata = GivenMetadata()
  /// The form of the output; that of the input if nil.
  public var form: Network.Form?
  /// BatchNorm's epsilon of a training form that becomes a graph, for files that do not say it.
  public var epsilon: Double?
  /// Whether to stop before anything is written.
  public var isDryRun = false

  public init() {}
}

/// Writes any readable checkpoint again, in another format or under other names and shapes, without
/// changing what the network computes (but for the order of its input channels, if asked). Nothing is
/// fused.
///
/// A file in which no block of a known dialect is found keeps its names, if it describes the network that
/// its tensors are.
///
/// - Throws: `ReadError`, `NamingError`, `ConversionError`, `WriteError`.
public func rewrite(
  _ source: String, to output: String, options: RewriteOptions = RewriteOptions()
) throws -> RewriteReport {
  try rewrite(source, to: output, options: options, changing: nil)
}

/// Likewise, with a change of what is written.
///
/// - Parameter change: of a deploy network that is known as a whole; nil for none.
package func rewrite(
  _ source: String, to output: String, options: RewriteOptions,
  changing networkChange: NetworkChange?
) throws -> RewriteReport {
  let format = try OutputFormat.forPath(output, named: options.writing.format)
  let checkpoint = try openCheckpoint(
    source, family: options.reading.family, limits: options.reading.limits)
  try format.require(options.writing, path: output)
  if networkChange != nil { try format.requireSteps(path: output) }
  let network: Network
  do throws(NamingError) {
    network = try Network(recognising: checkpoint, options.reading)
  } catch {
    guard case .noBlocks = error, let description = checkpoint.model else { throw error }
    if options.form == .train {
      throw ConversionError.otherForm(path: source, asked: "train", found: "deploy")
    }
    return try copy(
      checkpoint, description, to: output, format, options, changing: networkChange)
  }
  if let form = options.form, form != network.form {
    throw ConversionError.otherForm(
      path: source, asked: form.rawValue, found: network.form.rawValue)
  }
  if options.form == .train, format.isGraph {
    return try rewriteTrainingForm(of: network, checkpoint, to: output, format, options)
  }
  // A graph is of convolutions, which not all blocks of another form are.
  let hasGraph = network.form != .deploy || network.blocksLeftByProject.isEmpty
  let structure = hasGraph ? try? Structure(of: network) : nil
  let names = try format.names(
    for: network, options.writing.names, isWhole: structure != nil)
  // Names can be kept whatever stands beside them; but what seems to be a deploy network must be one.
  if network.dialect != names || network.form == .deploy { try network.requireKnownBlocks() }
  let groups = ConvolutionGroups(of: network, in: structure)
  if format.isForDeploy, network.form != .deploy {
    throw ConversionError.notDeployed(
      path: source, format: format.title, stage: network.form.rawValue)
  }

  let original = checkpoint.model
  // What a file says of its network goes on to be said; the graph of one that has none is that of its
  // structure.
  var description = original ?? ModelDescription()
  if description.graph == nil, let structure {
    description.graph = structure.graph
    description.architecture = structure.architecture?.name ?? description.architecture
    description.classes = structure.classes
  }
  if format.isGraph || networkChange != nil, description.graph == nil {
    throw ConversionError.noGraph(
      path: source, format: format.title, reason: network.reasonForNoGraph)
  }
  description.metadata = try options.metadata.applied(
    to: description.metadata, of: source, classes: description.classes)
  let channels = try ChannelChange(
    network, from: KnownInput(options.input, file: original?.input, network.dialect),
    options.channels, path: source)
  let input = structure == nil && options.input.isEmpty ? nil : channels.input
  var notes = channels.notes(names: names, format: format, isAsked: options.channels != .keep)
  notes += network.epsilonNotes(writtenAs: names)
  notes += options.metadata.notes
  notes += format.notes(leavingOut: original, description.metadata)
  // Another project may have names for them, too.
  let others = network.parameters.count { parameter in
    guard case .other = parameter.role else { return false }
    return names.name(of: parameter.role) == network.dialect.name(of: parameter.role)
  }
  if others > 0 {
    notes.append(.otherTensors(others))
  }
  if !hasGraph {
    notes.append(.normsLeft(network.blocksLeftByProject.count))
  } else if format.isShaped, network.foldsMoreThanProject {
    notes.append(.foldedFurther(names: names.name))
  }

  var dropped = network.wrapperCounters.map { (name: $0, reason: "a counter of the wrapper") }
  dropped += network.stateDict.ignored.map { (name: $0.name, reason: $0.what) }
  let shapes = network.stateDict.shapes
  let parameters = network.parametersInOrder(structure, isForDeploy: format.isForDeploy)
  let own = parameters.map { (tensor: channels.apply(to: $0), role: $0.role) }
  let change: TypeChange
  if let networkChange {
    let places = Dictionary(
      uniqueKeysWithValues: parameters.enumerated().map { ($1.originalName, $0) })
    let graph = original?.graph.map { graph in
      graph.renumbered { places[network.stateDict.tensors[$0].name] }!
    }
    change = try TypeChange(
      of: own, graph ?? description.graph!, input: input?.convention, changing: networkChange
    ) { names.label(of: $0) }
    description.noteBiasCorrection(change.changed!, of: checkpoint, network.dialect)
  } else {
    change = try TypeChange(
      of: own, to: options.writing.weightType, format, path: source, options.writing
    ) { names.label(of: $0) }
  }
  notes += change.notes
  var tensors: [OutputTensor] = []
  var renamings: [Renaming] = []
  for (parameter, tensor) in zip(parameters, change.tensors) {
    guard
      let result = try names.output(
        tensor, as: parameter.role, groups: groups.groups(of: parameter.role),
        isShaped: format.isShaped)
    else {
      dropped.append(
        (parameter.originalName, "BatchNorm's step counter, which names of \(names.name) leave out")
      )
      continue
    }
    tensors.append(result)
    renamings.append(
      Renaming(
        from: parameter.originalName, fromShape: shapes[parameter.originalName]!, to: result.name,
        toShape: result.shape))
  }

  let report = RewriteReport(
    source: FileSummary(checkpoint, network, tensors: []),
    output: OutputSummary(
      path: output, format: format.title, dialect: names.name, tensors: tensors.count),
    parameters: network.trainableParameterCount, channelOrder: channels.order,
    flippedChannels: channels.isReversed, input: input,
    metadata: format.metadata(of: description),
    mapping: Mapping(
      dialect: network.dialect.name, names: names.name, renamings: renamings,
      dropped: DroppedTensors.grouped(dropped)),
    notes: notes, quantization: change.quantization)
  if let graph = original?.graph {
    let places = Dictionary(
      uniqueKeysWithValues: renamings.enumerated().map { ($1.from, $0) })
    description.graph = graph.renumbered { places[network.stateDict.tensors[$0].name] }
  }
  if let input { description.input = input.convention }
  var model = DeployModel(tensors: tensors, description)
  model.integers = change.changed?.integers
  return try write(
    model, from: checkpoint, network.dialect,
    verifying: network.parameters.map(\.tensor), format, report, options,
    architecture: structure?.description ?? description.architecture)
}

/// Writes the tensors of a file that describes its network, under the names that they have.
private func copy(
  _ checkpoint: Checkpoint, _ description: ModelDescription, to output: String,
  _ format: OutputFormat, _ options: RewriteOptions, changing networkChange: NetworkChange?
) throws -> RewriteReport {
  guard options.channels == .keep else {
    throw ConversionError.noStem(
      path: checkpoint.path, reason: "no block of a known dialect is in the file")
  }
  if format.isGraph || networkChange != nil, description.graph == nil {
    throw ConversionError.noGraph(
      path: checkpoint.path, format: format.title, reason: "the file has no graph of it")
  }
  var description = description
  let input = KnownInput(options.input, file: description.input)
  description.input = input?.convention
  description.metadata = try options.metadata.applied(
    to: description.metadata, of: checkpoint.path, classes: description.classes)
  let tensors = checkpoint.stateDicts.flatMap(\.tensors)
  let weights = Set(
    (description.graph?.nodes ?? []).flatMap(\.weightOperands).map {
      Role.other(name: tensors[$0].name)
    })
  let own = tensors.map { (tensor: $0.tensor, role: Role.other(name: $0.name)) }
  func name(_ role: Role) -> Name { if case .other(let name) = role { name } else { "" } }
  let change: TypeChange
  if let networkChange {
    change = try TypeChange(
      of: own, description.graph!, input: input?.convention, changing: networkChange, name: name)
    description.noteBiasCorrection(change.changed!, of: checkpoint, nil)
  } else {
    change = try TypeChange(
      of: own, to: options.writing.weightType, format, path: checkpoint.path, options.writing,
      where: weights.contains, name: name)
  }
  let report = RewriteReport(
    source: FileSummary(checkpoint, nil, tensors: tensors),
    output: OutputSummary(
      path: output, format: format.title, dialect: nil, tensors: tensors.count),
    parameters: tensors.reduce(0) {
      $0 + ($1.tensor.isWeight ? $1.tensor.shape.elementCount : 0)
    }, channelOrder: input?.convention.channelOrder, flippedChannels: false, input: input,
    metadata: format.metadata(of: description),
    mapping: Mapping(
      dialect: nil, names: nil,
      renamings: tensors.map {
        Renaming(
          from: $0.name, fromShape: $0.tensor.shape, to: $0.name, toShape: $0.tensor.shape)
      }, dropped: []),
    notes: [.namesKept] + change.notes + options.metadata.notes
      + format.notes(leavingOut: description, description.metadata),
    quantization: change.quantization)
  var model = DeployModel(
    tensors: zip(tensors, change.tensors).map { named, tensor in
      var tensor = tensor
      tensor.name = named.name
      return tensor
    }, description)
  model.integers = change.changed?.integers
  return try write(
    model, from: checkpoint, nil, verifying: tensors.map(\.tensor), format, report, options,
    architecture: description.architecture)
}

/// Writes the output, unless it is a dry run.
///
/// - Parameter architecture: the name or description of the network.
func write(
  _ model: DeployModel, from checkpoint: Checkpoint, _ dialect: Dialect?,
  verifying sources: [Tensor], _ format: OutputFormat, _ report: RewriteReport,
  _ options: RewriteOptions, architecture: String?
) throws -> RewriteReport {
  var (model, report) = (model, report)
  try report.source.require(options.reading, with: report.notes)
  if format.isGraph { report.output.tensors -= model.removeUnused(from: &report.mapping) }
  try model.tensors.requireUniqueNames(path: report.output.path)
  if options.isDryRun { return report }
  let watch = ValueWatch()
  if options.writing.weightType != nil { model.tensors = model.tensors.map(watch.watching) }
  // A file that knows where it came from goes on to say so; of a deploy format, every file does.
  let isKnown = checkpoint.model?.provenance != nil
  if model.description.provenance == nil, !format.isShaped {
    model.description.provenance = Provenance(fusedElsewhere: checkpoint, dialect)
  }
  let (file, written) = try format.write(
    model, to: report.output.path, from: checkpoint.path,
    recording: options.writing.recordsSourceDigest && !isKnown ? checkpoint.file : nil,
    options.writing,
    imageSize: imageSize(options.input, model, of: architecture))
  report.output.take(written, options.writing)
  try verifySources(of: sources)
  try watch.requireValues(
    as: (options.writing.weightType ?? .float32).format, path: checkpoint.path)
  try file.commit(sync: options.writing.sync)
  report.output.byteCount = file.count
  return report
}

extension Provenance {
  fileprivate init(fusedElsewhere checkpoint: Checkpoint, _ dialect: Dialect?) {
    self.init(
      sourceSHA256: nil, container: checkpoint.container, dialect: dialect?.name ?? "none",
      epsilons: [], arithmetic: "none: fused elsewhere", tool: "repconv \(repconvVersion)")
  }
}

extension ModelDescription {
  fileprivate mutating func noteBiasCorrection(
    _ changed: ChangedNetwork, of checkpoint: Checkpoint, _ dialect: Dialect?
  ) {
    guard let correction = changed.biasCorrection else { return }
    var provenance = provenance ?? Provenance(fusedElsewhere: checkpoint, dialect)
    provenance.biasCorrection = correction
    self.provenance = provenance
  }
}

extension Network {
  /// Parameters in execution order for a deploy model whose structure is known, else as they are.
  fileprivate func parametersInOrder(
    _ structure: Structure?, isForDeploy: Bool
  ) -> [Parameter] {
    guard isForDeploy, let structure else { return parameters }
    let roles = Set(structure.deployParameters.map(\.role))
    return structure.deployParameters.compactMap { self[$0.role] }
      + parameters.filter { $0.role.isStepCounter(amid: roles) }
  }
}

extension OutputFormat {
  /// What this format has no place for: of tensors, of what a file says of them, and of the metadata.
  func notes(
    leavingOut model: ModelDescription?, _ metadata: ModelMetadata
  ) -> [Note] {
    var parts: [String] = []
    if isShaped, model?.graph != nil { parts.append("graph") }
    if !isDescribed {
      if model?.architecture != nil { parts.append("architecture") }
      if model?.input != nil { parts.append("input") }
      if model?.provenance != nil { parts.append("origin") }
      parts += metadata.parts
    }
    return (parts.isEmpty ? [] : [.leftOut(format: title, parts: parts)])
      + (omissions.map { [.noPlace(format: title, what: $0)] } ?? [])
  }

  /// What of the metadata this format has no place for.
  func notes(leavingOut metadata: ModelMetadata) -> [Note] {
    isDescribed || metadata.isEmpty ? [] : [.leftOut(format: title, parts: metadata.parts)]
  }

  /// What a file of this format says for people; nil if that is nothing.
  func metadata(of model: ModelDescription) -> ModelMetadata? {
    isDescribed && !model.metadata.isEmpty ? model.metadata : nil
  }

  /// That the input is not in the output, where its names stand for another.
  func note(leavingOut input: InputConvention, names: Dialect) -> [Note]? {
    guard !isDescribed, !input.normalises(as: names.input) else { return nil }
    return [.inputLeftOut(input, names: names.name, standFor: names.input)]
  }
}

/// The order of colours that a network expects, and how to reverse it: by reversing the input axis of
/// every kernel that takes the image.
private struct ChannelChange {
  let isReversed: Bool
  /// Of the output.
  let input: KnownInput
  /// The kernels that have to be changed.
  private var stems: Set<Role> = []

  var order: InputConvention.ChannelOrder { input.convention.channelOrder }

  init(
    _ network: Network, from found: KnownInput, _ wanted: RewriteOptions.Channels, path: String
  ) throws {
    isReversed =
      switch wanted {
      case .keep: false
      case .rgb: found.convention.channelOrder != .rgb
      case .bgr: found.convention.channelOrder != .bgr
      }
    var input = found
    if isReversed {
      input.convention.reverseChannels()
      stems = try ChannelChange.stems(of: network, path: path)
      for stem in network.parameters
      where stems.contains(stem.role) && (stem.tensor.shape[1] != 3 || stem.tensor.isReshaped) {
        throw ConversionError.noStem(
          path: path, reason: "'\(stem.originalName)' is \(stem.tensor.shape), not of 3 channels")
      }
    }
    self.input = input
  }

  /// The kernels that the image goes into.
  private static func stems(of network: Network, path: String) throws -> Set<Role> {
    guard let root = network.rootBlock else {
      throw ConversionError.noStem(
        path: path,
        reason: network.dialect.root.map { "no block '\($0)' takes the image" }
          ?? "which block takes the image is not known")
    }
    var layers: [LayerAddress] = root.hasFused ? [.fused] : []
    if root.hasBranches {
      let branch = try FusedBlock(root, of: network, epsilon: network.dialect.epsilon).branch
      guard let inputs = branch.inputLayers else {
        throw ConversionError.noStem(
          path: path, reason: "an identity of block '\(root.path)' takes the image")
      }
      layers += inputs
    }
    return Set(layers.map { .block(root.address, ParameterAddress($0, .weight)) })
  }

  func apply(to parameter: Parameter) -> Tensor {
    stems.contains(parameter.role) ? parameter.tensor.flipped(axis: 1) : parameter.tensor
  }

  func notes(names: Dialect, format: OutputFormat, isAsked: Bool) -> [Note] {
    var input = input.convention
    let fed = names.input.channelOrder
    guard order != fed else { return format.note(leavingOut: input, names: names) ?? [] }
    // Beside the order, which is told by itself.
    input.reverseChannels()
    return [.channelOrder(order, project: names.project, fed: fed, isAsked: isAsked)]
      + (format.note(leavingOut: input, names: names) ?? [])
  }
}
