public import Tensors

/// What computes a network in int8, and so the form that its integers take.
public enum IntegerTarget: String, CaseIterable, Encodable, Sendable {
  /// ONNX Runtime, OpenVINO and OpenCV: values from 0 to 255 with a zero point, biases in int32.
  case cpu
  /// TensorRT: values from -128 to 127 without a zero point, biases in float32.
  case tensorrt
}

/// How a network is made to compute in int8.
public struct CalibrationOptions: Sendable {
  /// What computes it; nil if weights alone become int8, and values stay as they are.
  public var target: IntegerTarget? = .cpu
  /// Whether biases make up for what rounding adds to the means.
  public var correctsBiases = true
  /// Layers that stay in float32, by their block or their weight's name.
  public var keptLayers: [String] = []
  /// How many more stay in float32: those that int8 harms most.
  public var keptCount = 0
  /// Layers that alone bring the signal-to-noise ratio of the result below so many decibels stay in
  /// float32.
  public var keptBelow: Double?
  /// Whether all channels of a weight have one scale. Layers are equalised before.
  public var hasOneScalePerTensor = false
  /// Whether fewer images than `leastImages` will do.
  public var allowsFewImages = false
  public var threads = Threads.all

  public init() {}

  /// Below so many images ranges tell little of other images.
  public static let leastImages = 16
  /// From so many images on, ranges are taken as they are.
  public static let enoughImages = 64

  /// What the largest magnitudes of values are multiplied by, as other images may have larger ones.
  ///
  /// Measured on RepVGG-A0: 16 images as they are lose 5 dB of 35, with 1.25 less than 1; 4 images gain 9
  /// of the 22 they lose with 2.
  static func margin(images: Int) -> Double {
    images >= enoughImages ? 1 : images >= leastImages ? 1.25 : 2
  }
}
