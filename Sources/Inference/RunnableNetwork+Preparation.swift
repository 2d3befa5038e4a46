internal import Checkpoints
public import ImageFiles
internal import Tensors

extension RunnableNetwork {
  /// How pictures are scaled and cut for this network: to the size that the file says; else to what the
  /// authors test at, 320 pixels for D2se and L2pse, 256 for FastViT, 224 for all others.
  public var preparation: ImagePreparation {
    let name = architecture ?? ""
    let at320 = ["RepVGG-D2se", "RepVGGplus-L2pse"]
    let usual = at320.contains(name) ? 320 : name.contains("FastViT") ? 256 : 224
    return ImagePreparation(usualFor: input?.size ?? usual)
  }
}

extension ImagePreparation {
  /// What the authors' `test.py` does (github.com/DingXiaoH/RepVGG): 224 pixels are cut out of 256, any
  /// other size is the whole shorter side.
  public init(usualFor size: Int) {
    self.init(size: size, cropRatio: size == 224 ? 0.875 : 1)
  }
}
