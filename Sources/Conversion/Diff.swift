internal import Checkpoints
internal import Naming
internal import Proof
internal import Reparameterization
internal import Tensors

/// Compares two files: copies of each other, or one the fused form of the other, in whatever names and
/// element types.
///
/// - Throws: `ReadError`; `NamingError` if a file holds several networks; `ConversionError`.
public func diff(
  _ first: String, _ second: String, options: ComparisonOptions = ComparisonOptions()
) throws -> DiffReport {
  var a = try Opened(
    openCheckpoint(first, family: options.reading.family, limits: options.reading.limits),
    options.reading)
  let checkpoint = try openCheckpoint(second, limits: options.reading.limits)
  let b = try Opened(checkpoint, options.reading.forSecond(checkpoint), asFormOf: a.network)
  // Names of deploy forms alone need not tell.
  if a.network == nil, let other = b.network {
    a = try Opened(a.checkpoint, options.reading, asFormOf: other)
  }
  var notes: [Note] = []

  func verification(
    _ train: Network, _ deploy: Network, _ model: ModelDescription?
  ) throws -> Verification? {
    do {
      let plan = try FusionPlan(
        train, epsilon: options.epsilon, isForGraph: deploy.foldsMoreThanProject)
      return try Verification(
        of: plan, epsilon: options.epsilon, in: deploy,
        biasCorrection: model?.biasCorrection ?? .none, tolerance: options.tolerance,
        threads: options.threads)
    } catch let error as FusionError {
      notes.append(.remark("cannot be fused: \(error)"))
      return nil
    }
  }

  var relation: DiffReport.Relation?
  if let x = a.network, let y = b.network {
    /// Whether the second may be the first, fused or fused further than its project does.
    func mayBeFused(_ first: Network, _ second: Network) -> Bool {
      second.isFused(beside: first)
        || second.form == .deploy && !first.blocksLeftByProject.isEmpty
          && second.foldsMoreThanProject
    }
    if mayBeFused(x, y) {
      relation = try verification(x, y, b.checkpoint.model).map { .secondFused($0) }
    } else if mayBeFused(y, x) {
      relation = try verification(y, x, a.checkpoint.model).map { .firstFused($0) }
    }
    if relation == nil {
      relation = .copies(
        try CopyComparison(x, y, tolerance: options.tolerance, threads: options.threads))
    }
  }
  var report = DiffReport(
    first: FileSummary(a.checkpoint, a.network, tensors: a.tensors),
    second: FileSummary(b.checkpoint, b.network, tensors: b.tensors),
    relation: try relation
      ?? .copies(
        CopyComparison(
          a.tensors, b.tensors, tolerance: options.tolerance, threads: options.threads)),
    tolerance: options.tolerance, notes: notes)
  try report.first.verifyChecksums(of: a.tensors.map(\.tensor))
  try report.second.verifyChecksums(of: b.tensors.map(\.tensor))
  return report
}

extension Network {
  /// Whether this is the deploy form, and another file is not. Some projects leave branches in theirs.
  fileprivate func isFused(beside other: Network) -> Bool {
    form == .deploy && other.form != .deploy || isFused && !other.isFused
  }
}

/// A file, with its network if one is recognised.
private struct Opened {
  let checkpoint: Checkpoint
  let network: Network?
  let tensors: [NamedTensor]

  init(_ checkpoint: Checkpoint, _ options: ReadingOptions, asFormOf other: Network? = nil) throws {
    self.checkpoint = checkpoint
    do {
      let network = try Network(recognising: checkpoint, options, asFormOf: other)
      self.network = network
      tensors = network.stateDict.tensors
    } catch {
      switch error {
      case .noBlocks, .misfit, .collision:
        network = nil
        tensors =
          try checkpoint.stateDicts(called: options.key)
          .max { $0.tensors.count < $1.tensors.count }?.tensors ?? []
        guard !tensors.isEmpty else { throw error }
      default: throw error
      }
    }
  }
}
