public import Blocks
public import Checkpoints
public import Tensors

/// How one project names, shapes and feeds the parameters of its networks: a table, used in both
/// directions.
///
/// The name of a block's parameter is the block's path, a separator, the name of its layer, and the last
/// part. The table is written as text (formats/dialects.md); `Dialects/` has one for each project and
/// family.
public struct Dialect: Sendable {
  /// What `--names` calls it.
  public var name: String
  /// The project, for people.
  public var project: String
  /// Where the facts of this table come from.
  public var source: String
  /// Containers (`Checkpoint.family`) whose files are of this dialect if their names could be of several.
  public var containers: [String]
  /// Texts of which one is in one name at least of a file of this dialect; without any the table does not
  /// apply. None if it needs none.
  public var markers: [Name]
  /// Whether it is used only where it is asked for: another reads the same files, and fuses less of them.
  public var isOnRequest: Bool
  /// What a state dict's path contains that counts before all others of the file, as in the project's own
  /// code: `ema`.
  public var preferred: [Name]
  /// Classes of modules with parts for training only, which the project takes off by other code than that
  /// which fuses.
  public var auxiliaryClasses: [String]
  /// What should be said of what is fused of its files, beside what else there is to say; nil for nothing.
  public var remark: String?
  /// BatchNorm's epsilon. No state dict stores it.
  public var epsilon: Double
  /// How images become input.
  public var input: InputConvention
  /// The path of the block that takes the image, in the numbering of the family's first project. Parts
  /// of a whole network, such as the classifier, are known beside it only.
  public var root: Name?
  /// Between a block's path and the rest.
  public var separator: Name
  /// How its tensors are shaped.
  public var layouts: Layouts
  /// The last part of each parameter's name; a BatchNorm counter may be missing.
  public var parts: [Part: String]
  /// The final linear layer.
  public var classifier: String?
  /// Whether its networks are written under its own names where no others are asked for, also those that
  /// are known as a whole.
  public var keepsNames: Bool
  /// The names of blocks; the first table's family is the one that the networks are known by.
  public var tables: [BlockTable]
  /// How blocks are numbered, if that is no matter of one path alone.
  var numbering: Numbering?
  /// The pairs of paths that `numbering` gives for one network.
  var numbers = NumberedPaths()
  /// What else is called otherwise than by the family's first project: names outside blocks, theirs and
  /// this project's. The first pair that matches counts.
  public var others: [Correspondence] = []
  /// Names outside blocks of what has one value for each channel, as the family's first project has them.
  public var vectors: [Template] = []
  /// Modules that this project counts in groups, and the family's first project in a row.
  public var sequence: ModuleSequence?
  /// Where the modules of one network are; what is in such a module has no name without it.
  private var rows: ModuleSequence.Numbering?
  /// The whole table, as it was written.
  public var text: String

  /// All built-in dialects. Of two that recognise a file equally well, the first is chosen.
  public static let all: [Dialect] = [
    .official, .baseCls, .renamedMegEngine, .timm, .mmpretrain, .paddleClas, .zcls, .objax, .keras,
    .yolov6, .mobileOne, .mobileOneTimm, .mobileOneMMPretrain, .dbb, .dbbHDF5,
    .acnet, .repLKNet, .repGhost, .officialInsertedBatchNorm, .uniRepLKNet, .repViT, .repViTTimm,
    .repViTTimmLegacy, .fastViT, .fastViTTimm, .mobileCLIP, .span, .ecbsr, .orepa, .repMLPNet,
    .resRep, .repLKNetDeep, .yolov7, .ultralytics, .yolov9, .rtdetr, .dfine,
    .qaRepVGG, .qaRepVGGV1, .qaRepVGGFirst, .yolov6QARepVGG, .superGradients, .superGradientsAlpha,
    .superGradientsQARepVGG, .ppYOLOE, .ppLCNetV3, .repOptimizersRepVGG, .realVGG, .linearAdd,
    .yolov6RealVGG, .yolov6LinearAdd,
  ]

  /// Those that files are read by without being asked to.
  public static let usual = all.filter { !$0.isOnRequest }

  /// The others.
  public static let onRequest = all.filter(\.isOnRequest)

