public import Proof
internal import Tensors

/// How two files compare.
public struct DiffReport: Encodable, Sendable {
  /// What the two files are to each other.
  public enum Relation: Sendable {
    /// Both hold the same tensors, perhaps under other names or in other types.
    case copies(CopyComparison)
    /// The second is in deploy form, the first in training form.
    case secondFused(Verification)
    /// The first is in deploy form, the second in training form.
    case firstFused(Verification)
  }

  /// The files, in the order in which they were named.
  public var first, second: FileSummary
  /// What they are to each other, and how far that holds.
  public var relation: Relation
  /// What may differ.
  public var tolerance: Tolerance
  /// What should be said of the comparison.
  public var notes: [Note] = []

  /// Whether both are the same network, up to what `relation` says.
  public var areSame: Bool {
    guard first.damage.isEmpty, second.damage.isEmpty else { return false }
    return switch relation {
    case .copies(let copies): copies.holds && !copies.tensors.isEmpty
    case .secondFused(let verification), .firstFused(let verification): verification.holds
    }
  }

  public func encode(to encoder: any Encoder) throws {
    let (name, copies, algebra): (String, CopyComparison?, Verification?) =
      switch relation {
      case .copies(let copies): ("copies", copies, nil)
      case .secondFused(let verification): ("secondFused", nil, verification)
      case .firstFused(let verification): ("firstFused", nil, verification)
      }
    try encoder.encode(members: [
      "same": areSame, "first": first, "second": second, "tolerance": tolerance, "relation": name,
      "copies": copies, "algebra": algebra, "notes": notes,
    ])
  }
}
