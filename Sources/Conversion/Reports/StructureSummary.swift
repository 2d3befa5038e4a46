internal import Blocks
public import Tensors
package import Topologies

/// The sizes of a whole network that is known.
public struct StructureSummary: Encodable, Equatable, Sendable {
  /// Blocks of each stage behind the stem.
  public var depths: [Int]
  /// Output channels of the stem and of each stage.
  public var widths: [Int]
  /// The numbers of groups that blocks have, each once, ascending; depthwise ones left out.
  public var groups: [Int]
  /// Outputs of the classifier.
  public var classes: Int
  /// `beforeActivation` or `afterActivation`; nil if there is none.
  public var squeezeExcitation: String?

  package init(_ structure: Structure) {
    depths = structure.stages.map(\.depth)
    widths = [structure.stemChannels] + structure.stages.map(\.channels)
    // Of depthwise blocks, whose groups are their channels, there is nothing to tell.
    groups = Set(
      structure.blocks.filter { $0.groups == 1 || $0.groups < $0.inputChannels }.map(\.groups)
    ).sorted()
    classes = structure.classes
    squeezeExcitation =
      structure.blocks.lazy.compactMap(\.squeezeExcitation).first.map {
        $0.placement == .beforeActivation ? "beforeActivation" : "afterActivation"
      }
  }
}

/// One block of a whole network that is known.
public struct BlockSummary: Encodable, Equatable, Sendable {
  /// In the numbering of the family's first project: `stage1.0`.
  public var path: Name
  /// Of the block's convolution, all groups together.
  public var inputChannels: Int
  /// Of the block's convolution.
  public var outputChannels: Int
  /// Height and width of the kernel.
  public var kernelSize: Int
  /// In both directions.
  public var stride: Int
  /// Of the block's convolution.
  public var groups: Int
  /// Whether the training form has an identity branch.
  public var hasIdentity: Bool
  /// Channels of the inner layer of Squeeze-and-Excitation.
  public var squeezedChannels: Int?

  private enum CodingKeys: String, CodingKey {
    case path = "block"
    case inputChannels, outputChannels, kernelSize, stride, groups
    case hasIdentity = "identity"
    case squeezedChannels
  }

  package init(_ block: BlockShape) {
    path = block.path
    inputChannels = block.inputChannels
    outputChannels = block.outputChannels
    kernelSize = block.kernelSize
    stride = block.stride
    groups = block.groups
    hasIdentity = block.hasIdentity
    squeezedChannels = block.squeezeExcitation?.channels
  }
}
