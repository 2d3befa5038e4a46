internal import Checkpoints
public import Tensors

/// What becomes of the names and shapes of a file.
public struct Mapping: Encodable, Sendable {
  /// The dialect of the input's names; nil if they are of none.
  public var dialect: String?
  /// The dialect of the output's.
  public var names: String?
  /// In the order of the output.
  public var renamings: [Renaming]
  /// What is not in the output.
  public var dropped: [DroppedTensors]

  /// Tensors that are called otherwise now.
  public var renamedCount: Int { renamings.count { $0.from != $0.to } }

  private enum CodingKeys: String, CodingKey {
    case dialect, names
    case renamings = "tensors"
    case dropped
  }
}

/// One tensor of the output, and the one it comes from.
public struct Renaming: Encodable, Equatable, Sendable {
  /// The name in the input.
  public var from: Name
  /// The shape in the input.
  public var fromShape: Shape
  /// The name in the output.
  public var to: Name
  /// The shape in the output.
  public var toShape: Shape
}

/// Tensors and other entries that are not in the output, for one reason.
public struct DroppedTensors: Encodable, Equatable, Sendable {
  /// In words.
  public var reason: String
  /// In the input.
  public var names: [Name]

  /// By reason, both in the order of their first appearance.
  static func grouped(_ dropped: [(name: Name, reason: String)]) -> [DroppedTensors] {
    var result: [DroppedTensors] = []
    var index: [String: Int] = [:]
    for (name, reason) in dropped {
      if let at = index[reason] {
        result[at].names.append(name)
      } else {
        index[reason] = result.count
        result.append(DroppedTensors(reason: reason, names: [name]))
      }
    }
    return result
  }
}

extension StateDict {
  /// The shapes that tensors have in the file, by name.
  var shapes: [Name: Shape] {
    Dictionary(tensors.map { ($0.name, $0.tensor.shape) }) { first, _ in first }
  }
}
