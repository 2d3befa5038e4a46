extension Dialect {
  /// Layers called as the official code's modules, with `_` for the dots; tensors as Keras calls them.
  public static let keras = Dialect(
    builtIn: """
      name: keras
      project: Keras models whose layers have the official names, with _ for .
      source: keras/src/legacy/saving/legacy_h5_format.py, keras/src/layers of github.com/keras-team/keras at 3422977a
      containers: keras
      epsilon: 1e-3
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      separator: _
      batchnorm gamma: gamma
      batchnorm beta: beta
      batchnorm mean: moving_mean
      batchnorm variance: moving_variance
      weight: kernel
      bias: bias
      classifier: linear
      kernel layout: HWIO
      linear layout: IO
      family: RepVGG
      block: stage0 = stage0
      block: stage{s}.{b} = stage{s}_{b}
      block: stage3_first.blocks.{b} = stage3_first_blocks_{b}
      block: stage3_second.blocks.{b} = stage3_second_blocks_{b}
      block: stage{s}.blocks.{b} = stage{s}_blocks_{b}
      dense convolution: rbr_dense_conv
      dense batchnorm: rbr_dense_bn
      pointwise convolution: rbr_1x1_conv
      pointwise batchnorm: rbr_1x1_bn
      identity batchnorm: rbr_identity
      squeeze before: se_down
      excite before: se_up
      squeeze after: post_se_down
      excite after: post_se_up
      fused: rbr_reparam
      family: AuxiliaryHead
      block: *_aux = *_aux
      conv convolution: 0_conv
      conv batchnorm: 0_bn
      classifier linear: 3
      """)
}
