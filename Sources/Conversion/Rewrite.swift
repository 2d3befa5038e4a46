internal import CheckpointFiles
public import Checkpoints
internal import Graphs
public import Naming
internal import Reparameterization
internal import Tensors

/// What `rewrite` should do beside what the file itself decides.
public struct RewriteOptions: Sendable {
  public enum Channels: String, CaseIterable, Sendable {
    case keep, rgb, bgr
  }
  public var reading = ReadingOptions()
  public var writing = WritingOptions()
  /// The order in which the output's first convolution expects the colours.
  public var channels = Channels.keep
  /// Whether to stop before anything is written.
  public var isDryRun = false

  public init() {}
}

/// What `rewrite` did.
public struct RewriteReport: Sendable {
  public var output: String
  public var container: String
  public var mapping: Mapping
  public var stage: Network.Stage
  public var architecture: String?
  public var notes: [String]
  public var parameters: Int
  public var bytesRead: Int
  /// Nil if nothing was written.
  public var bytesWritten: Int?
  /// The channel order the output's first convolution expects; nil where nothing says it.
  public var channelOrder: InputConvention.ChannelOrder?
  public var flippedChannels: Bool
  public var outputFormat: String
  /// SHA-256 over the tensors, if the format stores it.
  public var contentDigest: String?
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
  _ input: String, to output: String, options: RewriteOptions = RewriteOptions()
) throws -> RewriteReport {
  let format = try OutputFormat.forPath(output, named: options.writing.format)
  let names = options.writing.names ?? format.names
  let checkpoint = try openCheckpoint(input, family: options.reading.family)
  let network: Network
  do throws(NamingError) {
    network = try Network(recognising: checkpoint, options.reading)
  } catch {
    guard case .noBlocks = error, let description = checkpoint.model else { throw error }
    return try copy(checkpoint, description, to: output, format, names, options)
  }
  if network.dialect != names { try network.requireKnownBlocks() }
  let structure = try? RepVGGStructure(of: network)
  if format.isForDeploy, network.stage != .deploy {
    throw ConversionError.notDeployed(
      path: input, format: format.title, stage: network.stage.rawValue)
  }

  let original = checkpoint.model
  let channels = try ChannelChange(
    network, from: original?.input ?? network.dialect.input, options.channels, path: input)
  var notes = checkpoint.allNotes + network.notes
  notes += channels.notes(names: names, isAsked: options.channels != .keep)
  notes += epsilonNote(of: network, writtenAs: names) ?? []
  notes += format.notes(leavingOut: original)
  let others = network.parameters.count { if case .other = $0.role { true } else { false } }
  if others > 0 {
    notes.append("\(others) tensor\(others == 1 ? "" : "s") outside the blocks: names kept")
  }

  var dropped = network.counters.map { (name: $0, reason: "a counter of the wrapper") }
  dropped += network.stateDict.ignored.map { (name: $0.name, reason: $0.what) }
  let shapes = network.stateDict.shapes
  var tensors: [OutputTensor] = []
  var renamings: [Renaming] = []
  for parameter in network.parametersInOrder(structure, isForDeploy: format.isForDeploy) {
    let groups = network.groups(of: parameter.role, in: structure)
    let tensor = OutputTensor(name: "", try channels.apply(to: parameter))
    guard
      let result = try names.output(
        tensor, as: parameter.role, groups: groups, isShaped: format.isShaped)
    else {
      dropped.append(
        (parameter.originalName, "BatchNorm's step counter, which \(names.name) has not"))
      continue
    }
    tensors.append(result)
    renamings.append(
      Renaming(
        from: parameter.originalName, to: result.name,
        fromShape: shapes[parameter.originalName]!, toShape: result.shape))
  }

  let report = RewriteReport(
    output: output, container: checkpoint.container,
    mapping: Mapping(
      dialect: network.dialect, names: names, renamings: renamings, dropped: grouped(dropped)),
    stage: network.stage, architecture: structure?.description ?? original?.architecture,
    notes: notes, parameters: network.trainableParameterCount, bytesRead: checkpoint.byteCount,
    bytesWritten: nil, channelOrder: channels.order, flippedChannels: channels.isReversed,
    outputFormat: format.title)
  // What a file says of its network goes on to be said.
  var description =
    original
    ?? ModelDescription(
      graph: structure?.graph, architecture: structure?.architecture?.name,
      classes: structure?.classes, input: structure == nil ? nil : channels.input)
  if let graph = original?.graph {
    let places = Dictionary(
      uniqueKeysWithValues: renamings.enumerated().map { ($1.from, $0) })
    description.graph = graph.renumbered { places[network.stateDict.tensors[$0].name] }
  }
  if original?.input != nil { description.input = channels.input }
  return try write(
    DeployModel(tensors: tensors, description), from: checkpoint, network.dialect,
    verifying: network.parameters.map(\.tensor), to: output, format, report, options)
}

/// Writes the tensors of a file that describes its network, under the names that they have.
private func copy(
  _ checkpoint: Checkpoint, _ description: ModelDescription, to output: String,
  _ format: OutputFormat, _ names: Dialect, _ options: RewriteOptions
) throws -> RewriteReport {
  guard options.channels == .keep else {
    throw ConversionError.noStem(
      path: checkpoint.path, reason: "no block of a known dialect is in the file")
  }
  let tensors = checkpoint.stateDicts.flatMap(\.tensors)
  let report = RewriteReport(
    output: output, container: checkpoint.container,
    mapping: Mapping(
      dialect: nil, names: names,
      renamings: tensors.map {
        Renaming(
          from: $0.name, to: $0.name, fromShape: $0.tensor.shape, toShape: $0.tensor.shape)
      }, dropped: []),
    stage: .deploy, architecture: description.architecture,
    notes: checkpoint.allNotes + ["no block of a known dialect is in the file: names kept"]
      + format.notes(leavingOut: description),
    parameters: tensors.reduce(0) {
      $0 + ($1.tensor.elementType.isWeightType ? $1.tensor.shape.elementCount : 0)
    }, bytesRead: checkpoint.byteCount, bytesWritten: nil,
    channelOrder: description.input?.channelOrder, flippedChannels: false,
    outputFormat: format.title)
  return try write(
    DeployModel(
      tensors: tensors.map { OutputTensor(name: $0.name, $0.tensor) }, description),
    from: checkpoint, nil, verifying: tensors.map(\.tensor), to: output, format, report, options)
}

