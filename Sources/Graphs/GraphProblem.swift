/// What is wrong with a graph, or with the sizes of its input.
public struct GraphProblem: Error, Equatable, Sendable {
  /// What can be wrong.
  public enum Cause: Sendable {
    /// The graph contradicts itself or its tensors.
    case contradiction
    /// The input is too small: a kernel does not fit what is left of it.
    case tooSmall
    /// A size is beyond what numbers hold.
    case tooLarge
  }
  /// Index of the node; nil if it is about the whole graph.
  public var node: Int?
  /// Of the node.
  public var kind: NodeKind?
  /// What of the node it is about: `op`, `inputs`, or the name of an operand or attribute.
  public var member: String
  public var cause = Cause.contradiction
  /// In words, as is `found`.
  public var expected: String
  public var found: String
}

extension GraphProblem: CustomStringConvertible {
  public var description: String {
    guard let node, let kind else { return "the graph: expected \(expected), found \(found)" }
    return "node \(node) (\(kind)), \(member): expected \(expected), found \(found)"
  }
}
