public import Checkpoints

/// How one project names, shapes and feeds the parameters of a RepVGG: a table, used in both
/// directions.
///
/// The name of a block's parameter is the block's path, a separator, and one of the names below. The
/// table is written as text (formats/dialects.md); `Dialects/` has one for each project.
public struct Dialect: Equatable, Sendable {
  /// What `--names` calls it.
  public var name: String
  /// The project, for people.
  public var project: String
  /// Where the facts of this table come from.
  public var source: String
  /// Families of containers whose files are of this dialect if their names could be of several.
  public var families: [String]
  /// BatchNorm's epsilon. No state dict stores it.
  public var epsilon: Double
  /// How images become input.
  public var input: InputConvention
  /// Paths of blocks in the official numbering, and what this project calls them. The first pair that
  /// matches counts.
  public var blocks: [Correspondence]
  /// Between a block's path and the rest.
  public var separator: String
  public var layouts: Layouts

  /// The last part of the name of each BatchNorm parameter there is.
  public var batchNorm: [BatchNormField: String]
  /// The last part of the name of a layer's weight and bias.
  public var layer: [LayerField: String]
  public var dense: ConvolutionNames
  public var pointwise: ConvolutionNames
  /// The identity branch's BatchNorm.
  public var identity: String
  /// The deploy convolution. May be empty: then it is the block itself.
  public var fused: String
  /// A name that begins with `../` belongs to the parent of the block's path.
  public var squeezeExcitation: [Placement: SqueezeExcitationNames]
  /// The final linear layer.
  public var classifier: String
  public var auxiliary: AuxiliaryNames?
  /// The whole table, as it was written.
  public var text: String

  /// A convolution and the BatchNorm after it.
  public struct ConvolutionNames: Equatable, Sendable {
    public var convolution: String
    public var batchNorm: String
  }

  public struct SqueezeExcitationNames: Equatable, Sendable {
    public var squeeze: String
    public var excite: String
  }

  /// Heads for training only, as at `stage1_aux`.
  public struct AuxiliaryNames: Equatable, Sendable {
    /// How the last part of a head's path ends.
    public var pathSuffix: String
    public var convolution: String
    public var batchNorm: String
    public var classifier: String
  }

  /// All built-in dialects. Of two that recognise a file equally well, the first is chosen.
  public static let all: [Dialect] = [
    .official, .baseCls, .renamedMegEngine, .timm, .mmpretrain, .paddleClas, .zcls, .objax, .keras,
  ]

  /// The dialect that `--names` calls `name`.
  public static func named(_ name: String, among dialects: [Dialect] = all) -> Dialect? {
    dialects.first { $0.name == name.lowercased() }
  }
}

extension Dialect: CustomStringConvertible {
  public var description: String { name }
}

extension Dialect {
  private func join(_ parts: String...) -> String {
    parts.filter { !$0.isEmpty }.joined(separator: ".")
  }

  /// What a block's parameter is called below its path; nil if this project has no such parameter.
  func suffix(of role: BlockRole) -> String? {
    switch role {
    case .kernel(let branch): convolution(branch).map { join($0.convolution, layer[.weight]!) }
    case .convolutionBias(let branch):
      convolution(branch).map { join($0.convolution, layer[.bias]!) }
    case .batchNorm(let branch, let field):
      batchNorm[field].map { join(convolution(branch)?.batchNorm ?? identity, $0) }
    case .fused(let field): join(fused, layer[field]!)
    case .squeeze(let placement, let field):
      squeezeExcitation[placement].map { join($0.squeeze, layer[field]!) }
    case .excite(let placement, let field):
      squeezeExcitation[placement].map { join($0.excite, layer[field]!) }
    }
  }

  private func convolution(_ branch: Branch) -> ConvolutionNames? {
    switch branch {
    case .dense: dense
    case .pointwise: pointwise
    case .identity: nil
    }
  }

  func suffix(of role: AuxiliaryRole) -> String? {
    guard let auxiliary else { return nil }
    return switch role {
    case .kernel: join(auxiliary.convolution, layer[.weight]!)
    case .convolutionBias: join(auxiliary.convolution, layer[.bias]!)
    case .batchNorm(let field): batchNorm[field].map { join(auxiliary.batchNorm, $0) }
    case .classifier(let field): join(auxiliary.classifier, layer[field]!)
    }
  }

  /// Whether blocks may stand anywhere, and so also be the whole network.
  private var takesAnyPath: Bool { blocks.contains { $0.first.description == "*" } }

  /// What this project calls the block at an official path; nil if it has no block there.
  func path(ofBlock official: String) -> String? {
    if official.isEmpty { return takesAnyPath ? "" : nil }
    return blocks.lazy.compactMap { $0.forward(official) }.first
  }

  /// The official path of a block of this project.
  func officialPath(of path: String) -> String? {
    if path.isEmpty { return takesAnyPath ? "" : nil }
    return blocks.lazy.compactMap { $0.backward(path) }.first
  }

  /// The name of a tensor with this role; nil if this project has no such parameter.
  public func name(of role: Role) -> String? {
    switch role {
    case .block(let official, let role):
      guard let suffix = suffix(of: role), let path = path(ofBlock: official) else { return nil }
      if suffix.hasPrefix("../") {
        let parent = path.split(separator: ".").dropLast().joined(separator: ".")
        return join(parent, String(suffix.dropFirst(3)))
      }
      return path.isEmpty ? suffix : path + separator + suffix
    case .auxiliary(let path, let role):
      return suffix(of: role).map { path + separator + $0 }
    case .classifier(let field):
      return join(classifier, layer[field]!)
    case .other(let name):
      return name
    }
  }

  /// The name of a tensor with this role, or what the official code calls it: for messages.
  public func label(of role: Role) -> String {
    name(of: role) ?? Dialect.official.name(of: role)!
  }
}

extension BlockRole {
  /// Every role, in the order a state dict of the official code has them.
  static let all: [BlockRole] = {
    var roles: [BlockRole] = []
    for placement in Placement.allCases {
      roles += LayerField.allCases.map { .squeeze(placement, $0) }
      roles += LayerField.allCases.map { .excite(placement, $0) }
    }
    roles += LayerField.allCases.map { .fused($0) }
    roles += BatchNormField.allCases.map { .batchNorm(.identity, $0) }
    for branch in [Branch.dense, .pointwise] {
      roles += [.kernel(branch), .convolutionBias(branch)]
      roles += BatchNormField.allCases.map { .batchNorm(branch, $0) }
    }
    return roles
  }()
}

extension AuxiliaryRole {
  static let all: [AuxiliaryRole] =
    [.kernel, .convolutionBias] + BatchNormField.allCases.map { .batchNorm($0) }
    + LayerField.allCases.map { .classifier($0) }
}
