extension Dialect {
  /// Detection networks of RepVGG blocks and plain convolutions, both folded. BatchNorm's epsilon is set
  /// when a whole model is made, and a state dict does not show it.
  public static let yolov6 = Dialect(
    builtIn: """
      name: yolov6
      like: official
      project: meituan/YOLOv6 (PyTorch)
      source: yolov6/layers/common.py, yolov6/models/efficientrep.py, yolov6/utils/torch_utils.py of github.com/meituan/YOLOv6
      containers:
      marker: .ERBlock_
      prefer: ema
      epsilon: 1e-3
      input: RGB 1 / 0 0 0 / 1 1 1
      root:
      classifier:
      family: RepVGG
      block: * = *
      family: ConvBN
      block: * = *
      conv convolution: block.conv
      conv batchnorm: block.bn
      fused: block.conv
      """, like: official.text)
}
