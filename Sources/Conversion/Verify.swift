public import Checkpoints
public import Naming
public import Proof
public import Reparameterization
public import Tensors

/// How two files are to be compared.
public struct ComparisonOptions: Sendable {
  /// Of the first file; the second is read with what applies to it, see `ReadingOptions.forSecond`.
  public var reading = ReadingOptions()
  public var architecture: Architecture?
  /// BatchNorm's epsilon, for training files that do not say it.
  public var epsilon: Double?
  public var tolerance = Tolerance.rounding
  public var threads = Threads.all

  public init() {}
}

/// One of two files that were compared.
public struct ComparedFile: Sendable {
  public var path: String
  public var container: String
  /// `pytorch`, `rvd`, …: see `inputFamilies`.
  public var family: String
  public var byteCount: Int
  /// Nil if no block of a known dialect is in it.
  public var dialect: Dialect?
  public var stage: Network.Stage?
  /// Its name or description, if it is a whole RepVGG.
  public var architecture: String?
  /// The element types of its kernels, or of all its tensors if none is known to be a kernel.
  public var kernelTypes: [ElementType]
  public var notes: [String]
  /// What the file says of its network, if it does.
  public var model: ModelDescription?
  /// Checksums that are wrong, in words.
  public var damage: [String] = []

  init(_ checkpoint: Checkpoint, _ network: Network?, tensors: [NamedTensor]) {
    path = checkpoint.path
    container = checkpoint.container
    family = checkpoint.family
    byteCount = checkpoint.byteCount
    model = checkpoint.model
    dialect = network?.dialect
    stage = network?.stage
    architecture = network.flatMap { (try? RepVGGStructure(of: $0))?.description }
    notes = checkpoint.allNotes + (network?.notes ?? [])
    let kernels = network?.parameters.filter { parameter in
      switch parameter.role {
      case .block(_, .kernel), .block(_, .fused(.weight)): true
      default: false
      }
    }.map(\.tensor.elementType)
    kernelTypes = Set(kernels ?? tensors.map(\.tensor.elementType)).sorted {
      $0.rawValue < $1.rawValue
    }
  }

  /// Compares the storages of tensors with the checksums that the file records.
  mutating func verifyChecksums(of tensors: [Tensor]) throws {
    var seen: Set<ObjectIdentifier> = []
    for tensor in tensors where seen.insert(ObjectIdentifier(tensor.source)).inserted {
      do {
        try tensor.source.verify()
      } catch {
        guard error.isCorruption else { throw error }
        damage.append(error.description)
      }
    }
  }
}

/// Whether a deploy file is a training checkpoint, fused.
public struct VerifyReport: Sendable {
  public var train, deploy: ComparedFile
  public var trainNetwork, deployNetwork: Network
  public var verification: Verification
  public var tolerance: Tolerance
  public var blocksWithIdentity: Int
  /// Names of the training checkpoint that are not part of the deploy form, by reason.
  public var dropped: [(reason: String, names: [String])]
  public var epsilons: [Double]
  /// Where the epsilons come from, in words.
  public var epsilonSource: String
  /// Another state dict of the training checkpoint, of which the deploy file is the fused form.
  public var agreeing: String?

  /// Whether everything that was looked at is right.
  public var holds: Bool { verification.holds && train.damage.isEmpty && deploy.damage.isEmpty }
}

