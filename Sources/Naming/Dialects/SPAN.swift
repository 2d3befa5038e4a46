extension Dialect {
  /// The authors' code, in BasicSR.
  public static let span = Dialect(
    builtIn: """
      name: span
      project: hongyuanyu/SPAN (PyTorch)
      source: basicsr/archs/span_arch.py of github.com/hongyuanyu/SPAN at c77a5917
      marker: eval_conv .sk.
      epsilon: 1e-5
      input: RGB 1 / 0.4488 0.4371 0.4040 / 1 1 1
      \(torchBatchNorm)
      family: SPAN
      branches: kept
      block: * = *
      skip convolution: sk
      first convolution: conv.0
      second convolution: conv.1
      third convolution: conv.2
      fused: eval_conv
      """)
}
