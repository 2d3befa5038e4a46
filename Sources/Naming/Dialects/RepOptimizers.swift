extension Dialect {
  /// The baseline of RepOptimizers: RepVGG under other names. The project has no deploy form, so blocks of
  /// all three become convolutions in the place of the first.
  public static let repOptimizersRepVGG = Dialect(
    builtIn: """
      name: repoptimizers-repvgg
      project: DingXiaoH/RepOptimizers, RepVGG (PyTorch)
      \(repOptimizers)
      family: RepVGG
      \(repOptimizersBlocks)
      dense convolution: conv_3x3
      dense batchnorm: bn_3x3
      pointwise convolution: conv_1x1
      pointwise batchnorm: bn_1x1
      identity batchnorm: bn_identity
      fused: conv
      """)

  /// The search for scales, and CSLA.
  public static let linearAdd = Dialect(
    builtIn: """
      name: repoptimizers-linear-add
      project: DingXiaoH/RepOptimizers, search for scales and CSLA (PyTorch)
      \(repOptimizers)
      family: LinearAdd
      \(repOptimizersBlocks)
      \(linearAddLayers)
      """)

  /// What RepOptimizers train.
  public static let realVGG = Dialect(
    builtIn: """
      name: repoptimizers
      project: DingXiaoH/RepOptimizers (PyTorch)
      \(repOptimizers)
      family: RealVGG
      \(repOptimizersBlocks)
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      """)

  /// Factors are modules of their own there: their names end in `weight`.
  static let linearAddLayers = """
    dense convolution: conv
    dense factors parameter: scale_conv.weight
    pointwise convolution: conv_1x1
    pointwise factors parameter: scale_1x1.weight
    identity factors parameter: scale_identity.weight
    post batchnorm: bn
    fused: conv
    """

  private static let repOptimizers = """
    source: repoptimizer/repoptvgg_model.py, repoptimizer/repoptvgg_impl.py of github.com/DingXiaoH/RepOptimizers at 2e45ff53
    epsilon: 1e-5
    input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
    root: stage0
    \(torchBatchNorm)
    classifier: linear
    """

  /// Nowhere else: what their layers are called, many other networks' are called too.
  private static let repOptimizersBlocks = """
    block: stage0 = stage0
    block: stage{s}.{b} = stage{s}.{b}
    squeeze after: post_se.down
    excite after: post_se.up
    """
}
