extension Dialect {
  /// The authors' code. Its paths are the ones used inside this program.
  public static let mobileOne = Dialect(
    builtIn: """
      name: mobileone
      project: apple/ml-mobileone (PyTorch)
      source: mobileone.py of github.com/apple/ml-mobileone at b7f4e6d4
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: linear
      family: MobileOne
      block: * = *
      conv convolution: rbr_conv.{n}.conv
      conv batchnorm: rbr_conv.{n}.bn
      scale convolution: rbr_scale.conv
      scale batchnorm: rbr_scale.bn
      skip batchnorm: rbr_skip
      squeeze before: se.reduce
      excite before: se.expand
      fused: reparam_conv
      """)

  /// Stages count from 0 after the stem.
  public static let mobileOneTimm = Dialect(
    builtIn: """
      name: mobileone-timm
      like: mobileone
      project: huggingface/pytorch-image-models (PyTorch)
      source: timm/models/byobnet.py of github.com/huggingface/pytorch-image-models at aa4b5850
      classifier: head.fc
      family: MobileOne
      block: stage0 = stem
      block: stage{s}.{b} = stages.{s-1}.{b}
      conv convolution: conv_kxk.{n}.conv
      conv batchnorm: conv_kxk.{n}.bn
      scale convolution: conv_scale.conv
      scale batchnorm: conv_scale.bn
      skip batchnorm: identity
      squeeze before: attn.fc1
      excite before: attn.fc2
      """, like: mobileOne.text)

  /// With the backbone's and the head's names before all.
  public static let mobileOneMMPretrain = Dialect(
    builtIn: """
      name: mobileone-mmpretrain
      like: mobileone
      project: open-mmlab/mmpretrain (PyTorch)
      source: mmpretrain/models/backbones/mobileone.py of github.com/open-mmlab/mmpretrain at ee7f2e88
      input: RGB 255 / 123.675 116.28 103.53 / 58.395 57.12 57.375
      classifier: head.fc
      family: MobileOne
      block: stage0 = backbone.stage0
      block: stage{s}.{b} = backbone.stage{s}.{b}
      conv convolution: branch_conv_list.{n}.conv
      conv batchnorm: branch_conv_list.{n}.norm
      scale convolution: branch_scale.conv
      scale batchnorm: branch_scale.norm
      skip batchnorm: branch_norm
      squeeze before: se.conv1.conv
      excite before: se.conv2.conv
      fused: branch_reparam
      """, like: mobileOne.text)
}