  /// The dialect that `--names` calls `name`.
  public static func named(_ name: String, among dialects: [Dialect] = all) -> Dialect? {
    dialects.first { $0.name == name.lowercased() }
  }

  /// The family that its networks are known by.
  public var family: BlockFamily { tables[0].family }

  /// The table of a family; nil if this project has no such blocks.
  public func table(of family: BlockFamily) -> BlockTable? {
    tables.first { $0.family == family }
  }

  /// The same table for a family that is asked for: its own part on it, or, of a variant, that on the
  /// family it has the names of. Nil if it has neither.
  public func taking(_ family: BlockFamily) -> Dialect? {
    if table(of: family) != nil { return self }
    guard let index = tables.firstIndex(where: { $0.family.name == family.base }) else {
      return nil
    }
    var dialect = self
    dialect.tables[index].family = family
    return dialect
  }

  /// The first dialect that can name blocks of these families.
  public static func first(naming families: [BlockFamily]) -> Dialect? {
    all.first { dialect in families.allSatisfy { dialect.table(of: $0) != nil } }
  }
}

/// What one project calls the blocks of one family, and their layers.
public struct BlockTable: Equatable, Sendable {
  /// The family of the blocks.
  public var family: BlockFamily
  /// Paths of blocks in the numbering of the family's first project, and what this project calls them.
  /// The first pair that matches counts.
  public var blocks: [Correspondence]
  /// What layers are called below the block's path. The convolution and the BatchNorm of a layer have
  /// names of their own.
  public var layers: [LayerName] {
    didSet { numbersBlocks = BlockTable.numbersBlocks(layers) }
  }
  /// Whether other layers have such names, too: then a block is only where all layers are that it cannot
  /// be without, of the shapes that its family says.
  public var isShared = false
  /// The classes of its blocks, without their modules, for files that say them: what is of another class
  /// is none. Empty if the names alone tell.
  public var classes: [String] = []
  /// Whether deploy files of this project hold the branches beside the deploy convolutions, and its own
  /// code asks for both.
  public var keepsBranches = false
  /// Where its blocks become one convolution.
  public var folding = Folding.always

  /// Where blocks become one convolution.
  public enum Folding: String, CaseIterable, Sendable {
    /// In every deploy form.
    case always
    /// Only where a whole network becomes a graph, which needs them no more: the project's own deploy code
    /// leaves them as they are.
    case graph
  }
  /// Which blocks of the project's own networks halve the resolution, by the project's names for them, and
  /// which keep it; a block that both match halves it.
  var halving: [Template] = []
  var keeping: [Template] = []
  /// Groups of the blocks' convolutions, where the project's networks have no other number.
  var groups: Int?

  /// The name of a module of a layer; `{n}` and the like stand for the layer's numbers.
  public struct LayerName: Equatable, Sendable {
    /// The family's name for the layer.
    public var layer: String
    /// Whether it is the layer's BatchNorm; else its convolution or linear layer.
    public var isBatchNorm: Bool
    /// May be empty: then it is the block itself. A name that begins with `../` belongs to the parent
    /// of the block's path. `{block}` is the last part of the block's path, which then stands there and
    /// nowhere else.
    public var name: String
  }

  /// What stands in names for the number of a block whose layers lie apart: `ia.{block}`, `m.{block}`.
  static let blockNumber = "{block}"

  /// Whether the blocks are numbered by their layers' names, and not by what stands before them.
  private(set) var numbersBlocks = false

  init(family: BlockFamily, blocks: [Correspondence], layers: [LayerName]) {
    (self.family, self.blocks, self.layers) = (family, blocks, layers)
    numbersBlocks = BlockTable.numbersBlocks(layers)
  }

  private static func numbersBlocks(_ layers: [LayerName]) -> Bool {
    layers.contains { $0.name.contains(blockNumber) }
  }

  /// Whether more than names is needed to tell its blocks.
  var needsEvidence: Bool { isShared || !classes.isEmpty }

  /// The name of the module that has a part of a layer; with `{n}` where layers are counted.
  func pattern(of layer: String, _ part: Part) -> String? {
    let isBatchNorm = Part.ofBatchNorm.contains(part)
    return layers.first { $0.layer == layer && $0.isBatchNorm == isBatchNorm }?.name
  }

