public import Checkpoints
public import Naming
public import Reparameterization
internal import Tensors

/// What is in a file, as far as its directory and object graph tell; no weight is read.
public struct Inspection: Sendable {
  public var checkpoint: Checkpoint
  /// The state dict with roles; nil if no block of a known dialect is in the file.
  public var network: Network?
  /// Why there is no network, in words.
  public var reason: String?
  /// The whole network, or why it is not known.
  public var structure: Result<RepVGGStructure, RepVGGStructure.Deviation>?
  /// The tensors that are shown: the network's state dict, or the one with the most tensors.
  public var stateDict: StateDict?

  /// `train`, `deploy`, `mixed`, or nil.
  public var stage: Network.Stage? { network?.stage }

  /// The whole network's name or description, if it is a RepVGG.
  public var architecture: String? { try? structure?.get().description }

  /// Elements that an optimiser changes; of an unrecognised file all floating point elements.
  public var parameters: Int {
    if let network { return network.trainableParameterCount }
    return stateDict?.tensors.reduce(0) {
      $0 + ($1.tensor.elementType.isWeightType ? $1.tensor.shape.elementCount : 0)
    } ?? 0
  }

  /// BatchNorm epsilons that the file itself tells, each once, ascending.
  public var epsilonsInFile: [Double] {
    Set(stateDict?.modules.values.compactMap(\.epsilon) ?? []).sorted()
  }
}

/// Reads what a file says of itself.
///
/// - Throws: `ReadError`; `NamingError.noSuchKey`; `ConversionError.notFrom`.
public func inspect(_ path: String, options: ReadingOptions = ReadingOptions()) throws -> Inspection
{
  let checkpoint = try openCheckpoint(path, family: options.family)
  var inspection = Inspection(checkpoint: checkpoint)
  switch recognition(of: checkpoint, options) {
  case .success(let network):
    inspection.network = network
    inspection.stateDict = network.stateDict
    inspection.structure = Result { () throws(RepVGGStructure.Deviation) in
      try RepVGGStructure(of: network)
    }
  case .failure(.noSuchKey(let path, let key, let candidates)):
    throw NamingError.noSuchKey(path: path, key: key, candidates: candidates)
  case .failure(let error):
    inspection.reason = error.description
    inspection.stateDict = checkpoint.stateDicts
      .filter { dict in
        options.key.map { $0 == dict.path.joined(separator: ".") || $0 == dict.path.last } ?? true
      }
      .max { $0.tensors.count < $1.tensors.count }
  }
  return inspection
}

private func recognition(
  of checkpoint: Checkpoint, _ options: ReadingOptions
) -> Result<Network, NamingError> {
  Result { () throws(NamingError) in try Network(recognising: checkpoint, options) }
}

extension Inspection {
  /// Compares every tensor with the checksum that the container records for it, if any, and all else that
  /// the container vouches for.
  ///
  /// - Throws: `ReadError`.
  public func verifyChecksums() throws {
    if let verifyWhole = checkpoint.verifyWhole { return try verifyWhole() }
    try verifySources(of: stateDict?.tensors.map(\.tensor) ?? [])
  }
}
