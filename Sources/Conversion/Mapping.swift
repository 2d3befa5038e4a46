internal import Checkpoints
public import Naming
public import Tensors

/// What becomes of the names and shapes of a file.
public struct Mapping: Sendable {
  /// Of the input; nil if no block of a known one is in it, and names are kept.
  public var dialect: Dialect?
  /// Of the output.
  public var names: Dialect
  /// In the order of the output.
  public var renamings: [Renaming]
  /// Names that are not in the output, by reason.
  public var dropped: [(reason: String, names: [String])]

  /// Tensors that are called otherwise now.
  public var renamedCount: Int { renamings.count { $0.from != $0.to } }
}

/// One tensor of the output, and the one it comes from.
public struct Renaming: Equatable, Sendable {
  public var from: String
  public var to: String
  public var fromShape: Shape
  public var toShape: Shape
}

extension StateDict {
  /// The shapes that tensors have in the file, by name.
  var shapes: [String: Shape] {
    Dictionary(tensors.map { ($0.name, $0.tensor.shape) }) { first, _ in first }
  }
}
