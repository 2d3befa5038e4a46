internal import Blocks
internal import Checkpoints
public import Naming
internal import Tensors
public import Topologies

/// Groups of the convolutions of a network, as far as its file tells: from the structure of the whole,
/// from a pickled module, or from an identity, which has as many input as output channels.
public struct ConvolutionGroups: Sendable {
  private var groups: [Name: Int] = [:]

  /// Of a network, and its structure if that is known.
  public init(of network: Network, in structure: Structure?) {
    for block in structure?.blocks ?? [] { groups[block.path] = block.groups }
    for block in network.blocks + network.trainingBlocks where groups[block.path] == nil {
      guard let kernel = block.mainKernel?.tensor.shape, kernel.rank == 4, kernel[1] > 0 else {
        continue
      }
      groups[block.path] =
        network.statedGroups(of: block)
        ?? (block.hasIdentity || block.family.keepsWidth ? kernel[0] / kernel[1] : nil)
    }
  }

  /// Of the convolution that a parameter belongs to; nil if it belongs to none, or it cannot be told.
  public func groups(of role: Role) -> Int? {
    if case .block(let block, _) = role { groups[block.path] } else { nil }
  }
}

extension Network {
  /// Groups of a block's convolution, if a pickled module says so.
  func statedGroups(of block: Block) -> Int? {
    block.mainKernel.flatMap { module(of: $0)?.groups }
  }
}
