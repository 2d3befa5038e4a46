internal import CheckpointFiles
internal import Naming
internal import RVD
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
  /// What is known of the input of the network that is read.
  public var input = GivenInput()
  /// Whether to stop before anything is written.
  public var isDryRun = false

  public init() {}
}

/// Writes any readable checkpoint again, in another format or under other names and shapes, without
/// changing what the network computes (but for the order of its input channels, if asked). Nothing is
/// fused.
///
/// - Throws: `ReadError`, `NamingError`, `ConversionError`, `WriteError`.
public func rewrite(
  _ source: String, to output: String, options: RewriteOptions = RewriteOptions()
) throws -> RewriteReport {
  let format = try OutputFormat.forPath(output, named: options.writing.format)
  let names = options.writing.names ?? format.names
  let checkpoint = try openCheckpoint(source, family: options.reading.family)
  let network = try Network(recognising: checkpoint, options.reading)
  if network.dialect != names { try network.requireKnownBlocks() }
  let structure = try? RepVGGStructure(of: network)
  if format.isForDeploy, network.stage != .deploy {
    throw ConversionError.notDeployed(
      path: source, format: format.title, stage: network.stage.rawValue)
  }

  let original = checkpoint.family == "rvd" ? try RVDFile(path: source) : nil
  let channels = try ChannelChange(
    network, from: KnownInput(options.input, file: original?.input, network.dialect),
    options.channels, path: source)
  let input = structure == nil && options.input.isEmpty ? nil : channels.input
  var notes = channels.notes(names: names, format: format, isAsked: options.channels != .keep)
  notes += epsilonNote(of: network, writtenAs: names) ?? []
  if let original { notes += format.note(leavingOut: original) ?? [] }
  notes += format.omissions.map { [.noPlace(format: format.title, what: $0)] } ?? []
  let others = network.parameters.count { if case .other = $0.role { true } else { false } }
  if others > 0 {
    notes.append(.otherTensors(others))
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

  var report = RewriteReport(
    source: FileSummary(checkpoint, network, tensors: []),
    output: OutputSummary(
      path: output, format: format.title, dialect: names.name, tensors: tensors.count),
    parameters: network.trainableParameterCount, channelOrder: channels.order,
    flippedChannels: channels.isReversed, input: input,
    mapping: Mapping(
      dialect: network.dialect.name, names: names.name, renamings: renamings,
      dropped: DroppedTensors.grouped(dropped)),
    notes: notes)
  try tensors.requireUniqueNames(path: output)
  if options.isDryRun { return report }

  let model = DeployModel(
    tensors: tensors, graph: structure?.graph(names: names),
    architecture: structure?.architecture?.name, classes: structure?.classes,
    input: input?.convention,
    // A file that knows where it came from goes on to say so.
    provenance: original?.provenance
      ?? Provenance(
        sourceSHA256: nil,
        container: checkpoint.container,
        dialect: network.dialect.name, epsilons: [], arithmetic: "none: fused elsewhere",
        tool: "repconv \(repconvVersion)"))
  let recordsDigest = options.writing.recordsSourceDigest && original?.provenance == nil
  let file = try OutputFile(path: output, from: source, options.writing)
  report.output.contentDigest = try format.write(
    model, of: recordsDigest ? source : nil, to: file, threads: options.writing.threads)
  try verifySources(of: network.parameters.map(\.tensor))
  try file.commit(sync: options.writing.sync)
  report.output.byteCount = file.count
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
private func epsilonNote(of network: Network, writtenAs names: Dialect) -> [Note]? {
  let epsilons = Set(
    network.parameters.compactMap { parameter -> Double? in
      guard case .block(_, .batchNorm(_, .runningVariance)) = parameter.role else { return nil }
      return network.module(of: parameter)?.epsilon ?? network.dialect.epsilon
    }
  ).sorted()
  if epsilons.isEmpty || epsilons == [names.epsilon] { return nil }
  return [.epsilonLeftOut(epsilons, names: names.name, standFor: names.epsilon)]
}

extension OutputFormat {
  /// What an `.rvd` says that this format has no place for.
  fileprivate func note(leavingOut file: RVDFile) -> [Note]? {
    guard isShaped else { return nil }
    let parts = [
      file.graph == nil ? nil : "graph", file.architecture == nil ? nil : "architecture",
      file.input == nil ? nil : "input", file.provenance == nil ? nil : "origin",
    ].compactMap { $0 }
    return parts.isEmpty ? nil : [.leftOut(format: title, parts: parts)]
  }

  /// That the input is not in the output, where its names stand for another.
  func note(leavingOut input: InputConvention, names: Dialect) -> [Note]? {
    guard isShaped, !input.normalises(as: names.input) else { return nil }
    return [.inputLeftOut(input, names: names.name, standFor: names.input)]
  }
}

/// The order of colours that a network expects, and how to reverse it: by reversing the input axis of
/// every kernel that takes the image.
private struct ChannelChange {
  let isReversed: Bool
  /// Of the output.
  let input: KnownInput

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
