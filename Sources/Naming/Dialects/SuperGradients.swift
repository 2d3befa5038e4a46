extension Dialect {
  /// The project's RepVGG, whose blocks are in other networks too.
  public static let superGradients = Dialect(
    builtIn: """
      name: super-gradients
      project: Deci-AI/super-gradients (PyTorch)
      source: super_gradients/modules/repvgg_block.py, super_gradients/training/models/classification_models/repvgg.py of github.com/Deci-AI/super-gradients
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: linear
      written: own
      family: RepVGG
      block: stage0 = stem
      block: stage{s}.{b} = stage{s}.{b}
      block: * = *
      dense convolution: branch_3x3.conv
      dense batchnorm: branch_3x3.bn
      pointwise convolution: branch_1x1.conv
      pointwise batchnorm: branch_1x1.bn
      identity batchnorm: no_conv_branch
      fused: rbr_reparam
      """)

  /// The same blocks with a factor.
  public static let superGradientsAlpha = Dialect(
    builtIn: """
      name: super-gradients-alpha
      project: Deci-AI/super-gradients, RepVGG blocks with alpha (PyTorch)
      source: super_gradients/modules/repvgg_block.py of github.com/Deci-AI/super-gradients
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: RepVGG-alpha
      block: * = *
      alpha parameter: alpha
      dense convolution: branch_3x3.conv
      dense batchnorm: branch_3x3.bn
      pointwise convolution: branch_1x1.conv
      pointwise batchnorm: branch_1x1.bn
      identity batchnorm: no_conv_branch
      fused: rbr_reparam
      """)

  /// Blocks of YOLO-NAS and others.
  public static let superGradientsQARepVGG = Dialect(
    builtIn: """
      name: super-gradients-qarepvgg
      project: Deci-AI/super-gradients, QARepVGG blocks (PyTorch)
      source: super_gradients/modules/qarepvgg_block.py of github.com/Deci-AI/super-gradients
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: SuperGradients-QARepVGG
      block: * = *
      alpha parameter: alpha
      dense convolution: branch_3x3.conv
      dense batchnorm: branch_3x3.bn
      pointwise convolution: branch_1x1
      identity module: identity
      post batchnorm: post_bn
      fused: rbr_reparam
      """)
}