/// Writes the output, unless it is a dry run.
private func write(
  _ model: DeployModel, from checkpoint: Checkpoint, _ dialect: Dialect?,
  verifying sources: [Tensor], to output: String, _ format: OutputFormat, _ report: RewriteReport,
  _ options: RewriteOptions
) throws -> RewriteReport {
  try model.tensors.requireUniqueNames(path: output)
  if options.isDryRun { return report }
  var (model, report) = (model, report)
  // A file that knows where it came from goes on to say so.
  let isKnown = model.description.provenance != nil
  if !isKnown {
    model.description.provenance = Provenance(
      sourceSHA256: nil, container: checkpoint.container, dialect: dialect?.name ?? "none",
      epsilons: [], arithmetic: "none: fused elsewhere", tool: "repconv \(repconvVersion)")
  }
  let file = try OutputFile(path: output, options.writing)
  report.contentDigest = try format.write(
    model, of: options.writing.recordsSourceDigest && !isKnown ? checkpoint.path : nil, to: file,
    threads: options.writing.threads)
  try verifySources(of: sources)
  try file.commit(sync: options.writing.sync)
  report.bytesWritten = file.count
  return report
}

extension Network {
  /// Parameters in execution order for a deploy model whose structure is known, else as they are.
  fileprivate func parametersInOrder(
    _ structure: RepVGGStructure?, isForDeploy: Bool
  ) -> [Parameter] {
    guard isForDeploy, let structure else { return parameters }
    return structure.deployParameters.compactMap { self[$0.role] }
  }
}

/// That the epsilon which the branches need cannot be told from the output, where its names stand for
/// another one. No format but whole modules and Keras' configurations has a place for it.
private func epsilonNote(of network: Network, writtenAs names: Dialect) -> [String]? {
  let epsilons = Set(
    network.parameters.compactMap { parameter -> Double? in
      guard case .block(_, .batchNorm(_, .runningVariance)) = parameter.role else { return nil }
      return network.module(of: parameter)?.epsilon ?? network.dialect.epsilon
    }
  ).sorted()
  if epsilons.isEmpty || epsilons == [names.epsilon] { return nil }
  let list = epsilons.map { "\($0)" }.joined(separator: " and ")
  return [
    "BatchNorm's epsilon, \(list), is not in the output, and names of \(names.name) stand for \(names.epsilon): "
      + (epsilons.count == 1 ? "fuse it with --bn-eps \(list)" : "fuse the input itself")
  ]
}

extension OutputFormat {
  /// What of a file this format has no place for.
  fileprivate func notes(leavingOut model: ModelDescription?) -> [String] {
    var notes = omissions.map { ["\(title) has no place for \($0)"] } ?? []
    guard isShaped, let model else { return notes }
    let parts = [
      model.graph == nil ? nil : "graph", model.architecture == nil ? nil : "architecture",
      model.input == nil ? nil : "input", model.provenance == nil ? nil : "origin",
    ].compactMap { $0 }
    if !parts.isEmpty {
      notes.insert(
        "left out, since \(title) holds tensors only: \(parts.joined(separator: ", "))", at: 0)
    }
    return notes
  }
}

/// The order of colours that a network expects, and how to reverse it: by reversing the input axis of
/// every kernel that takes the image.
private struct ChannelChange {
  let order: InputConvention.ChannelOrder
  let isReversed: Bool
  /// Of the output.
  let input: InputConvention

  init(
    _ network: Network, from found: InputConvention, _ wanted: RewriteOptions.Channels, path: String
  ) throws {
    order =
      switch wanted {
      case .keep: found.channelOrder
      case .rgb: .rgb
      case .bgr: .bgr
      }
    isReversed = order != found.channelOrder
    var input = found
    if isReversed {
      input.channelOrder = order
      input.mean.reverse()
      input.standardDeviation.reverse()
      let stems = network.parameters.filter { ChannelChange.takesImage($0.role) }
      guard !stems.isEmpty else {
        throw ConversionError.noStem(path: path, reason: "no block 'stage0' takes the image")
      }
      for stem in stems where stem.tensor.shape[1] != 3 || stem.tensor.isReshaped {
        throw ConversionError.noStem(
          path: path, reason: "'\(stem.originalName)' is \(stem.tensor.shape), not of 3 channels")
      }
    }
    self.input = input
  }

  private static func takesImage(_ role: Role) -> Bool {
    switch role {
    case .block("stage0", .kernel), .block("stage0", .fused(.weight)): true
    default: false
    }
  }

  func apply(to parameter: Parameter) throws -> Tensor {
    isReversed && ChannelChange.takesImage(parameter.role)
      ? parameter.tensor.flipped(axis: 1) : parameter.tensor
  }

  func notes(names: Dialect, isAsked: Bool) -> [String] {
    let expected = names.input.channelOrder
    guard order != expected else { return [] }
    return [
      "the first convolution expects \(order.rawValue); code of \(names.project) feeds \(expected.rawValue): "
        + (isAsked ? "as asked" : "--channels \(expected.rawValue.lowercased()) converts it")
    ]
  }
}
