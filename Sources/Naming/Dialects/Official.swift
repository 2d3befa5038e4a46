extension Dialect {
  /// The authors' own code, with RepVGGplus. Its paths are the ones used inside this program.
  public static let official = Dialect(
    builtIn: """
      name: official
      project: DingXiaoH/RepVGG, with RepVGGplus (PyTorch)
      source: repvgg.py, repvggplus.py, se_block.py, data/build.py of github.com/DingXiaoH/RepVGG at eae7c520
      containers: pytorch
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: linear
      family: RepVGG
      block: * = *
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1.conv
      pointwise batchnorm: rbr_1x1.bn
      identity batchnorm: rbr_identity
      plain identity module: rbr_identity
      squeeze before: se.down
      excite before: se.up
      squeeze after: post_se.down
      excite after: post_se.up
      fused: rbr_reparam
      family: AuxiliaryHead
      block: *_aux = *_aux
      conv convolution: 0.conv
      conv batchnorm: 0.bn
      classifier linear: 3
      """)

  /// What `tools/insert_bn.py` makes of a deploy network, for training it further.
  public static let officialInsertedBatchNorm = Dialect(
    builtIn: """
      name: repvgg-bn
      project: DingXiaoH/RepVGG, with BatchNorm behind the deploy convolutions (PyTorch)
      source: tools/insert_bn.py of github.com/DingXiaoH/RepVGG at eae7c520
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: RepVGG-BN
      block: * = *
      conv convolution: rbr_reparam.conv
      conv batchnorm: rbr_reparam.bn
      fused: rbr_reparam
      """)
}
