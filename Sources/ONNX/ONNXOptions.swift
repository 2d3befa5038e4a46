/// What an ONNX file says beside what the network computes.
public struct ONNXOptions: Equatable, Sendable {
  /// The version of ONNX's operators that the nodes follow; one of `operatorSets`.
  public var operatorSet = 13
  /// Images that it takes at a time; nil for any number, which shapes call `N`.
  public var batch: Int?
  /// Height and width of the images.
  public var imageSize: (height: Int, width: Int)
  /// Who writes it: `repconv`, and its version.
  public var producer: (name: String, version: String)
  /// The longest message that is written. Above it, which no protobuf library reads, tensors go to a
  /// second file.
  public var largestMessage = ONNXOptions.usualLargestMessage

  public init(
    imageSize: (height: Int, width: Int), producer: (name: String, version: String)
  ) {
    self.imageSize = imageSize
    self.producer = producer
  }

  public static func == (a: ONNXOptions, b: ONNXOptions) -> Bool {
    a.operatorSet == b.operatorSet && a.batch == b.batch && a.imageSize == b.imageSize
      && a.producer == b.producer && a.largestMessage == b.largestMessage
  }

  /// Protobuf libraries count the bytes of a message in 31 bits; less a megabyte for programs that add to
  /// it.
  public static let usualLargestMessage = (1 << 31) - 1 - (1 << 20)

  /// Versions of ONNX's operators that can be written.
  public static let operatorSets = 11...25

  /// The version of the format that came with each of `operatorSets`, from 11 (`docs/Versioning.md` of
  /// github.com/onnx/onnx).
  private static let formatVersions = [6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 13]

  var formatVersion: Int {
    ONNXOptions.formatVersions[operatorSet - ONNXOptions.operatorSets.lowerBound]
  }
}
