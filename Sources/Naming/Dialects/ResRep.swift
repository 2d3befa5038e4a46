extension Dialect {
  /// The authors' code, which writes flat HDF5; `deps` counts the channels of each convolution.
  public static let resRep = Dialect(
    builtIn: """
      name: resrep
      project: DingXiaoH/ResRep (PyTorch)
      source: rr/resrep_builder.py, rr/resrep_convert.py of github.com/DingXiaoH/ResRep
      containers: hdf5
      marker: deps .compactor.
      epsilon: 1e-5
      input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225
      \(torchBatchNorm)
      family: ResRep
      block: * = *
      conv convolution: conv
      conv batchnorm: bn
      compactor convolution: compactor.pwc
      mask parameter: compactor.mask
      fused: conv
      """)
}
