extension Dialect {
  /// The authors' code. The convolution and BatchNorm in feed-forward parts, and the BatchNorm before
  /// attention, its deploy form does not fold.
  public static let fastViT = Dialect(
    builtIn: """
      name: fastvit
      project: apple/ml-fastvit (PyTorch)
      source: models/fastvit.py, models/modules/mobileone.py, models/modules/replknet.py of github.com/apple/ml-fastvit at 8af59282
      remark: the authors' code computes an activation after each downsampling and drops it: there is none behind the convolution that it becomes
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: patch_embed.0
      \(torchBatchNorm)
      classifier: head
      vector: *.layer_scale
      vector: *.layer_scale_{i}
      vector layout: C11
      family: RepMixer
      block: *.token_mixer = *.token_mixer
      factor parameter: layer_scale
      norm batchnorm: norm.rbr_skip
      conv convolution: mixer.rbr_conv.{n}.conv
      conv batchnorm: mixer.rbr_conv.{n}.bn
      scale convolution: mixer.rbr_scale.conv
      scale batchnorm: mixer.rbr_scale.bn
      skip batchnorm: mixer.rbr_skip
      fused: reparam_conv
      family: RepCPE
      block: network.{n} = network.{n}
      block: *.network.{n} = *.network.{n}
      conv convolution: pe
      fused: reparam_conv
      family: RepLKNet
      block: * = *
      large convolution: lkb_origin.conv
      large batchnorm: lkb_origin.bn
      small convolution: small_conv.conv
      small batchnorm: small_conv.bn
      squeeze before: se.fc1
      excite before: se.fc2
      fused: lkb_reparam
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
      family: ConvBN
      block: *.convffn.conv = *.convffn.conv
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      folded: graph
      """)

  /// Modules are grouped by stages; the image encoders of MobileCLIP have the same names.
  public static let fastViTTimm = Dialect(
    builtIn: """
      name: fastvit-timm
      like: fastvit
      project: huggingface/pytorch-image-models (PyTorch)
      source: timm/models/fastvit.py of timm 1.0.31
      remark:
      marker: .token_mixer.
      classifier: head.fc
      sequence: network = stages / downsample proj / pos_emb pos_enc reparam_conv / blocks *
      other: network.{n}.{b}.convffn.* = network.{n}.{b}.mlp.*
      other: network.{n}.{b}.layer_scale = network.{n}.{b}.layer_scale.gamma
      other: network.{n}.{b}.layer_scale_{i} = network.{n}.{b}.layer_scale_{i}.gamma
      other: *.network.{n}.{b}.convffn.* = *.network.{n}.{b}.mlp.*
      other: *.network.{n}.{b}.layer_scale = *.network.{n}.{b}.layer_scale.gamma
      other: *.network.{n}.{b}.layer_scale_{i} = *.network.{n}.{b}.layer_scale_{i}.gamma
      family: RepMixer
      block: network.{n}.{b}.token_mixer = network.{n}.{b}.token_mixer
      block: *.network.{n}.{b}.token_mixer = *.network.{n}.{b}.token_mixer
      factor parameter: layer_scale.gamma
      norm batchnorm: norm.identity
      conv convolution: mixer.conv_kxk.{n}.conv
      conv batchnorm: mixer.conv_kxk.{n}.bn
      scale convolution: mixer.conv_scale.conv
      scale batchnorm: mixer.conv_scale.bn
      skip batchnorm: mixer.identity
      family: RepCPE
      conv convolution: pos_enc
      family: RepLKNet
      block: network.{n}.proj.0 = network.{n}.proj.0
      block: *.network.{n}.proj.0 = *.network.{n}.proj.0
      large convolution: large_conv.conv
      large batchnorm: large_conv.bn
      fused: reparam_conv
      family: MobileOne
      block: patch_embed.{i} = stem.{i}
      block: network.{n}.proj.1 = network.{n}.proj.1
      block: conv_exp = final_conv
      block: *.patch_embed.{i} = *.stem.{i}
      block: *.network.{n}.proj.1 = *.network.{n}.proj.1
      block: *.conv_exp = *.final_conv
      conv convolution: conv_kxk.{n}.conv
      conv batchnorm: conv_kxk.{n}.bn
      scale convolution: conv_scale.conv
      scale batchnorm: conv_scale.bn
      skip batchnorm: identity
      squeeze before: se.fc1
      excite before: se.fc2
      family: ConvBN
      block: network.{n}.{b}.convffn.conv = network.{n}.{b}.mlp.conv
      block: *.network.{n}.{b}.convffn.conv = *.network.{n}.{b}.mlp.conv
      """, like: fastViT.text)

  /// Image and text encoder in one file; the latter may begin and end with token mixers of one row.
  public static let mobileCLIP = Dialect(
    builtIn: """
      name: mobileclip
      like: fastvit
      project: apple/ml-mobileclip (PyTorch)
      source: mobileclip/clip.py, mobileclip/image_encoder.py, mobileclip/text_encoder.py of github.com/apple/ml-mobileclip at 4144bb1f
      remark:
      marker: image_encoder.model.
      input: RGB 1 / 0 0 0 / 1 1 1
      root:
      classifier:
      family: RepMixer
      block: image_encoder.model.*.token_mixer = image_encoder.model.*.token_mixer
      block: text_encoder.*.token_mixer = text_encoder.*.token_mixer
      family: RepCPE
      block: image_encoder.model.network.{n} = image_encoder.model.network.{n}
      family: RepLKNet
      block: image_encoder.model.* = image_encoder.model.*
      family: MobileOne
      block: image_encoder.model.* = image_encoder.model.*
      """, like: fastViT.text)
}
