extension Dialect {
  /// The authors' code. Small kernels have no branches; the BatchNorm behind them is folded as well, and
  /// what stands around the second linear layer of each block.
  public static let uniRepLKNet = Dialect(
    builtIn: """
      name: unireplknet
      project: AILab-CVC/UniRepLKNet (PyTorch)
      source: unireplknet.py of github.com/AILab-CVC/UniRepLKNet at b5677d8f
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      vector: *.act.1.gamma
      vector layout: 111C
      family: UniRepLKNet
      block: * = *.dwconv
      origin convolution: lk_origin
      origin batchnorm: origin_bn
      dilated convolution: dil_conv_k{k}_{r}
      dilated batchnorm: dil_bn_k{k}_{r}
      norm batchnorm: ../norm
      fused: lk_origin
      family: DilatedReparam
      block: * = *
      origin convolution: lk_origin
      origin batchnorm: origin_bn
      dilated convolution: dil_conv_k{k}_{r}
      dilated batchnorm: dil_bn_k{k}_{r}
      fused: lk_origin
      family: GRN-Linear
      block: *.pwconv2 = *.pwconv2
      linear linear: 0
      norm batchnorm: 2
      shift parameter: ../act.1.beta
      scale parameter: ../gamma
      fused: 0
      family: ConvBN
      block: * = *
      conv convolution: dwconv
      conv batchnorm: norm
      fused: dwconv
      """)
}
