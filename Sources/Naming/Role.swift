public import Blocks

/// What a tensor is for, whatever a project calls it: an address.
public enum Role: Hashable, Sendable {
  /// A parameter of a block.
  case block(BlockAddress, ParameterAddress)
  /// The final linear layer: weight `[classes, channels]`, bias `[classes]`.
  case classifier(Part)
  /// Anything else, under the name it has.
  case other(name: String)

  /// Names are the same if their bytes are; Swift's text is also equal if it looks the same.
  public static func == (a: Role, b: Role) -> Bool {
    switch (a, b) {
    case (.block(let block, let place), .block(let other, let otherPlace)):
      block == other && place == otherPlace
    case (.classifier(let part), .classifier(let other)): part == other
    case (.other(let name), .other(let other)): name.utf8.elementsEqual(other.utf8)
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .block(let block, let place):
      hasher.combine(block)
      hasher.combine(place)
    case .classifier(let part): hasher.combine(part)
    case .other(let name): hasher.combine(bytesOf: name)
    }
  }
}

extension Hasher {
  /// The bytes of a text, and not its canonical form.
  fileprivate mutating func combine(bytesOf text: String) {
    var text = text
    // Safe: the bytes are only read.
    text.withUTF8 { unsafe combine(bytes: UnsafeRawBufferPointer($0)) }
    combine(text.utf8.count)
  }
}

/// A block of a network: where it stands, and of which family it is. Equal if the path is: there is one
/// block at a place, and names of deploy forms do not always tell the family.
public struct BlockAddress: Hashable, Sendable {
  /// In the numbering of the family's first project: `stage1.0`; or any path inside a larger network.
  public var path: String
  /// Which layers it can have, and what they compute.
  public var family: BlockFamily

  public init(_ family: BlockFamily, _ path: String) {
    self.family = family
    self.path = path
  }

  public static func == (a: BlockAddress, b: BlockAddress) -> Bool {
    a.path.utf8.elementsEqual(b.path.utf8)
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(bytesOf: path) }
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
      !["running_mean", "running_var", "num_batches_tracked"].contains {
        name == $0 || name.hasSuffix("." + $0)
      }
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
