extension Dialect {
  /// Objax spells out the classes of all modules on the way to a variable. Its BatchNorm's epsilon is
  /// 1e-6; weights that were converted from the official ones were trained with 1e-5.
  public static let objax = Dialect(
    builtIn: """
      name: objax
      project: benjaminjellis/Objax-RepVGG (Objax)
      source: RepVGG/repvgg.py of github.com/benjaminjellis/Objax-RepVGG at 3817dbf3; objax/nn/layers.py of github.com/google/objax at 9dd7dc37
      containers: numpy
      epsilon: 1e-6
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      batchnorm gamma: gamma
      batchnorm beta: beta
      batchnorm mean: running_mean
      batchnorm variance: running_var
      weight: w
      bias: b
      classifier: (RepVGG).linear(Linear)
      kernel layout: HWIO
      linear layout: IO
      batchnorm layout: 1C11
      bias layout: C11
      family: RepVGG
      block: stage0 = (RepVGG).stage0(RepVGGBlock)
      block: stage{s}.{b} = (RepVGG).stage{s}(Sequential)[{b}](RepVGGBlock)
      dense convolution: rbr_dense(Sequential)[0](Conv2D)
      dense batchnorm: rbr_dense(Sequential)[1](BatchNorm2D)
      pointwise convolution: rbr_1x1(Sequential)[0](Conv2D)
      pointwise batchnorm: rbr_1x1(Sequential)[1](BatchNorm2D)
      identity batchnorm: rbr_identity(BatchNorm2D)
      fused: rbr_reparam(Conv2D)
      """)
}
