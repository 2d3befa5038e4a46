extension Dialect {
  /// The official names, but for BatchNorm's statistics and the transposed classifier; no RepVGGplus.
  public static let paddleClas = Dialect(
    builtIn: """
      name: paddleclas
      like: official
      project: PaddlePaddle/PaddleClas (Paddle)
      source: ppcls/arch/backbone/model_zoo/repvgg.py of github.com/PaddlePaddle/PaddleClas at d178931f
      containers: paddle
      batchnorm mean: _mean
      batchnorm variance: _variance
      batchnorm counter:
      linear layout: IO
      family: RepVGG
      squeeze after:
      excite after:
      """, like: official.text)
}
