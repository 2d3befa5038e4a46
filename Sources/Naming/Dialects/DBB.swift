extension Dialect {
  /// The authors' code. Its deploy form folds convolutions without branches as well.
  public static let dbb = Dialect(
    builtIn: """
      name: dbb
      project: DingXiaoH/DiverseBranchBlock (PyTorch)
      source: diversebranchblock.py, dbb_transforms.py, convnet_utils.py of github.com/DingXiaoH/DiverseBranchBlock at 8d2b16b6
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: DBB
      block: * = *
      origin convolution: dbb_origin.conv
      origin batchnorm: dbb_origin.bn
      pointwise convolution: dbb_1x1.conv
      pointwise batchnorm: dbb_1x1.bn
      reduce convolution: dbb_avg.conv
      reduce batchnorm: dbb_avg.bn.bn
      average batchnorm: dbb_avg.avgbn
      residual convolution: dbb_1x1_kxk.idconv1
      expand convolution: dbb_1x1_kxk.conv1
      inner batchnorm: dbb_1x1_kxk.bn1.bn
      outer convolution: dbb_1x1_kxk.conv2
      outer batchnorm: dbb_1x1_kxk.bn2
      fused: dbb_reparam
      family: ConvBN
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      fused: conv
      """)

  /// Older files, in which the stem of a ResNet has no `stage0.` before it.
  public static let dbbHDF5 = Dialect(
    builtIn: """
      name: dbb-hdf5
      like: dbb
      project: DingXiaoH/DiverseBranchBlock, files of older naming (HDF5)
      containers: hdf5
      family: ConvBN
      block: stage0.conv1 = conv1
      block: * = *
      """, like: dbb.text)
}
