extension Dialect {
  /// A port to MegEngine with branches named for what they are.
  public static let renamedMegEngine = Dialect(
    builtIn: """
      name: repvgg-megengine
      like: official
      project: Asthestarsfalll/RepVGG-MegEngine (MegEngine)
      source: model/repvgg.py, model/repvggplus.py, convert_pretrained_weight.py of github.com/Asthestarsfalll/RepVGG-MegEngine at 99fd47e8
      containers: megengine
      input: BGR 255 / 103.53 116.28 123.675 / 57.375 57.12 58.395
      batchnorm counter:
      kernel layout: GOIHW
      bias layout: 1C11
      family: RepVGG
      dense convolution: dense.conv
      dense batchnorm: dense.bn
      pointwise convolution: pointwise.conv
      pointwise batchnorm: pointwise.bn
      identity batchnorm: identity
      fused: reparam
      family: AuxiliaryHead
      conv convolution: downsample.conv
      conv batchnorm: downsample.bn
      classifier linear: fc
      """, like: official.text)
}
