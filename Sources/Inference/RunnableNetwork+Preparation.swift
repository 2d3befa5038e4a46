internal import Checkpoints
internal import Graphs
public import ImageFiles
internal import Tensors

extension RunnableNetwork {
  /// How pictures are scaled and cut for this network: to the size that the file says; else to what the
  /// authors test at, 320 pixels for D2se and L2pse, 256 for FastViT, 224 for all others. One that does not
  /// take that many, as its linear layers stand right behind a map, gets the first usual size that it takes.
  public var preparation: ImagePreparation {
    ImagePreparation(usualFor: input?.size ?? usualSize)
  }

  /// Height and width that images usually have for a graph.
  ///
  /// - Parameters:
  ///   - architecture: the name or description of its network.
  ///   - channels: of the images, if they are known.
  static func usualSize(
    of graph: Graph, _ architecture: String?, channels: Int?, tensors: [TensorType]
  ) -> Int {
    let name = architecture ?? ""
    let at320 = ["RepVGG-D2se", "RepVGGplus-L2pse"]
    let usual = at320.contains(name) ? 320 : name.contains("FastViT") ? 256 : 224
    // Those of the data sets that networks are trained on.
    let sizes = [usual, 32, 28, 64, 96, 128, 160, 192, 224, 256, 288, 299, 320, 384, 448, 512]
    return sizes.first { size in
      let input = ValueShape.map(channels: channels, height: size, width: size)
      return (try? graph.shapes(ofInput: input, tensors: tensors)) != nil
    } ?? usual
  }
}

extension ImagePreparation {
  /// What the authors' `test.py` does (github.com/DingXiaoH/RepVGG): 224 pixels are cut out of 256, any
  /// other size is the whole shorter side.
  public init(usualFor size: Int) {
    self.init(size: size, cropRatio: size == 224 ? 0.875 : 1)
  }
}
