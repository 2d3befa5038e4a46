extension Dialect {
  /// The authors' code; in deploy form their PlainSR, whose convolution takes the place of the 3x3 branch.
  public static let ecbsr = Dialect(
    builtIn: """
      name: ecbsr
      project: xindongzhang/ECBSR (PyTorch)
      source: models/ecb.py, models/plainsr.py of github.com/xindongzhang/ECBSR at c60b1d27
      epsilon: 1e-5
      input: RGB 255 / 0 0 0 / 1 1 1
      \(torchBatchNorm)
      family: ECBSR
      block: * = *
      conv convolution: conv3x3
      wide k0 parameter: conv1x1_3x3.k0
      wide b0 parameter: conv1x1_3x3.b0
      wide k1 parameter: conv1x1_3x3.k1
      wide b1 parameter: conv1x1_3x3.b1
      horizontal k0 parameter: conv1x1_sbx.k0
      horizontal b0 parameter: conv1x1_sbx.b0
      horizontal scale parameter: conv1x1_sbx.scale
      horizontal bias parameter: conv1x1_sbx.bias
      horizontal mask parameter: conv1x1_sbx.mask
      vertical k0 parameter: conv1x1_sby.k0
      vertical b0 parameter: conv1x1_sby.b0
      vertical scale parameter: conv1x1_sby.scale
      vertical bias parameter: conv1x1_sby.bias
      vertical mask parameter: conv1x1_sby.mask
      laplacian k0 parameter: conv1x1_lpl.k0
      laplacian b0 parameter: conv1x1_lpl.b0
      laplacian scale parameter: conv1x1_lpl.scale
      laplacian bias parameter: conv1x1_lpl.bias
      laplacian mask parameter: conv1x1_lpl.mask
      activation parameter: act.weight
      fused: conv3x3
      """)
}
