internal import Tensors

// The tables. Each says which file of which project it was read from.

extension InputConvention {
  /// ImageNet's mean and deviation for values in 0...1, as torchvision has them.
  static let imageNetRGB = InputConvention(
    channelOrder: .rgb, scale: 1, mean: [0.485, 0.456, 0.406],
    standardDeviation: [0.229, 0.224, 0.225])

  /// The same for values in 0...255 with blue first, as Megvii's code reads images through OpenCV.
  static let imageNetBGR = InputConvention(
    channelOrder: .bgr, scale: 255, mean: [103.53, 116.28, 123.675],
    standardDeviation: [57.375, 57.12, 58.395])
}

extension Dialect {
  /// DingXiaoH/RepVGG, the authors' own code, with RepVGGplus.
  public static let official = Dialect(
    name: "official",
    project: "DingXiaoH/RepVGG, with RepVGGplus (PyTorch)",
    source: "repvgg.py, repvggplus.py, se_block.py and data/build.py of github.com/DingXiaoH/RepVGG at eae7c520",
    epsilon: 1e-5,
    input: .imageNetRGB,
    batchNorm: pyTorchBatchNorm,
    dense: .init(convolution: "rbr_dense.conv.", batchNorm: "rbr_dense.bn."),
    pointwise: .init(convolution: "rbr_1x1.conv.", batchNorm: "rbr_1x1.bn."),
    identity: "rbr_identity.",
    fused: "rbr_reparam.",
    squeezeExcitation: [
      (.beforeActivation, .init(squeeze: "se.down.", excite: "se.up.")),
      (.afterActivation, .init(squeeze: "post_se.down.", excite: "post_se.up.")),
    ],
    classifier: "linear.",
    auxiliary: .init(
      pathSuffix: "_aux", convolution: "0.conv.", batchNorm: "0.bn.", classifier: "3."))

  /// megvii-research/basecls, whose model zoo holds the MegEngine weights. It has no RepVGGplus; the
  /// names of its parts are the official ones.
  public static let baseCls = Dialect(
    name: "basecls",
    project: "megvii-research/basecls (MegEngine)",
    source: "basecls/models/repvgg.py, basecls/layers/heads.py, basecls/layers/modules.py and configs/base_cfg.py of github.com/megvii-research/basecls at 2f206e9b",
    epsilon: 1e-5,
    input: .imageNetBGR,
    batchNorm: pyTorchBatchNorm,
    dense: official.dense,
    pointwise: official.pointwise,
    identity: official.identity,
    fused: official.fused,
    squeezeExcitation: [
      (.beforeActivation, .init(squeeze: "se.f_ex.0.", excite: "se.f_ex.2.")),
      (.afterActivation, .init(squeeze: "post_se.f_ex.0.", excite: "post_se.f_ex.2.")),
    ],
    classifier: "head.fc.",
    auxiliary: official.auxiliary)

  /// Asthestarsfalll/RepVGG-MegEngine, a port with branches named for what they are.
  public static let renamedMegEngine = Dialect(
    name: "repvgg-megengine",
    project: "Asthestarsfalll/RepVGG-MegEngine (MegEngine)",
    source: "model/repvgg.py, model/repvggplus.py and convert_pretrained_weight.py of github.com/Asthestarsfalll/RepVGG-MegEngine at 99fd47e8",
    epsilon: 1e-5,
    input: .imageNetBGR,
    batchNorm: pyTorchBatchNorm,
    dense: .init(convolution: "dense.conv.", batchNorm: "dense.bn."),
    pointwise: .init(convolution: "pointwise.conv.", batchNorm: "pointwise.bn."),
    identity: "identity.",
    fused: "reparam.",
    squeezeExcitation: official.squeezeExcitation,
    classifier: "linear.",
    auxiliary: .init(
      pathSuffix: "_aux", convolution: "downsample.conv.", batchNorm: "downsample.bn.",
      classifier: "fc."))
}
