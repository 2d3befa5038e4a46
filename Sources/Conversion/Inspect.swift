internal import Checkpoints
internal import Naming
internal import RVD
internal import Reparameterization
internal import Tensors
internal import Topologies

/// A file, and what was recognised in it; no weight is read.
struct Inspection: Sendable {
  var checkpoint: Checkpoint
  /// The state dict with roles; nil if no block of a known dialect is in the file.
  var network: Network?
  /// Why there is no network, in words.
  var reason: String?
  /// The whole network, or why it is not known.
  var structure: Result<Structure, Deviation>?
  /// The tensors that are shown: the network's state dict, or the one with the most tensors.
  var stateDict: StateDict?

  /// `train`, `deploy`, `mixed`, or nil: also where blocks have parameters whose meaning is not known, and
  /// so may be of another form than they seem.
  var form: Network.Form? {
    network.flatMap { $0.unknownInBlocks.isEmpty ? $0.form : nil }
  }

  /// Elements that an optimiser changes, by the names of what it does not; of an unrecognised file among
  /// all floating point elements.
  var parameters: Int {
    if let network { return network.trainableParameterCount }
    return stateDict?.tensors.reduce(0) {
      let isTrainable =
        $1.tensor.isWeight && Role.other(name: $1.name).isTrainable
      return $0 + (isTrainable ? $1.tensor.shape.elementCount : 0)
    } ?? 0
  }

  /// BatchNorm epsilons that the file itself tells, each once, ascending.
  var epsilonsInFile: [Double] {
    Set(stateDict?.modules.values.compactMap(\.epsilon) ?? []).sorted()
  }
}

/// Reads what a file says of itself.
///
/// - Parameter verifies: whether to compare all tensors with the checksums that the container records
///   for them, which reads them; by default, of an `.rvd` only.
/// - Throws: `ReadError`; `NamingError.noSuchKey`; `ConversionError.notFrom`.
public func inspect(
  _ path: String, options: ReadingOptions = ReadingOptions(), verifying verifies: Bool? = nil
) throws -> InspectReport {
  let inspection = try Inspection(of: path, options)
  // Containers that vouch for all of themselves are held to it.
  let verifyWhole = inspection.checkpoint.verifyWhole
  let isVerified = verifies ?? (verifyWhole != nil)
  if isVerified {
    if let verifyWhole {
      try verifyWhole()
    } else {
      try verifySources(of: inspection.stateDict?.tensors.map(\.tensor) ?? [])
    }
  }
  return InspectReport(inspection, isVerified: isVerified)
}

extension Inspection {
  init(of path: String, _ options: ReadingOptions) throws {
    let checkpoint = try openCheckpoint(path, family: options.family, limits: options.limits)
    self.init(checkpoint: checkpoint)
    switch recognition(of: checkpoint, options) {
    case .success(let network):
      self.network = network
      stateDict = network.stateDict
      structure = Result { () throws(Deviation) in
        try Structure(of: network)
      }
    case .failure(let error):
      reason = error.description
      stateDict = try checkpoint.stateDicts(called: options.key)
        .max { $0.tensors.count < $1.tensors.count }
    }
  }
}

private func recognition(
  of checkpoint: Checkpoint, _ options: ReadingOptions
) -> Result<Network, NamingError> {
  Result { () throws(NamingError) in try Network(recognising: checkpoint, options) }
}
