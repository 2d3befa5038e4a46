extension Dialect {
  /// Detection networks of RepConv, plain convolutions, and heads with implicit knowledge, all folded. The
  /// project's own code leaves `ia` and `im` in its deploy files, where they are in `m` already.
  public static let yolov7 = Dialect(
    builtIn: """
      name: yolov7
      project: WongKinYiu/yolov7 (PyTorch)
      source: models/common.py, models/yolo.py, utils/torch_utils.py of github.com/WongKinYiu/yolov7 at a207844b
      marker: .rbr_dense.0. .implicit model.0.conv. model.1.conv.
      prefer: ema
      auxiliary class: IAuxDetect
      epsilon: 1e-3
      input: RGB 1 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: RepVGG
      block: * = *
      dense convolution: rbr_dense.0
      dense batchnorm: rbr_dense.1
      pointwise convolution: rbr_1x1.0
      pointwise batchnorm: rbr_1x1.1
      identity batchnorm: rbr_identity
      fused: rbr_reparam
      family: ImplicitDetect
      names: shared
      class: IDetect IAuxDetect
      block: *.m.{i} = *.{i}
      conv convolution: m.{block}
      added parameter: ia.{block}.implicit
      factor parameter: im.{block}.implicit
      fused: m.{block}
      family: ConvBN
      names: shared
      class: Conv
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      """)
}
