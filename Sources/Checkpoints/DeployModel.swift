public import Tensors

/// A network in deploy form, ready to be written: what `.rvd` stores.
public struct DeployModel: Sendable {
  /// In execution order where the network is known, else in the order of the source.
  public var tensors: [OutputTensor]
  public var description: ModelDescription
  /// How it computes in int8; nil if it does not. Formats of tensors have no place for it.
  public var integers: IntegerArithmetic?

  /// Tensors, and what is said of them; the graph's operands are their indices.
  public init(tensors: [OutputTensor], _ description: ModelDescription) {
    self.tensors = tensors
    self.description = description
  }
}
