extension Dialect {
  /// The authors' code. No BatchNorm but those of its blocks is folded.
  public static let repMLPNet = Dialect(
    builtIn: """
      name: repmlpnet
      project: DingXiaoH/RepMLP (PyTorch)
      source: repmlpnet.py of github.com/DingXiaoH/RepMLP
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: RepMLPNet
      block: *.repmlp_block = *.repmlp_block
      reduce convolution: gp.fc1
      expand convolution: gp.fc2
      matrix convolution: fc3
      norm batchnorm: fc3_bn
      local convolution: repconv{k}.conv
      local batchnorm: repconv{k}.bn
      fused: fc3
      """)
}
