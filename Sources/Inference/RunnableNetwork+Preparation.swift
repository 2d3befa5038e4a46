internal import Checkpoints
public import ImageFiles
internal import Tensors

extension RunnableNetwork {
  /// How pictures are scaled and cut for this network: to the size that the file says; else to what the
  /// authors test at, or to one that it takes.
  ///
  /// - Throws: `InferenceError.limitExceeded` if the file says what no network takes.
  public var preparation: ImagePreparation {
    get throws(InferenceError) {
      let size = input?.size ?? usualSize
      guard size <= limits[.inputSize] else {
        throw .limitExceeded(
          place: "the network's input", what: "pixels of height and width",
          limit: limits[.inputSize], found: "\(size)", name: ReadingLimits.Limit.inputSize.name)
      }
      return ImagePreparation(usualFor: size)
    }
  }
}

extension ImagePreparation {
  /// What the authors' `test.py` does (github.com/DingXiaoH/RepVGG): 224 pixels are cut out of 256, any
  /// other size is the whole shorter side.
  public init(usualFor size: Int) {
    self.init(size: size, cropRatio: size == 224 ? 0.875 : 1)
  }
}
