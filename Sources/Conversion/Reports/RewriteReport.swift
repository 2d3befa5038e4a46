public import Checkpoints
internal import Tensors

/// What `rewrite` did.
public struct RewriteReport: Encodable, Sendable {
  /// The file that was read.
  public var source: FileSummary
  /// The file that was written.
  public var output: OutputSummary
  /// Elements that an optimiser changes.
  public var parameters: Int
  /// The order in which the output's first convolution expects the colours; nil where nothing says it.
  public var channelOrder: InputConvention.ChannelOrder?
  /// Whether that is another than the source's.
  public var flippedChannels: Bool
  /// Of the output. Nil for blocks inside a larger network, unless it is given.
  public var input: KnownInput?
  /// What the output says for people; nil if that is nothing.
  public var metadata: ModelMetadata?
  /// BatchNorm's, each once, ascending, where a training form became a graph; else nil.
  public var epsilons: [Double]?
  /// Who says them.
  public var epsilonSource: EpsilonSource?
  /// What each tensor of the output comes from.
  public var mapping: Mapping
  /// What should be said of the conversion, beside the notes on the source.
  public var notes: [Note]
  /// If weights became int8.
  public var quantization: QuantizationReport?

  private enum CodingKeys: String, CodingKey {
    case source, output, parameters, channelOrder
    case flippedChannels = "channelsReversed"
    case input, metadata, epsilons, epsilonSource, mapping, notes, quantization
  }
}
