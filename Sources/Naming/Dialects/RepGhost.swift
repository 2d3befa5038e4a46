extension Dialect {
  /// The authors' code, and timm's, which has the same names.
  public static let repGhost = Dialect(
    builtIn: """
      name: repghost
      project: ChengpengChen/RepGhost, and huggingface/pytorch-image-models (PyTorch)
      source: model/repghost.py of github.com/ChengpengChen/RepGhost at 3c7d87e2; timm/models/repghost.py of timm 1.0.31
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: RepGhost
      block: * = *.cheap_operation
      cheap convolution: 0
      cheap batchnorm: 1
      identity batchnorm: ../fusion_bn.0
      plain identity module: ../fusion_bn.1
      fused:
      """)
}
