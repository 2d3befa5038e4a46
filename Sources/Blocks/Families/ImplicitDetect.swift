internal import Tensors

extension BlockFamily {
  /// The last 1x1 convolution of a detector, with numbers that are added to what goes into it and factors
  /// of what comes out, one for each channel: implicit knowledge.
  public static let implicitDetect = BlockFamily(
    "ImplicitDetect",
    source: "arXiv:2105.04206, 4.1; IDetect and IAuxDetect of github.com/WongKinYiu/yolov7",
    layers: [.convolution("conv"), .parameter("added"), .parameter("factor")]
  ) { (layers) throws(BlockProblem) in
    let (added, factor) = (layers.parameter("added")!, layers.parameter("factor")!)
    let shape = layers.shape("conv")!
    guard shape[2] == 1, shape[3] == 1 else {
      throw BlockProblem.mismatch(
        "a kernel of \(shape[2])x\(shape[3]) sees zeros beyond the edge, to which nothing is added")
    }
    guard added.shape.elementCount == shape[1] else {
      throw BlockProblem.mismatch(
        "\(added.shape.elementCount) numbers are added to \(shape[1]) channels")
    }
    let input = Branch.layer("added", .identity.shifted(by: added))
    return .layer("factor", input.then(layers.conv!).scaled(by: factor))
  }
}
