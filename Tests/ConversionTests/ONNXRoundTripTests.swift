import Conversion
import Proof
import TestSupport
import Testing

/// Networks written as ONNX files, which are then proven as anybody's are: from the graph and its values.
@Suite struct ONNXRoundTripTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [
    "dbb/resnet-basic/train.pth.tar", "dbb/mobilenet-depthwise/train.pth",
    "replknet/31-tiny/checkpoint-best.pth", "replknet/xl-no-small-kernel/checkpoint-best.pth",
    "unireplknet/13-11-9-7-5-3/checkpoint-best.pth", "fastvit/timm-t8-like/model.safetensors",
    "fastvit/timm-sa12-like/pytorch_model.bin", "fastvit/apple-sa12-like/fastvit.pth.tar",
    "fastvit/timm-mci-like/pytorch_model.bin", "acnet/src-resnet/train.hdf5",
    "acnet/wrn-preactivation/train.hdf5", "acnet/cfqk-5x5/train.hdf5",
    "repvit/original-distilled/repvit_distill_300e.pth", "repvit/timm-legacy/pytorch_model.bin",
    "mobileone/timm-s4-like-se/model.safetensors",
  ])
  func `what is written is proven, with everything outside the blocks`(file: String) throws {
    let (source, output) = (Fixtures.path("Families/\(file)"), folder.file("out.onnx"))
    var options = FuseOptions()
    options.isVerified = true
    #expect(try fuse(source, to: output, options: options).verification?.holds == true)
    let report = try verify(source, output)
    #expect(report.holds && report.onnx?.notCompared == [] && report.onnx?.isByOrder == true)
    #expect(!report.verification.blocks.contains { $0.grade != .exact })
    #expect(!report.deploy.notes.contains { $0.isWarning })
  }
}
