extension Dialect {
  /// YOLOv6 of QARepVGG blocks, beside the plain convolutions of all its networks. The BatchNorm behind a
  /// block's sum stays, as the project's own deploy form has it.
  public static let yolov6QARepVGG = Dialect(
    builtIn: """
      name: yolov6-qarepvgg
      project: meituan/YOLOv6, QARepVGG blocks (PyTorch)
      source: yolov6/layers/common.py, yolov6/models/efficientrep.py of github.com/meituan/YOLOv6 at e86a483f
      marker: ERBlock_
      epsilon: 1e-3
      input: RGB 1 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: YOLOv6-QARepVGG
      block: * = *
      halving: stem
      halving: *.stem
      halving: ERBlock_{s}.0
      halving: *.ERBlock_{s}.0
      keeping: *
      groups: 1
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1
      identity module: rbr_identity
      average module: rbr_avg
      post batchnorm: bn
      fused: rbr_reparam
      \(yolov6ConvBN)
      """)

  /// YOLOv6 while the scales of RepOptimizers are searched.
  public static let yolov6LinearAdd = Dialect(
    builtIn: """
      name: yolov6-linear-add
      project: meituan/YOLOv6, blocks that search the scales of RepOptimizers (PyTorch)
      source: yolov6/layers/common.py of github.com/meituan/YOLOv6 at e86a483f
      marker: ERBlock_
      epsilon: 1e-3
      input: RGB 1 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: LinearAdd
      block: * = *
      \(linearAddLayers)
      \(yolov6ConvBN)
      """)

  /// YOLOv6 trained by RepOptimizers.
  public static let yolov6RealVGG = Dialect(
    builtIn: """
      name: yolov6-real-vgg
      project: meituan/YOLOv6, trained by RepOptimizers (PyTorch)
      source: yolov6/layers/common.py of github.com/meituan/YOLOv6 at e86a483f
      marker: ERBlock_
      epsilon: 1e-3
      input: RGB 1 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: RealVGG
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      \(yolov6ConvBN)
      """)

  private static let yolov6ConvBN = """
    family: ConvBN
    block: * = *
    conv convolution: block.conv
    conv batchnorm: block.bn
    fused: block.conv
    """
}
