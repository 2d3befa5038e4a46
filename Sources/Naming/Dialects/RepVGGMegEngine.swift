extension Dialect {
  /// A port to MegEngine with branches named for what they are.
  public static let renamedMegEngine = Dialect(
    builtIn: """
      name: repvgg-megengine
      project: Asthestarsfalll/RepVGG-MegEngine (MegEngine)
      source: model/repvgg.py, model/repvggplus.py, convert_pretrained_weight.py of github.com/Asthestarsfalll/RepVGG-MegEngine at 99fd47e8
      containers: megengine
      epsilon: 1e-5
      input: BGR 255 / 103.53 116.28 123.675 / 57.375 57.12 58.395
      root: stage0
      batchnorm gamma: weight
      batchnorm beta: bias
      batchnorm mean: running_mean
      batchnorm variance: running_var
      classifier: linear
      kernel layout: GOIHW
      bias layout: 1C11
      family: RepVGG
      block: * = *
      dense convolution: dense.conv
      dense batchnorm: dense.bn
      pointwise convolution: pointwise.conv
      pointwise batchnorm: pointwise.bn
      identity batchnorm: identity
      squeeze before: se.down
      excite before: se.up
      squeeze after: post_se.down
      excite after: post_se.up
      fused: reparam
      family: AuxiliaryHead
      block: *_aux = *_aux
      conv convolution: downsample.conv
      conv batchnorm: downsample.bn
      classifier linear: fc
      """)
}
