internal import Checkpoints
internal import Naming
internal import RVD
public import Tensors

/// Who the model in a file is.
public struct DigestReport: Encodable, Equatable, Sendable {
  /// As the user gave it.
  public var path: String
  /// The container, as a person would name it: `PyTorch zip`.
  public var container: String
  /// The keys, joined by points, that lead to the state dict; empty for the file's root.
  public var stateDict: Name
  /// How many tensors it has.
  public var tensors: Int
  /// SHA-256 over them, in hexadecimal.
  public var contentDigest: String

  private enum CodingKeys: String, CodingKey {
    case path = "file"
    case container = "format"
    case stateDict, tensors
    case contentDigest = "content"
  }
}

/// Computes the content digest of a file from its tensors as they are in it: the same for the same names,
/// types, shapes and values, whatever the container, its compression and what else it says. The file's
/// checksums are compared on the way.
///
/// - Parameters:
///   - key: the state dict, where the file has several.
///   - limits: of what the file may ask for.
/// - Throws: `ReadError`, also if the file records another digest; `NamingError` if it is not clear which
///   state dict is meant.
public func digest(
  _ path: String, key: String? = nil, limits: ReadingLimits = ReadingLimits(),
  threads: Threads = .all
) throws -> DigestReport {
  let checkpoint = try openCheckpoint(path, limits: limits)
  let stateDict = try checkpoint.stateDict(called: key)
  let content: String
  if let recorded = checkpoint.model?.contentSHA256, let verifyWhole = checkpoint.verifyWhole {
    // Computes it as well, and compares the two.
    try verifyWhole()
    content = recorded
  } else {
    content = try contentDigest(of: stateDict.tensors, threads: threads)
    try verifySources(of: stateDict.tensors.map(\.tensor))
  }
  return DigestReport(
    path: path, container: checkpoint.container,
    stateDict: stateDict.path.joined(separator: "."), tensors: stateDict.tensors.count,
    contentDigest: content)
}

extension Checkpoint {
  /// The only state dict, or the one with this path or last part of it; an empty one of a file without.
  fileprivate func stateDict(called key: String?) throws(NamingError) -> StateDict {
    let found = try stateDicts(called: key)
    guard found.count <= 1 else {
      throw .ambiguous(path: path, candidates: found.map(\.label))
    }
    return found.first ?? StateDict(tensors: [])
  }
}
