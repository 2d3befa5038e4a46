extension Dialect {
  /// The authors' code, and YOLOv7's copy of its form for RepVGG.
  public static let orepa = Dialect(
    builtIn: """
      name: orepa
      project: JUGGHM/OREPA_CVPR2022 (PyTorch)
      source: blocks.py, blocks_repvgg.py of github.com/JUGGHM/OREPA_CVPR2022 at 3ed037be
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: OREPA
      block: * = *
      origin parameter: weight_orepa_origin
      average conv parameter: weight_orepa_avg_conv
      prior conv parameter: weight_orepa_pfir_conv
      pointwise parameter: weight_orepa_1x1
      first parameter: weight_orepa_1x1_kxk_idconv1
      expand parameter: weight_orepa_1x1_kxk_conv1
      second parameter: weight_orepa_1x1_kxk_conv2
      depthwise parameter: weight_orepa_gconv_dw
      separable parameter: weight_orepa_gconv_pw
      vector parameter: vector
      average parameter: weight_orepa_avg_avg
      first identity parameter: id_tensor
      prior parameter: weight_orepa_prior
      norm batchnorm: bn
      fused: orepa_reparam
      family: OREPA-RepVGG
      block: * = *
      identity batchnorm: rbr_identity
      origin parameter: rbr_dense.weight_rbr_origin
      average conv parameter: rbr_dense.weight_rbr_avg_conv
      prior conv parameter: rbr_dense.weight_rbr_pfir_conv
      first parameter: rbr_dense.weight_rbr_1x1_kxk_idconv1
      expand parameter: rbr_dense.weight_rbr_1x1_kxk_conv1
      second parameter: rbr_dense.weight_rbr_1x1_kxk_conv2
      depthwise parameter: rbr_dense.weight_rbr_gconv_dw
      separable parameter: rbr_dense.weight_rbr_gconv_pw
      vector parameter: rbr_dense.vector
      average parameter: rbr_dense.weight_rbr_avg_avg
      first identity parameter: rbr_dense.id_tensor
      prior parameter: rbr_dense.weight_rbr_prior
      dense batchnorm: rbr_dense.bn
      pointwise convolution: rbr_1x1.conv
      pointwise batchnorm: rbr_1x1.bn
      squeeze before: se.down
      excite before: se.up
      fused: rbr_reparam
      family: OREPA-1x1
      block: * = *
      origin parameter: weight_or1x1_origin
      first parameter: weight_or1x1_l2i_conv1
      second parameter: weight_or1x1_l2i_conv2
      vector parameter: vector
      norm batchnorm: bn
      fused: or1x1_reparam
      family: OREPA-Large
      block: * = *
      origin parameter: weight{n}.weight_orepa_origin
      average conv parameter: weight{n}.weight_orepa_avg_conv
      prior conv parameter: weight{n}.weight_orepa_pfir_conv
      pointwise parameter: weight{n}.weight_orepa_1x1
      first parameter: weight{n}.weight_orepa_1x1_kxk_idconv1
      expand parameter: weight{n}.weight_orepa_1x1_kxk_conv1
      second parameter: weight{n}.weight_orepa_1x1_kxk_conv2
      depthwise parameter: weight{n}.weight_orepa_gconv_dw
      separable parameter: weight{n}.weight_orepa_gconv_pw
      vector parameter: weight{n}.vector
      average parameter: weight{n}.weight_orepa_avg_avg
      first identity parameter: weight{n}.id_tensor
      prior parameter: weight{n}.weight_orepa_prior
      norm batchnorm: bn
      fused: or_large_reparam
      family: ConvBN
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      """)
}
