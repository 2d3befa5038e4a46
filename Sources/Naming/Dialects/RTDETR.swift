extension Dialect {
  /// Detection networks with RepVGG blocks in their encoder. No other convolution is folded, and deploy
  /// files hold the branches beside the convolution.
  public static let rtdetr = Dialect(
    builtIn: """
      name: rtdetr
      project: lyuwenyu/RT-DETR (PyTorch)
      source: rtdetrv2_pytorch/src/zoo/rtdetr/hybrid_encoder.py of github.com/lyuwenyu/RT-DETR at 068dfde6
      marker: .bottlenecks.
      prefer: ema
      epsilon: 1e-5
      input: RGB 1 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: RepVGG
      names: shared
      class: RepVggBlock
      block: *.bottlenecks.{i} = *.bottlenecks.{i}
      dense convolution: conv1.conv
      dense batchnorm: conv1.norm
      pointwise convolution: conv2.conv
      pointwise batchnorm: conv2.norm
      fused: conv
      branches: kept
      """)

  /// The same blocks in another encoder, of which all convolutions but those of `input_proj` are folded,
  /// and none of the backbone.
  public static let dfine = Dialect(
    builtIn: """
      name: dfine
      like: rtdetr
      project: Peterande/D-FINE, and DEIM (PyTorch)
      source: src/zoo/dfine/hybrid_encoder.py of github.com/Peterande/D-FINE at 4a1f73a8
      marker: .cv4.
      family: RepVGG
      class: VGGBlock
      branches:
      family: ConvBN
      names: shared
      class: ConvNormLayer_fuse
      block: *.lateral_convs.{i} = *.lateral_convs.{i}
      block: *.downsample_convs.{i}.* = *.downsample_convs.{i}.*
      block: *.fpn_blocks.{i}.* = *.fpn_blocks.{i}.*
      block: *.pan_blocks.{i}.* = *.pan_blocks.{i}.*
      conv convolution: conv
      conv batchnorm: norm
      fused: conv_bn_fused
      """, like: rtdetr.text)
}
