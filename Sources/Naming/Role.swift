public import Blocks
public import Tensors

/// What a tensor is for, whatever a project calls it: an address.
public enum Role: Hashable, Sendable {
  /// A parameter of a block.
  case block(BlockAddress, ParameterAddress)
  /// The final linear layer: weight `[classes, channels]`, bias `[classes]`.
  case classifier(Part)
  /// Anything else, under the name it has.
  case other(name: Name)

}

/// A block of a network: where it stands, and of which family it is. Equal if the path is: there is one
/// block at a place, and names of deploy forms do not always tell the family.
public struct BlockAddress: Hashable, Sendable {
  /// In the numbering of the family's first project: `stage1.0`; or any path inside a larger network.
  public var path: Name
  /// Which layers it can have, and what they compute.
  public var family: BlockFamily

  public init(_ family: BlockFamily, _ path: Name) {
    self.family = family
    self.path = path
  }

  public static func == (a: BlockAddress, b: BlockAddress) -> Bool { a.path == b.path }
  public func hash(into hasher: inout Hasher) { hasher.combine(path) }
}

extension Role {
  /// Whether an optimiser changes it: all but BatchNorm's running statistics.
  public var isTrainable: Bool {
    switch self {
    case .block(let block, let address):
      address.part.isTrainable
        && (address.part != .value
          || block.family.layer(named: address.layer.name)?.isFixed != true)
    case .classifier: true
    case .other(let name):
      !["running_mean", "running_var", "num_batches_tracked"].contains(name.lastPart)
    }
  }

  /// The family of the block it belongs to.
  public var family: BlockFamily? {
    if case .block(let block, _) = self { block.family } else { nil }
  }

  /// The bias of the layer whose weight this is.
  var biasBeside: Role? {
    switch self {
    case .block(let block, let address) where address.part == .weight:
      .block(block, ParameterAddress(address.layer, .bias))
    case .classifier(.weight): .classifier(.bias)
    default: nil
    }
  }
}