  /// What the module of a layer without parameters is called; nil if this project has none.
  func moduleName(of layer: String) -> String? {
    layers.first { $0.layer == layer && !$0.isBatchNorm }?.name
  }

  /// Whether a block keeps the resolution, by where it stands in this project's own networks; nil where
  /// they have none.
  func keepsResolution(_ canonical: Name) -> Bool? {
    guard let path = path(ofBlock: canonical) else { return nil }
    if halving.contains(where: { $0.match(path) != nil }) { return false }
    return keeping.contains { $0.match(path) != nil } ? true : nil
  }

  /// The layer whose convolution becomes the deploy convolution in its own place, if that is so: then
  /// names alone do not tell one from the other.
  var layerInPlace: LayerAddress? {
    let fused = layers.first { $0.layer == LayerAddress.fused.name }
    let inPlace = layers.first {
      $0.layer != fused?.layer && !$0.isBatchNorm && $0.name == fused?.name
    }
    return inPlace.map { LayerAddress($0.layer) }
  }

  /// Whether blocks may stand anywhere, and so also be the whole network.
  var takesAnyPath: Bool {
    blocks.contains { $0.first.description == "*" && $0.second.description == "*" }
  }

  /// What this project calls the block at a canonical path; nil if it has no block there.
  func path(ofBlock canonical: Name) -> Name? {
    if canonical.isEmpty { return takesAnyPath ? "" : nil }
    return blocks.lazy.compactMap { $0.forward(canonical) }.first
  }

  /// Every path that this project could have the block at a canonical path at.
  func paths(ofBlock canonical: Name) -> [Name] { blocks.compactMap { $0.forward(canonical) } }

  /// The canonical path of a block of this project.
  func canonicalPath(of path: Name) -> Name? {
    if path.isEmpty { return takesAnyPath ? "" : nil }
    return blocks.lazy.compactMap { $0.backward(path) }.first
  }
}

extension Dialect: CustomStringConvertible {
  public var description: String { name }
}

extension Dialect: Equatable {
  /// Whether it is the same table, whatever network it is used on.
  public static func == (a: Dialect, b: Dialect) -> Bool {
    a.name == b.name && a.text == b.text && a.layouts == b.layouts && a.tables == b.tables
  }
}

extension Dialect {
  /// What kind of shape a role asks for.
  func form(of role: Role) -> ShapeForm {
    if case .other(let name) = role, vectors.contains(where: { $0.match(name) != nil }) {
      return .vector
    }
    return ShapeForm(role)
  }
}

// MARK: Modules in groups

extension Dialect {
  /// The table for a network with these names, which are this project's.
  func numbered(reading names: [Name]) -> Dialect {
    guard let sequence else { return numbered(by: names, areCanonical: false) }
    var result = self
    result.rows = sequence.numbering(ofGrouped: names)
    return result
  }

  /// The table for a network of whatever project.
  public func numbered(for network: Network) -> Dialect {
    guard sequence != nil else {
      return numbered(by: network.blocks.map(\.path), areCanonical: true)
    }
    return numbered(inRow: network.parameters.compactMap { nameInRow(of: $0.role) })
  }

  /// The table for a network with these names, which are this project's but for modules in a row.
  func numbered(inRow names: [Name]) -> Dialect {
    guard let sequence else { return self }
    var result = self
    result.rows = sequence.numbering(ofRow: names)
    return result
  }

  /// A name of this project with its modules in a row, as block tables have them.
  func inRow(_ name: Name) -> Name {
    sequence.flatMap { $0.inRow(name, rows) } ?? name
  }

  /// What the family's first project calls a tensor outside blocks.
  func canonicalName(ofOther name: Name) -> Name {
    others.lazy.compactMap { $0.backward(name) }.first ?? name
  }
}

extension Dialect {
  private func join(_ parts: Name...) -> Name {
    parts.filter { !$0.isEmpty }.joined(separator: ".")
  }

  /// What a block's parameter is called below its path, with `{n}` where layers are counted; nil if this
  /// project has no such parameter.
  func pattern(of layer: String, _ part: Part, in table: BlockTable) -> String? {
    guard let name = table.pattern(of: layer, part), let part = parts[part] else { return nil }
    return name.isEmpty || part.isEmpty ? name + part : "\(name).\(part)"
  }