/// Recomputes every block of a training checkpoint and compares the result with a deploy file.
///
/// - Throws: `ReadError`, `NamingError`, `FusionError`; `ConversionError.notComparable` if one of the
///   files is not of its form.
public func verify(
  _ train: String, _ deploy: String, options: ComparisonOptions = ComparisonOptions()
) throws -> VerifyReport {
  let checkpoint = try openCheckpoint(train, family: options.reading.family)
  let network = try Network(recognising: checkpoint, options.reading)
  let deployCheckpoint = try openCheckpoint(deploy)
  let deployNetwork = try Network(
    recognising: deployCheckpoint, options.reading.forSecond(deployCheckpoint))
  try requireForms(network, deployNetwork)

  let plan = try FusionPlan(network, architecture: options.architecture, epsilon: options.epsilon)
  let verification = try Verification(
    of: plan, epsilon: options.epsilon, in: deployNetwork, tolerance: options.tolerance,
    threads: options.threads)

  var report = VerifyReport(
    train: ComparedFile(checkpoint, network, tensors: []),
    deploy: ComparedFile(deployCheckpoint, deployNetwork, tensors: []), trainNetwork: network,
    deployNetwork: deployNetwork, verification: verification, tolerance: options.tolerance,
    blocksWithIdentity: plan.blocks.count(where: \.hasIdentity),
    dropped: grouped(plan.dropped), epsilons: plan.epsilons,
    epsilonSource: epsilonSource(network, given: options.epsilon))
  report.train.notes += plan.notes
  try report.train.verifyChecksums(of: network.parameters.map(\.tensor))
  try report.deploy.verifyChecksums(of: deployNetwork.parameters.map(\.tensor))
  if !verification.holds {
    report.agreeing = try otherStateDict(of: checkpoint, network, in: deployNetwork, options)
  }
  return report
}

extension ReadingOptions {
  /// For the second of two files: the same dialects, the same key if it has such, but neither rules
  /// for names nor a family that it must be of.
  func forSecond(_ checkpoint: Checkpoint) -> ReadingOptions {
    var options = ReadingOptions()
    options.dialects = dialects
    options.key = checkpoint.stateDicts.contains { $0.isCalled(key) } ? key : nil
    return options
  }
}

extension StateDict {
  /// Whether `key` is its path or the last part of that.
  func isCalled(_ key: String?) -> Bool {
    key != nil && (path.joined(separator: ".") == key || path.last == key)
  }
}

/// Where the epsilons of a fusion come from, in words.
func epsilonSource(_ network: Network, given: Double?) -> String {
  if network.parameters.contains(where: { network.module(of: $0)?.epsilon != nil }) {
    return "from the modules in the file"
  }
  return given != nil ? "from --bn-eps" : "the default of \(network.dialect.name)"
}

private func requireForms(_ train: Network, _ deploy: Network) throws {
  switch (train.stage, deploy.stage) {
  case (.deploy, .train):
    throw ConversionError.notComparable(
      path: train.path, reason: "it is in deploy form, and \(deploy.path) is a training checkpoint",
      remedy: "Name the training checkpoint first: repconv verify TRAIN DEPLOY.")
  case (.deploy, _):
    throw ConversionError.notComparable(
      path: train.path, reason: "it is in deploy form: there are no branches to recompute it from",
      remedy: "Name its training checkpoint; 'repconv diff' compares two deploy files.")
  case (_, .train):
    throw ConversionError.notComparable(
      path: deploy.path,
      reason: "it is a training checkpoint, and has no fused convolution to compare",
      remedy: "Name a deploy file; 'repconv diff' compares two training checkpoints.")
  default: break
  }
}

/// The first of the checkpoint's other state dicts of which `deploy` is the fused form: often the
/// averaged weights were fused, or were not.
private func otherStateDict(
  of checkpoint: Checkpoint, _ network: Network, in deploy: Network, _ options: ComparisonOptions
) throws -> String? {
  let limit = 8  // Files with more hold something else.
  for dict in checkpoint.stateDicts.prefix(limit) where dict.path != network.stateDict.path {
    let key = dict.path.joined(separator: ".")
    var reading = options.reading
    reading.key = key
    guard let other = try? Network(recognising: checkpoint, reading),
      let plan = try? FusionPlan(other, epsilon: options.epsilon),
      let verification = try? Verification(
        of: plan, epsilon: options.epsilon, in: deploy, tolerance: options.tolerance,
        threads: options.threads),
      verification.holds
    else { continue }
    return key
  }
  return nil
}
