extension Dialect {
  /// With the backbone's and the head's names before all.
  public static let mmpretrain = Dialect(
    builtIn: """
      name: mmpretrain
      project: open-mmlab/mmpretrain, formerly mmclassification (PyTorch)
      source: mmpretrain/models/backbones/repvgg.py, mmpretrain/models/utils/se_layer.py of github.com/open-mmlab/mmpretrain at ee7f2e88
      epsilon: 1e-5
      input: RGB 255 / 123.675 116.28 103.53 / 58.395 57.12 57.375
      root: stage0
      \(torchBatchNorm)
      classifier: head.fc
      family: RepVGG
      block: stage0 = backbone.stem
      block: stage{s}.{b} = backbone.stage_{s}.{b}
      dense convolution: branch_3x3.conv
      dense batchnorm: branch_3x3.norm
      pointwise convolution: branch_1x1.conv
      pointwise batchnorm: branch_1x1.norm
      identity batchnorm: branch_norm
      squeeze before: se_layer.conv1.conv
      excite before: se_layer.conv2.conv
      fused: branch_reparam
      """)
}
