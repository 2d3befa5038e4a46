internal import Checkpoints
internal import Naming
public import Proof
internal import Reparameterization
internal import Tensors

/// How two files compare.
public struct DiffReport: Sendable {
  public enum Relation: Sendable {
    /// Both hold the same tensors, perhaps under other names or in other types.
    case copies(CopyComparison)
    /// The second is in deploy form, the first in training form.
    case secondFused(Verification)
    /// The first is in deploy form, the second in training form.
    case firstFused(Verification)
  }

  public var first, second: ComparedFile
  public var relation: Relation
  public var tolerance: Tolerance
  /// What should be said.
  public var notes: [String] = []

  /// Whether both are the same network, up to what `relation` says.
  public var areSame: Bool {
    guard first.damage.isEmpty, second.damage.isEmpty else { return false }
    return switch relation {
    case .copies(let copies): copies.holds && !copies.tensors.isEmpty
    case .secondFused(let verification), .firstFused(let verification): verification.holds
    }
  }
}

/// Compares two files: copies of each other, or one the fused form of the other, in whatever names and
/// element types.
///
/// - Throws: `ReadError`; `NamingError` if a file holds several networks; `ConversionError`.
public func diff(
  _ first: String, _ second: String, options: ComparisonOptions = ComparisonOptions()
) throws -> DiffReport {
  let a = try Opened(openCheckpoint(first, family: options.reading.family), options.reading)
  let checkpoint = try openCheckpoint(second)
  let b = try Opened(checkpoint, options.reading.forSecond(checkpoint))
  var notes: [String] = []

  func verification(_ train: Network, _ deploy: Network) throws -> Verification? {
    do {
      let plan = try FusionPlan(train, epsilon: options.epsilon)
      return try Verification(
        of: plan, epsilon: options.epsilon, in: deploy, tolerance: options.tolerance,
        threads: options.threads)
    } catch let error as FusionError {
      notes.append("cannot be fused: \(error)")
      return nil
    }
  }

  var relation: DiffReport.Relation?
  if let x = a.network, let y = b.network {
    if x.stage != .deploy, y.stage == .deploy {
      relation = try verification(x, y).map { .secondFused($0) }
    } else if x.stage == .deploy, y.stage != .deploy {
      relation = try verification(y, x).map { .firstFused($0) }
    }
    if relation == nil {
      relation = .copies(
        try CopyComparison(x, y, tolerance: options.tolerance, threads: options.threads))
    }
  }
  var report = DiffReport(
    first: ComparedFile(a.checkpoint, a.network, tensors: a.tensors),
    second: ComparedFile(b.checkpoint, b.network, tensors: b.tensors),
    relation: try relation
      ?? .copies(
        CopyComparison(
          a.tensors, b.tensors, tolerance: options.tolerance, threads: options.threads)),
    tolerance: options.tolerance, notes: notes)
  try report.first.verifyChecksums(of: a.tensors.map(\.tensor))
  try report.second.verifyChecksums(of: b.tensors.map(\.tensor))
  return report
}

/// A file, with its network if one is recognised.
private struct Opened {
  let checkpoint: Checkpoint
  let network: Network?
  let tensors: [NamedTensor]

  init(_ checkpoint: Checkpoint, _ options: ReadingOptions) throws {
    self.checkpoint = checkpoint
    do {
      let network = try Network(recognising: checkpoint, options)
      self.network = network
      tensors = network.stateDict.tensors
    } catch {
      switch error {
      case .noBlocks, .misfit, .collision:
        let dicts = checkpoint.stateDicts
        let chosen = dicts.first { $0.isCalled(options.key) }
        network = nil
        tensors = (chosen ?? dicts.max { $0.tensors.count < $1.tensors.count })?.tensors ?? []
        guard !tensors.isEmpty else { throw error }
      default: throw error
      }
    }
  }
}
