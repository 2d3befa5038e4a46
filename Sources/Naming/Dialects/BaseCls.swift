extension Dialect {
  /// The MegEngine model zoo. It has no RepVGGplus; the names of its parts are the official ones.
  public static let baseCls = Dialect(
    builtIn: """
      name: basecls
      project: megvii-research/basecls (MegEngine)
      source: basecls/models/repvgg.py, basecls/layers/heads.py, basecls/layers/modules.py, configs/base_cfg.py of github.com/megvii-research/basecls at 2f206e9b
      families: megengine
      epsilon: 1e-5
      input: BGR 255 / 103.53 116.28 123.675 / 57.375 57.12 58.395
      block: * = *
      dense convolution: rbr_dense.conv
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1.conv
      pointwise batchnorm: rbr_1x1.bn
      identity: rbr_identity
      batchnorm gamma: weight
      batchnorm beta: bias
      batchnorm mean: running_mean
      batchnorm variance: running_var
      squeeze before: se.f_ex.0
      excite before: se.f_ex.2
      squeeze after: post_se.f_ex.0
      excite after: post_se.f_ex.2
      fused: rbr_reparam
      classifier: head.fc
      auxiliary path: _aux
      auxiliary convolution: 0.conv
      auxiliary batchnorm: 0.bn
      auxiliary classifier: 3
      kernel layout: GOIHW
      bias layout: 1C11
      """)
}
