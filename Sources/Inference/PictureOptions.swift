public import Checkpoints
public import Conversion
public import ImageFiles

/// How pictures become the input of a network, as far as somebody who knows says it; the rest is left to the
/// network's file.
public struct PictureOptions: Sendable {
  /// What is said of the input.
  public var input = GivenInput()
  /// Pictures are scaled to size / ratio before their middle is cut out; by default 0.875 for 224, else 1.
  public var cropRatio: Double?

  public init() {}

  /// How numbers are made of pixels; nil where neither the file nor anybody says it.
  public func convention(for network: RunnableNetwork) -> InputConvention? {
    input.convention(known: network.input)
  }

  /// - Parameter path: the network's file, for the error.
  /// - Throws: `InferenceError.inputUnknown`.
  public func requireConvention(
    for network: RunnableNetwork, path: String
  ) throws(InferenceError) -> InputConvention {
    guard let convention = convention(for: network) else { throw .inputUnknown(path: path) }
    return convention
  }

  /// How pictures are scaled and cut.
  ///
  /// - Throws: `InferenceError.limitExceeded` if the file alone says to which size, and that is what no network
  ///   takes.
  public func preparation(for network: RunnableNetwork) throws(InferenceError) -> ImagePreparation {
    let preparation =
      if let size = input.size { ImagePreparation(usualFor: size) } else {
        try network.preparation
      }
    guard let cropRatio else { return preparation }
    return ImagePreparation(size: preparation.size, cropRatio: cropRatio)
  }
}
