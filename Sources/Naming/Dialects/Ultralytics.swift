extension Dialect {
  /// Detection networks of RepConv, RepVGGDW and plain convolutions, all folded. Names do not tell RepConv
  /// from two convolutions in series: shapes do, and the classes of pickled modules. BatchNorm's epsilon is
  /// set when a whole model is made, and a state dict does not show it.
  public static let ultralytics = Dialect(
    builtIn: """
      name: ultralytics
      project: ultralytics/ultralytics, and THU-MIG/yolov10 (PyTorch)
      source: ultralytics/nn/modules/conv.py, ultralytics/nn/modules/block.py, ultralytics/nn/tasks.py of ultralytics 8.4.190, and of github.com/THU-MIG/yolov10 at 453c6e38
      marker: .cv1.
      prefer: ema
      epsilon: 1e-3
      input: RGB 1 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: RepVGG
      names: shared
      class: RepConv
      block: * = *
      dense convolution: conv1.conv
      dense batchnorm: conv1.bn
      pointwise convolution: conv2.conv
      pointwise batchnorm: conv2.bn
      identity batchnorm: bn
      fused: conv
      family: RepVGGDW
      names: shared
      class: RepVGGDW
      block: * = *
      large convolution: conv.conv
      large batchnorm: conv.bn
      small convolution: conv1.conv
      small batchnorm: conv1.bn
      fused: conv
      family: ConvBN
      names: shared
      class: Conv DWConv
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      """)

  /// The same names for a block of another class, which never has an identity.
  public static let yolov9 = Dialect(
    builtIn: """
      name: yolov9
      like: ultralytics
      project: WongKinYiu/yolov9 (PyTorch)
      source: models/common.py, models/yolo.py of github.com/WongKinYiu/yolov9 at 5b1ea9a8
      auxiliary class: DualDetect DualDDetect TripleDetect TripleDDetect
      family: RepVGG
      class: RepConvN
      """, like: ultralytics.text)
}
