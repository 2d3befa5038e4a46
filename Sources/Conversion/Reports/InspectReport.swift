internal import Blocks
public import Checkpoints
internal import Graphs
public import Naming
internal import Reparameterization
public import Tensors
internal import Topologies

/// What is in a file, as far as its directory and object graph tell.
public struct InspectReport: Encodable, Sendable {
  /// One of the file's tensors.
  public struct TensorSummary: Encodable, Sendable {
    /// In the file, prefixes included.
    public var name: Name
    /// As the file has it.
    public var shape: Shape
    /// As the file has it.
    public var dtype: ElementType
    /// Of its elements, packed.
    public var bytes: Int
    /// How the file stores it, if it says so: `raw` or a compression.
    public var codec: String?
    /// Bytes in the file, likewise.
    public var storedBytes: Int?
  }

  /// A mapping from names to tensors.
  public struct StateDictSummary: Encodable, Sendable {
    /// Its keys, joined by points; empty for the file's root.
    public var path: Name
    /// How many it has.
    public var tensors: Int
  }

  /// An entry that is no tensor, or a tensor that is none of its block's.
  public struct OtherEntry: Encodable, Sendable {
    /// In the file.
    public var name: Name
    /// What it is instead.
    public var what: String
  }

  /// A block by its family.
  public struct FamilyMember: Encodable, Sendable {
    /// In the numbering of the family's first project.
    public var path: Name
    /// What it is a block of: `RepVGG`.
    public var family: String
    /// Whether it has its branches, its deploy kernel, or both.
    public var form: Network.Form

    private enum CodingKeys: String, CodingKey {
      case path = "block"
      case family, form
    }
  }

  /// How many blocks there are of a family.
  public struct FamilyCount: Encodable, Sendable {
    /// `RepVGG`.
    public var family: String
    /// Of either form.
    public var blocks: Int
    /// Those with branches.
    public var train: Int
  }

  /// Tensors that stand in a block and are none of its own.
  public struct UnknownTensors: Encodable, Sendable {
    /// The path of the block.
    public var block: Name
    /// In the file.
    public var names: [Name]
  }

  /// The file that was looked at.
  public var file: FileSummary
  /// Whether the checksums were compared, and are right.
  public var isVerified: Bool
  /// The project whose names it has.
  public var project: String?
  /// Why there is no network in it, or no whole one, in words.
  public var reason: String?
  /// Re-parameterizable blocks; nil if no names are known.
  public var blocks: Int?
  /// Those with the BatchNorm of an identity branch.
  public var blocksWithIdentity: Int?
  /// The families of the blocks, the one that the network is known by first.
  public var blockFamilies: [FamilyCount]
  /// Every block, those for training only too.
  public var blockList: [FamilyMember]
  /// In order, of a whole network that is known.
  public var layers: [BlockSummary]?
  /// Elements that an optimiser changes; of an unrecognised file all floating point elements.
  public var parameters: Int
  /// Of a whole network when it is fused.
  public var deployParameters: Int?
  /// BatchNorm epsilons that the file itself tells, each once, ascending.
  public var epsilons: [Double]
  /// BatchNorm's epsilon where the file does not tell.
  public var defaultEpsilon: Double?
  /// How images become input, and who says so; nil where nothing does.
  public var input: KnownInput?
  /// What the file says for people; nil if that is nothing.
  public var metadata: ModelMetadata?
  /// Operations of the graph that the file has.
  public var graphOperations: Int?
  /// SHA-256 over the tensors that the file records, in hexadecimal.
  public var contentDigest: String?
  /// Where the file says it came from.
  public var provenance: Provenance?
  /// The state dict whose tensors these are: the network's, or the one with the most.
  public var stateDict: Name?
  /// Every one in the file.
  public var stateDicts: [StateDictSummary]
  /// Names that its pickles refer to. None was called.
  public var globals: [PickledGlobal]
  /// Entries that are no tensors.
  public var ignored: [OtherEntry]
  /// Tensors in blocks that are none of theirs.
  public var unknown: [UnknownTensors]
  /// Those of `stateDict`, in the file's order.
  public var tensors: [TensorSummary]
  /// How weights take int8, if it was asked for.
  public var quantization: [WeightSurvey]?

