extension Dialect {
  /// The authors' code. What it leaves as `conv` and `bn`, its deploy form does not fold.
  public static let acnet = Dialect(
    builtIn: """
      name: acnet
      project: DingXiaoH/ACNet (PyTorch)
      source: acnet/acb.py, acnet/acnet_fusion.py, utils/misc.py of github.com/DingXiaoH/ACNet at 748fb0c7
      containers: hdf5
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: ACB
      block: * = *
      square convolution: square_conv
      square batchnorm: square_bn
      vertical convolution: ver_conv
      vertical batchnorm: ver_bn
      horizontal convolution: hor_conv
      horizontal batchnorm: hor_bn
      fused: fused_conv
      """)
}
