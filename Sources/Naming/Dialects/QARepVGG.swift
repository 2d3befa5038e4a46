extension Dialect {
  /// The authors' code. An identity without parameters stands where the first block of a stage does not.
  public static let qaRepVGG = Dialect(
    builtIn: """
      name: qarepvgg
      project: cxxgtxy/QARepVGG (PyTorch)
      source: repvgg.py of github.com/cxxgtxy/QARepVGG at b88def23
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: linear
      family: QARepVGG
      block: * = *
      halving: stage0
      halving: stage{s}.0
      keeping: stage{s}.{b}
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1
      identity module: rbr_identity
      average module: rbr_avg
      post batchnorm: bn
      squeeze before: se.down
      excite before: se.up
      fused: rbr_reparam
      """)

  /// A BatchNorm in every branch.
  public static let qaRepVGGV1 = Dialect(
    builtIn: """
      name: qarepvgg-v1
      project: cxxgtxy/QARepVGG, QARepVGGBlockV1 (PyTorch)
      source: repvgg.py of github.com/cxxgtxy/QARepVGG at b88def23
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: linear
      family: QARepVGG-V1
      block: * = *
      halving: stage0
      halving: stage{s}.0
      keeping: stage{s}.{b}
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1.conv
      pointwise batchnorm: rbr_1x1.bn
      identity batchnorm: rbr_identity
      plain identity module: rbr_identity
      post batchnorm: bn
      squeeze before: se.down
      excite before: se.up
      fused: rbr_reparam
      """)

  /// A BatchNorm in no branch.
  public static let qaRepVGGFirst = Dialect(
    builtIn: """
      name: qarepvgg-first
      project: cxxgtxy/QARepVGG, QARepVGGBlock (PyTorch)
      source: repvgg.py of github.com/cxxgtxy/QARepVGG at b88def23
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: linear
      family: QARepVGG-first
      block: * = *
      halving: stage0
      halving: stage{s}.0
      keeping: stage{s}.{b}
      dense convolution: rbr_dense
      pointwise convolution: rbr_1x1
      identity module: rbr_identity
      post batchnorm: bn
      squeeze before: se.down
      excite before: se.up
      fused: rbr_reparam
      """)
}