  /// The keys of the file, and these.
  public func encode(to encoder: any Encoder) throws {
    try file.encode(to: encoder)
    try encoder.encode(members: [
      "verified": isVerified, "project": project, "reason": reason, "blocks": blocks,
      "blocksWithIdentity": blocksWithIdentity, "blockFamilies": blockFamilies,
      "blockList": blockList, "layers": layers, "parameters": parameters,
      "deployParameters": deployParameters, "epsilons": epsilons, "defaultEpsilon": defaultEpsilon,
      "input": input, "metadata": metadata, "graphOperations": graphOperations,
      "content": contentDigest,
      "provenance": provenance, "stateDict": stateDict, "stateDicts": stateDicts,
      "globals": globals, "ignored": ignored, "unknown": unknown, "tensors": tensors,
      "quantization": quantization,
    ])
  }
}

extension InspectReport {
  init(_ inspection: Inspection, isVerified: Bool) {
    let (checkpoint, network) = (inspection.checkpoint, inspection.network)
    let (stateDict, model) = (inspection.stateDict, checkpoint.model)
    let whole = try? inspection.structure?.get()
    file = FileSummary(checkpoint, network, tensors: stateDict?.tensors ?? [])
    file.notes.removeAll { $0.isAboutGlobals }  // They are listed here.
    self.isVerified = isVerified
    project = network?.dialect.project
    reason = inspection.reason
    if case .failure(let deviation) = inspection.structure { reason = deviation.reason }
    blocks = network?.blocks.count
    blocksWithIdentity = network.map { network in
      network.blocks.count { network.hasIdentity($0) }
    }
    let members = (network?.blocks ?? []) + (network?.trainingBlocks ?? [])
    blockList = members.map { block in
      FamilyMember(
        path: block.path, family: block.family.name,
        form: block.hasBranches ? (block.hasFused ? .mixed : .train) : .deploy)
    }
    blockFamilies = (network?.dialect.tables ?? []).map(\.family).compactMap { family in
      let blocks = members.filter { $0.family == family }
      guard !blocks.isEmpty else { return nil }
      return FamilyCount(
        family: family.name, blocks: blocks.count, train: blocks.count(where: \.hasBranches))
    }
    layers = whole?.blocks.map(BlockSummary.init)
    parameters = inspection.parameters
    deployParameters = whole?.deployParameterCount
    epsilons = inspection.epsilonsInFile
    defaultEpsilon = network.flatMap { $0.form == .deploy ? nil : $0.dialect.epsilon }
    if let network, model == nil ? whole != nil : model?.input != nil {
      input = KnownInput(GivenInput(), file: model?.input, network.dialect)
    }
    metadata = model.flatMap { $0.metadata.isEmpty ? nil : $0.metadata }
    graphOperations = model?.graph?.nodes.count
    contentDigest = model?.contentSHA256
    provenance = model?.provenance
    self.stateDict = stateDict?.path.joined(separator: ".")
    stateDicts = checkpoint.stateDicts.map {
      StateDictSummary(path: $0.path.joined(separator: "."), tensors: $0.tensors.count)
    }
    globals = checkpoint.globals
    ignored = (stateDict?.ignored ?? []).map { OtherEntry(name: $0.name, what: $0.what) }
    unknown = (network?.unknownInBlocks ?? []).map {
      UnknownTensors(block: $0.block.path, names: $0.names)
    }
    tensors = (stateDict?.tensors ?? []).map {
      TensorSummary(
        name: $0.name, shape: $0.tensor.shape, dtype: $0.tensor.elementType,
        bytes: $0.tensor.byteCount, codec: $0.storage?.codec, storedBytes: $0.storage?.byteCount)
    }
  }
}
