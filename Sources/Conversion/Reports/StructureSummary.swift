internal import Naming
package import Reparameterization

/// The sizes of a whole network that is known.
public struct StructureSummary: Encodable, Equatable, Sendable {
  /// Blocks of each stage behind the first block.
  public var depths: [Int]
  /// Output channels of the first block and of each stage.
  public var widths: [Int]
  /// The numbers of groups that blocks have, each once, ascending.
  public var groups: [Int]
  public var classes: Int
  /// `beforeActivation` or `afterActivation`; nil if there is none.
  public var squeezeExcitation: String?

  package init(_ structure: RepVGGStructure) {
    let stages = Dictionary(grouping: structure.layers.dropFirst()) {
      $0.path.dropFirst("stage".count).first!
    }
    .sorted { $0.key < $1.key }.map(\.value)
    depths = stages.map(\.count)
    widths = ([structure.layers[0]] + stages.map { $0[0] }).map(\.outputChannels)
    groups = Set(structure.layers.map(\.groups)).sorted()
    classes = structure.classes
    squeezeExcitation = structure.squeezeExcitation?.rawValue
  }
}

/// One block of a whole network that is known.
public struct BlockSummary: Encodable, Equatable, Sendable {
  public var path: String
  public var inputChannels: Int
  public var outputChannels: Int
  /// Height and width of the kernel.
  public var kernelSize: Int
  public var stride: Int
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

  package init(_ layer: RepVGGStructure.Layer) {
    path = layer.path
    inputChannels = layer.inputChannels
    outputChannels = layer.outputChannels
    kernelSize = layer.kernelSize
    stride = layer.stride
    groups = layer.groups
    hasIdentity = layer.hasIdentity
    squeezedChannels = layer.squeezed
  }
}
