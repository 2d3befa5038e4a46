public import Naming
internal import Reparameterization
public import Tensors

/// What `importCheckpoint` should do beside what the file itself decides.
public struct ImportOptions: Sendable {
  public enum Channels: String, CaseIterable, Sendable {
    case keep, rgb, bgr
  }
  public var reading = ReadingOptions()
  public var writing = WritingOptions()
  /// The order in which the output's first convolution expects the colours.
  public var channels = Channels.keep

  public init() {}
}

/// What `importCheckpoint` did.
public struct ImportReport: Sendable {
  public var output: String
  public var container: String
  public var dialect: Dialect
  public var names: Dialect
  public var stage: Network.Stage
  public var architecture: String?
  public var notes: [String]
  public var tensors: Int
  /// Tensors that are called otherwise now.
  public var renamed: Int
  public var parameters: Int
  public var bytesRead: Int
  public var bytesWritten: Int
  /// Names that are not in the output, by reason.
  public var dropped: [(reason: String, names: [String])]
  /// The channel order the output's first convolution expects.
  public var channelOrder: InputConvention.ChannelOrder
  public var flippedChannels: Bool
  public var outputFormat: String
}

/// Rewrites any readable checkpoint under other names, with kernels OIHW and vectors `[C]`, without
/// changing what the network computes (but for the order of its input channels, if asked).
///
/// - Throws: `ReadError`, `NamingError`, `ConversionError`, `WriteError`.
public func importCheckpoint(
  _ input: String, to output: String, options: ImportOptions = ImportOptions()
) throws -> ImportReport {
  let format = try OutputFormat.forPath(output, among: OutputFormat.forTraining)
  let checkpoint = try openCheckpoint(input, family: options.reading.family)
  let network = try Network(recognising: checkpoint, key: options.reading.key)
  if network.dialect != options.writing.names { try network.requireKnownBlocks() }

  let names = options.writing.names
  let found = network.dialect.input.channelOrder
  let wanted: InputConvention.ChannelOrder =
    switch options.channels {
    case .keep: found
    case .rgb: .rgb
    case .bgr: .bgr
    }
  var notes = checkpoint.allNotes + network.notes
  let others = network.parameters.count { if case .other = $0.role { true } else { false } }
  if others > 0 {
    notes.append("\(others) tensor\(others == 1 ? "" : "s") outside the blocks: names kept")
  }
  if wanted != names.input.channelOrder {
    let code = names.project
    notes.append(
      "the first convolution expects \(wanted.rawValue); code of \(code) feeds "
        + "\(names.input.channelOrder.rawValue): "
        + (options.channels == .keep
          ? "--channels \(names.input.channelOrder.rawValue.lowercased()) converts it"
          : "as asked"))
  }

  var renamed = 0
  let tensors = try network.parameters.map { parameter in
    var tensor = parameter.tensor
    if wanted != found, let flipped = try flippedStem(parameter, of: network) { tensor = flipped }
    let name = names.name(of: parameter.role)
    if name != parameter.originalName { renamed += 1 }
    return OutputTensor(name: name, tensor)
  }
  if wanted != found, !network.parameters.contains(where: isStemKernel) {
    throw ConversionError.noStem(path: input, reason: "no block 'stage0' takes the image")
  }

  let file = try OutputFile(path: output, options.writing)
  guard case .tensors(let write) = format.writer else { preconditionFailure("only such were asked for") }
  try write(tensors, file, options.writing.threads)
  try verifySources(of: network.parameters.map(\.tensor))
  try file.commit(sync: options.writing.sync)

  return ImportReport(
    output: output, container: checkpoint.container, dialect: network.dialect,
    names: names, stage: network.stage,
    architecture: (try? RepVGGStructure(of: network))?.description, notes: notes,
    tensors: tensors.count, renamed: renamed, parameters: network.trainableParameterCount,
    bytesRead: checkpoint.byteCount, bytesWritten: file.count,
    dropped: grouped(
      network.counters.map { ($0, "a counter of the wrapper") }
        + network.stateDict.ignored.map { ($0.name, $0.what) }),
    channelOrder: wanted, flippedChannels: wanted != found, outputFormat: format.title)
}

/// Whether a parameter is a kernel that takes the image.
private func isStemKernel(_ parameter: Parameter) -> Bool {
  guard case .block("stage0", let role) = parameter.role else { return false }
  switch role {
  case .kernel, .fused(.weight): return true
  default: return false
  }
}

/// The kernel with its input channels in reverse order, if it takes the image.
private func flippedStem(_ parameter: Parameter, of network: Network) throws -> Tensor? {
  guard isStemKernel(parameter) else { return nil }
  let tensor = parameter.tensor
  guard tensor.shape[1] == 3, !tensor.isReshaped else {
    throw ConversionError.noStem(
      path: network.path, reason: "'\(parameter.originalName)' is \(tensor.shape), not of 3 channels")
  }
  return tensor.flipped(axis: 1)
}
