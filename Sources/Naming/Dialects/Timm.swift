extension Dialect {
  /// Stages count from 0 after the stem.
  public static let timm = Dialect(
    builtIn: """
      name: timm
      project: huggingface/pytorch-image-models (PyTorch)
      source: timm/models/byobnet.py, timm/layers/squeeze_excite.py of github.com/huggingface/pytorch-image-models at aa4b5850
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      root: stage0
      \(torchBatchNorm)
      classifier: head.fc
      family: RepVGG
      block: stage0 = stem
      block: stage{s}.{b} = stages.{s-1}.{b}
      dense convolution: conv_kxk.conv
      dense batchnorm: conv_kxk.bn
      pointwise convolution: conv_1x1.conv
      pointwise batchnorm: conv_1x1.bn
      identity batchnorm: identity
      squeeze before: attn.fc1
      excite before: attn.fc2
      fused: reparam_conv
      """)
}
