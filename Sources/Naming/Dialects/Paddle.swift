extension Dialect {
  /// Pairs of convolutions in residual blocks, of the backbone and of the neck. Other layers, which are no
  /// pairs, have the same words in their names, so blocks are nowhere else.
  public static let ppYOLOE = Dialect(
    builtIn: """
      name: pp-yoloe
      project: PaddlePaddle/PaddleDetection, PP-YOLOE (Paddle)
      source: ppdet/modeling/backbones/cspresnet.py, ppdet/modeling/necks/custom_pan.py of github.com/PaddlePaddle/PaddleDetection at 666f597f
      containers: paddle
      marker: ._variance
      epsilon: 1e-5
      input: RGB 1 / 0 0 0 / 1 1 1
      \(paddleBatchNorm)
      linear layout: IO
      family: PP-YOLOE
      block: *.blocks.{b}.conv2 = *.blocks.{b}.conv2
      block: *.convs.{b}.conv2 = *.convs.{b}.conv2
      dense convolution: conv1.conv
      dense batchnorm: conv1.bn
      pointwise convolution: conv2.conv
      pointwise batchnorm: conv2.bn
      alpha parameter: alpha
      fused: conv
      """)

  /// Text detection and recognition of PP-OCR.
  public static let ppLCNetV3 = Dialect(
    builtIn: """
      name: pp-lcnetv3
      project: PaddlePaddle/PaddleOCR, PP-LCNetV3 (Paddle)
      source: ppocr/modeling/backbones/rec_lcnetv3.py of github.com/PaddlePaddle/PaddleOCR
      containers: paddle
      marker: .lab.scale
      epsilon: 1e-5
      input: BGR 1 / 0.5 0.5 0.5 / 0.5 0.5 0.5
      \(paddleBatchNorm)
      linear layout: IO
      family: PP-LCNetV3
      branches: kept
      block: * = *
      conv convolution: conv_kxk.{n}.conv
      conv batchnorm: conv_kxk.{n}.bn
      pointwise convolution: conv_1x1.conv
      pointwise batchnorm: conv_1x1.bn
      identity batchnorm: identity
      factor parameter: lab.scale
      shift parameter: lab.bias
      activation factor parameter: act.lab.scale
      activation shift parameter: act.lab.bias
      fused: reparam_conv
      """)

  /// What Paddle calls the parameters of its BatchNorm; it has no counter.
  private static let paddleBatchNorm = """
    batchnorm gamma: weight
    batchnorm beta: bias
    batchnorm mean: _mean
    batchnorm variance: _variance
    """
}
