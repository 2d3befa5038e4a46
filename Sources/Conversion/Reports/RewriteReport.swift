public import Tensors

/// What `rewrite` did.
public struct RewriteReport: Encodable, Sendable {
  public var source: FileSummary
  public var output: OutputSummary
  /// Elements that an optimiser changes.
  public var parameters: Int
  /// The order in which the output's first convolution expects the colours.
  public var channelOrder: InputConvention.ChannelOrder
  public var flippedChannels: Bool
  /// Of the output. Nil for blocks inside a larger network, unless it is given.
  public var input: KnownInput?
  public var mapping: Mapping
  /// What should be said of the conversion, beside the notes on the source.
  public var notes: [Note]

  private enum CodingKeys: String, CodingKey {
    case source, output, parameters, channelOrder
    case flippedChannels = "channelsReversed"
    case input, mapping, notes
  }
}
