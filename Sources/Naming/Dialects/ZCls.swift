extension Dialect {
  /// Every block is a Sequential of convolution, attention and activation; the deploy convolution takes
  /// the block's own place.
  public static let zcls = Dialect(
    builtIn: """
      name: zcls
      project: ZJCV/ZCls (PyTorch)
      source: zcls/model/backbones/vgg/repvgg_backbone.py, zcls/model/layers/repvgg_block.py of github.com/ZJCV/ZCls at 1ef59301
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      squeeze-excitation layout: OI
      classifier: head.fc
      family: RepVGG
      block: stage0 = backbone.stage0.0
      block: stage{s}.{b} = backbone.stage{s}.{b}.0
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1.conv
      pointwise batchnorm: rbr_1x1.bn
      identity batchnorm: rbr_identity
      squeeze before: ../1.excitation.0
      excite before: ../1.excitation.2
      fused:
      """)
}