  /// The same with the layer's numbers, or the block's.
  func suffix(
    of address: ParameterAddress, in table: BlockTable, block: Name = Name(BlockTable.blockNumber)
  ) -> Name? {
    guard let pattern = pattern(of: address.layer.name, address.part, in: table) else { return nil }
    let literals = literals(of: pattern)
    let numbers = table.numbersBlocks ? [block] : address.layer.numbers.map { "\($0)" }
    guard literals.count == numbers.count + 1 else { return nil }
    return zip(literals.dropFirst(), numbers).reduce(Name(literals[0])) { "\($0)\($1.1)\($1.0)" }
  }

  /// What this project calls the block at a canonical path; nil if it has no block there.
  func path(ofBlock canonical: Name, in table: BlockTable) -> Name? {
    numbers.own[canonical] ?? table.path(ofBlock: canonical)
  }

  /// The canonical path of a block of this project.
  func canonicalPath(of path: Name, in table: BlockTable) -> Name? {
    guard let canonical = numbers.canonical[path] else { return table.canonicalPath(of: path) }
    return table.blocks.contains { $0.first.match(canonical) != nil } ? canonical : nil
  }

  /// The name of a tensor with this role; nil if this project has no such parameter.
  public func name(of role: Role) -> Name? {
    let name = nameInRow(of: role)
    guard let sequence else { return name }
    return name.flatMap { sequence.grouped($0, rows) }
  }

  /// The same with modules in a row that this project groups.
  private func nameInRow(of role: Role) -> Name? {
    switch role {
    case .block(let block, let address):
      guard let table = table(of: block.family), var path = path(ofBlock: block.path, in: table)
      else { return nil }
      var number: Name = ""
      if table.numbersBlocks { (path, number) = (path.module ?? "", path.lastPart) }
      guard let suffix = suffix(of: address, in: table, block: number) else { return nil }
      if let beside = suffix.dropping(prefix: "../") { return join(path.module ?? "", beside) }
      return path.isEmpty ? suffix : path + separator + suffix
    case .classifier(let part):
      return classifier.map { join(Name($0), Name(parts[part]!)) }
    case .other(let name):
      return others.lazy.compactMap { $0.forward(name) }.first ?? name
    }
  }

  /// What a block of a family could be called: of its first kernel, and of its deploy kernel; nil if this
  /// project has no such blocks.
  public func examples(of family: BlockFamily) -> (train: Name, deploy: Name?)? {
    guard let table = table(of: family),
      let layer = family.layers.first(where: \.tells) ?? family.layers.first
    else { return nil }
    let block = BlockAddress(family, table.blocks[0].first.example(text: "blocks.0"))
    // Modules that are grouped have names in a whole network only.
    let dialect =
      sequence.map { row in numbered(inRow: (0...1).map { "\(row.row).\($0).0.weight" }) } ?? self
    func name(_ layer: LayerAddress, _ part: Part) -> Name? {
      dialect.name(of: .block(block, ParameterAddress(layer, part)))
    }
    guard let train = name(layer.address, layer.parts[0]) else { return nil }
    return (train, family.isForTrainingOnly ? nil : name(.fused, .weight))
  }

  /// The name of a tensor with this role, or what the family's first project calls it, or its address:
  /// for messages.
  public func label(of role: Role) -> Name {
    if let name = name(of: role) { return name }
    let others = Dialect.all.lazy.filter { role.family == nil || $0.table(of: role.family!) != nil }
    if let name = others.compactMap({ $0.name(of: role) }).first { return name }
    switch role {
    case .block(let block, let address):
      return join(block.path, Name(address.layer.description), Name(address.part.rawValue))
    case .classifier(let part): return join("classifier", Name(part.rawValue))
    case .other(let name): return name
    }
  }
}

/// What stands around the numbers of a pattern: `dil_conv_k`, `_` and `.weight` of
/// `dil_conv_k{k}_{r}.weight`.
func literals(of pattern: String) -> [String] {
  guard pattern.utf8.contains(UInt8(ascii: "{")) else { return [pattern] }
  var literals: [String] = []
  var rest = pattern[...]
  while let start = rest.firstIndex(of: "{"), let end = rest[start...].firstIndex(of: "}") {
    literals.append(String(rest[..<start]))
    rest = rest[rest.index(after: end)...]
  }
  return literals + [String(rest)]
}
