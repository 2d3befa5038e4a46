extension Dialect {
  /// The authors' code. Its deploy form folds every BatchNorm, and the two classifiers into one.
  public static let repViT = Dialect(
    builtIn: """
      name: repvit
      project: THU-MIG/RepViT (PyTorch)
      source: model/repvit.py, utils.py of github.com/THU-MIG/RepViT
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: RepViT
      block: *.token_mixer.0 = *.token_mixer.0
      conv convolution: conv.c
      conv batchnorm: conv.bn
      pointwise convolution: conv1
      outer batchnorm: bn
      fused:
      family: BN-Linear
      block: classifier = classifier
      block: *.classifier = *.classifier
      norm batchnorm: classifier.bn
      linear linear: classifier.l
      distilled norm batchnorm: classifier_dist.bn
      distilled linear: classifier_dist.l
      fused:
      family: ConvBN
      block: * = *
      conv convolution: c
      conv batchnorm: bn
      fused:
      """)

  public static let repViTTimm = Dialect(
    builtIn: """
      name: repvit-timm
      like: repvit
      project: huggingface/pytorch-image-models (PyTorch)
      source: timm/models/repvit.py of timm 1.0.31
      numbering: repvit-stages
      family: RepViT
      block: *.token_mixer.0 = *.token_mixer
      family: BN-Linear
      block: classifier = head
      block: *.classifier = *.head
      norm batchnorm: head.bn
      linear linear: head.l
      distilled norm batchnorm: head_dist.bn
      distilled linear: head_dist.l
      """, like: repViT.text)

  /// Of the older form of blocks.
  public static let repViTTimmLegacy = Dialect(
    builtIn: """
      name: repvit-timm-legacy
      project: huggingface/pytorch-image-models, legacy (PyTorch)
      source: timm/models/repvit.py of timm 1.0.31
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      numbering: repvit-stages
      family: RepViT-legacy
      block: *.token_mixer.0 = *.token_mixer
      conv convolution: conv.c
      conv batchnorm: conv.bn
      pointwise convolution: conv1.c
      pointwise batchnorm: conv1.bn
      fused:
      family: BN-Linear
      block: classifier = head
      block: *.classifier = *.head
      norm batchnorm: head.bn
      linear linear: head.l
      distilled norm batchnorm: head_dist.bn
      distilled linear: head_dist.l
      fused:
      family: ConvBN
      block: * = *
      conv convolution: c
      conv batchnorm: bn
      fused:
      """)
}
