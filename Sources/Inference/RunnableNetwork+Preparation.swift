internal import Checkpoints
public import ImageFiles
internal import Tensors

extension RunnableNetwork {
  /// How pictures are scaled and cut for this network: to the size that the file says; else to what the
  /// authors test at, or to one that it takes.
  public var preparation: ImagePreparation {
    ImagePreparation(usualFor: input?.size ?? usualSize)
  }
}

extension ImagePreparation {
  /// What the authors' `test.py` does (github.com/DingXiaoH/RepVGG): 224 pixels are cut out of 256, any
  /// other size is the whole shorter side.
  public init(usualFor size: Int) {
    self.init(size: size, cropRatio: size == 224 ? 0.875 : 1)
  }
}
