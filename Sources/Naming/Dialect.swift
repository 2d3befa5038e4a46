public import Tensors

/// How one project names, shapes and feeds the parameters of a RepVGG: a table, used in both
/// directions.
///
/// A name is the path of a block (or auxiliary head) followed by one of the suffixes below.
public struct Dialect: Equatable, Sendable {
  /// What `--names` calls it.
  public var name: String
  /// The project, for people.
  public var project: String
  /// Where the facts of this table come from.
  public var source: String
  /// BatchNorm's epsilon. No state dict stores it.
  public var epsilon: Double
  /// How images become input.
  public var input: InputConvention

  /// The last part of the name of each BatchNorm parameter.
  public var batchNorm: [(BatchNormField, String)]
  public var dense: ConvolutionNames
  public var pointwise: ConvolutionNames
  /// What stands before a BatchNorm parameter of the identity branch.
  public var identity: String
  /// The deploy convolution, less `weight` and `bias`.
  public var fused: String
  public var squeezeExcitation: [(Placement, SqueezeExcitationNames)]
  /// The final linear layer, less `weight` and `bias`.
  public var classifier: String
  public var auxiliary: AuxiliaryNames

  /// A convolution and the BatchNorm after it.
  public struct ConvolutionNames: Equatable, Sendable {
    /// Before `weight` and `bias`.
    public var convolution: String
    /// Before the names of `batchNorm`.
    public var batchNorm: String
  }

  /// The two layers, less `weight` and `bias`.
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

  public static func == (a: Dialect, b: Dialect) -> Bool { a.name == b.name }

  /// What PyTorch calls the parameters of BatchNorm; MegEngine has no counter.
  public static let pyTorchBatchNorm: [(BatchNormField, String)] = [
    (.gamma, "weight"), (.beta, "bias"), (.runningMean, "running_mean"),
    (.runningVariance, "running_var"), (.batchesTracked, "num_batches_tracked"),
  ]

  /// All built-in dialects. Of two that recognise a file equally well, the first is chosen.
  public static let all: [Dialect] = [.official, .baseCls, .renamedMegEngine]

  /// The dialect that `--names` calls `name`.
  public static func named(_ name: String) -> Dialect? {
    all.first { $0.name == name.lowercased() }
  }
}

extension Dialect {
  /// Every suffix of a block's parameters, in the order a state dict of the official code has them.
  var blockSuffixes: [(suffix: String, role: BlockRole)] {
    var table: [(String, BlockRole)] = []
    for (placement, names) in squeezeExcitation {
      for field in LayerField.allCases {
        table.append((names.squeeze + field.rawValue, .squeeze(placement, field)))
      }
      for field in LayerField.allCases {
        table.append((names.excite + field.rawValue, .excite(placement, field)))
      }
    }
    for field in LayerField.allCases { table.append((fused + field.rawValue, .fused(field))) }
    table += batchNorm.map { (identity + $1, .batchNorm(.identity, $0)) }
    for (branch, names) in [(Branch.dense, dense), (.pointwise, pointwise)] {
      table.append((names.convolution + "weight", .kernel(branch)))
      table.append((names.convolution + "bias", .convolutionBias(branch)))
      table += batchNorm.map { (names.batchNorm + $1, .batchNorm(branch, $0)) }
    }
    return table
  }

  /// Every suffix of an auxiliary head's parameters.
  var auxiliarySuffixes: [(suffix: String, role: AuxiliaryRole)] {
    [
      (auxiliary.convolution + "weight", .kernel),
      (auxiliary.convolution + "bias", .convolutionBias),
    ]
      + batchNorm.map { (auxiliary.batchNorm + $1, .batchNorm($0)) }
      + LayerField.allCases.map { (auxiliary.classifier + $0.rawValue, .classifier($0)) }
  }

  /// The name of a tensor with this role.
  public func name(of role: Role) -> String {
    func join(_ path: String, _ suffix: String) -> String {
      path.isEmpty ? suffix : "\(path).\(suffix)"
    }
    switch role {
    case .block(let path, let role):
      // Every role is in every table, so the search cannot fail.
      return join(path, blockSuffixes.first { $0.role == role }!.suffix)
    case .auxiliary(let path, let role):
      return join(path, auxiliarySuffixes.first { $0.role == role }!.suffix)
    case .classifier(let field):
      return classifier + field.rawValue
    case .other(let name):
      return name
    }
  }
}
