extension Dialect {
  /// The authors' code. What `structural_reparam` leaves as `conv` and `bn` is not folded.
  public static let repLKNet = Dialect(
    builtIn: """
      name: replknet
      project: DingXiaoH/RepLKNet-pytorch (PyTorch)
      source: replknet.py of github.com/DingXiaoH/RepLKNet-pytorch at b76808ac
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: RepLKNet
      block: * = *
      large convolution: lkb_origin.conv
      large batchnorm: lkb_origin.bn
      small convolution: small_conv.conv
      small batchnorm: small_conv.bn
      fused: lkb_reparam
      """)

  /// The same with `deep_fuse_BN` after it: every other convolution has the BatchNorm behind it folded as well.
  public static let repLKNetDeep = Dialect(
    builtIn: """
      name: replknet-deep-bn
      like: replknet
      project: DingXiaoH/RepLKNet-pytorch, after deep_fuse_BN (PyTorch)
      applies: asked
      family: ConvBN
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      """, like: repLKNet.text)
}
