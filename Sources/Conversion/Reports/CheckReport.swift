public import Checkpoints
public import Proof
public import Tensors

/// What is wrong with a file, or may be.
public struct Finding: Encodable, Equatable, Sendable {
  /// How bad it is.
  public enum Severity: String, Encodable, Sendable {
    /// The file should not be used.
    case failure
    /// Somebody should look at it; trained networks can be like that.
    case warning
  }
  /// What was looked at.
  public enum Kind: String, Encodable, Sendable {
    /// The container's directory, or what it says of its tensors, is damaged.
    case container
    /// Of bytes; of the network; of what a pickle calls.
    case checksum, structure, global
    /// Values that are infinite or no numbers.
    case notFinite = "not finite"
    /// BatchNorm's variances at or below zero.
    case runningVariance = "running variance"
    /// Numbers too large for a network: the run diverged, or the bytes are misread.
    case range
    /// Output channels of a kernel that are always zero.
    case deadChannels = "dead channels"
    /// Values that float16 cannot hold.
    case float16
  }
  /// How bad it is.
  public var severity: Severity
  /// What it is about, for scripts.
  public var kind: Kind
  /// The tensor or block it is about.
  public var subject: Name?
  /// What was found, in words.
  public var text: String
}

/// The state of a file: whether its bytes are what they were, and its values what a network can use.
public struct CheckReport: Encodable, Sendable {
  /// The file that was looked at.
  public var file: FileSummary
  /// Whether warnings count as failures.
  public var isStrict: Bool
  /// Every tensor of every state dict, in the file's order.
  public var tensors: [TensorHealth]
  /// How many the file has.
  public var stateDicts: Int
  /// Names that its pickles refer to. None was called.
  public var globals: [PickledGlobal]
  /// Failures first.
  public var findings: [Finding]

  /// Whether nothing is wrong, as strictly as asked.
  public var isSound: Bool {
    isStrict ? findings.isEmpty : !findings.contains { $0.severity == .failure }
  }

  /// The keys of the file, and these.
  public func encode(to encoder: any Encoder) throws {
    try file.encode(to: encoder)
    try encoder.encode(members: [
      "sound": isSound, "strict": isStrict, "stateDicts": stateDicts, "findings": findings,
      "globals": globals, "tensors": tensors,
    ])
  }
}
