extension Dialect {
  /// The official names, but for BatchNorm's statistics and the transposed classifier.
  public static let paddleClas = Dialect(
    builtIn: """
      name: paddleclas
      project: PaddlePaddle/PaddleClas (Paddle)
      source: ppcls/arch/backbone/model_zoo/repvgg.py of github.com/PaddlePaddle/PaddleClas at d178931f
      families: paddle
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      block: * = *
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1.conv
      pointwise batchnorm: rbr_1x1.bn
      identity: rbr_identity
      batchnorm gamma: weight
      batchnorm beta: bias
      batchnorm mean: _mean
      batchnorm variance: _variance
      squeeze before: se.down
      excite before: se.up
      fused: rbr_reparam
      classifier: linear
      linear layout: IO
      """)
}
