public import Tensors

/// What became of a network that was made to compute in int8.
public struct CalibrationReport: Encodable, Sendable {
  /// One convolution or linear layer.
  public struct Layer: Encodable, Equatable, Sendable {
    /// Of its weight, in the output.
    public var name: Name
    /// What its weight is stored in.
    public var elementType: ElementType
    /// The power of the network's result over that of what changes if this layer alone computes in int8,
    /// in decibels; nil if nothing changes, or it was not measured.
    public var alone: Double?
    /// Likewise if this layer and all before it do.
    public var cumulative: Double?
    /// Whether its bias makes up for the change of its mean.
    public var isCorrected: Bool

    private enum CodingKeys: String, CodingKey {
      case name
      case elementType = "dtype"
      case alone = "decibelsAlone"
      case cumulative = "decibelsCumulative"
      case isCorrected = "biasCorrected"
    }
  }
  /// What computes it; nil if the output has weights in int8 alone.
  public var target: IntegerTarget?
  /// Those that ranges are from.
  public var images: Int
  /// What the ranges that they have are multiplied by.
  public var margin: Double
  /// Whether all channels of a weight have one scale.
  public var hasOneScalePerTensor: Bool
  /// In the order of the network.
  public var layers: [Layer]
  /// The power of the network's result over that of what int8 changes, in decibels, on the images that
  /// biases were corrected with; nil if it changes nothing.
  public var signalToNoise: Double?

  /// Whether a bias was changed.
  public var correctsBiases: Bool { layers.contains(where: \.isCorrected) }

  /// The layers, those first that int8 harms most.
  public var worstFirst: [Layer] {
    layers.enumerated().sorted {
      ($0.element.alone ?? .infinity, $0.offset) < ($1.element.alone ?? .infinity, $1.offset)
    }.map(\.element)
  }

  private enum CodingKeys: String, CodingKey {
    case target = "for"
    case images, margin
    case hasOneScalePerTensor = "perTensor"
    case layers
    case signalToNoise = "decibels"
  }
}
