public import Naming
public import Tensors

/// A tensor of a network in deploy form, before it is named, shaped and rounded.
public struct DeployTensor: Sendable {
  /// What its elements are.
  public enum Contents: Sendable {
    /// Numbers, to be rounded to the type that is wanted.
    case numbers(any NumberSource)
    /// Weights in steps of scales, one for each index along the first axis.
    case steps(any NumberSource, scales: [Float])
    /// Elements of a type that weights do not come in, such as counters.
    case others(Tensor)
  }

  /// What it is for.
  public var role: Role
  /// In the layout of the role: OIHW, OI.
  public var shape: Shape
  /// What its elements are.
  public var contents: Contents

  public init(role: Role, shape: Shape, contents: Contents) {
    self.role = role
    self.shape = shape
    self.contents = contents
  }

  /// A tensor of a file.
  public init(_ tensor: Tensor, role: Role) {
    self.init(
      role: role, shape: tensor.shape,
      contents: tensor.isWeight ? .numbers(tensor) : .others(tensor))
  }

  /// Ready to be named and written: numbers rounded to `format`, all else as it is.
  public func output(as format: NumberFormat) -> OutputTensor {
    switch contents {
    case .numbers(let tensor as Tensor) where tensor.elementType == format.elementType:
      OutputTensor(name: "", tensor)
    case .numbers(let numbers): OutputTensor(name: "", shape: shape, numbers, as: format)
    case .steps(let numbers, let scales):
      OutputTensor(name: "", shape: shape, numbers, inStepsOf: scales)
    case .others(let tensor): OutputTensor(name: "", tensor)
    }
  }
}
