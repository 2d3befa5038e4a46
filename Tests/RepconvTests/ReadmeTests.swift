import Foundation
import TestSupport
import Testing

/// The commands of the README's table of families, each run on a file of its project.
@Suite struct ReadmeTests {
  /// What the README calls a file, and the file of the fixtures that it is.
  static let files = [
    "repvgg.pth": "PyTorch/plain-train.pth",
    "mobileone.pth.tar": "Families/mobileone/apple-s0-like/mobileone_unfused.pth.tar",
    "fastvit.pth.tar": "Families/fastvit/apple-t8-like/fastvit.pth.tar",
    "repvit.pth": "Families/repvit/original-distilled/repvit_distill_300e.pth",
    "yolov9.pt": "Families/yolov9/gelan-tiny/best.pt",
    "yolov10.pt": "Families/yolov10/cib-tiny/best.pt",
    "yolov7.pt": "Families/yolov7/idetect-training/last.pt",
    "rtdetr.pth": "Families/rt-detr/encoder/best.pth",
    "yolov6.pt": "Families/yolov6/qarepvggv2-stripped/best_ckpt.pt",
    "qarepvgg.pth": "Families/qarepvgg/v2-groups/checkpoint.pth",
    "super-gradients.pth": "Families/super-gradients/repvgg-training-ema/ckpt_best.pth",
    "repoptimizers.pth": "Families/repoptimizers/target-se/ckpt_epoch_119.pth",
    "ppyoloe.pdparams": "Families/pp-yoloe/cspresnet/ppyoloe_backbone.pdparams",
    "pp-lcnetv3.pdparams": "Families/pp-lcnetv3/rec-tiny/best_accuracy.pdparams",
    "dbb.pth.tar": "Families/dbb/resnet-basic/train.pth.tar",
    "acnet.hdf5": "Families/acnet/cfqk-5x5/train.hdf5",
    "replknet.pth": "Families/replknet/31-tiny/checkpoint-best.pth",
    "unireplknet.pth": "Families/unireplknet/13-11-9-7-5-3/checkpoint-best.pth",
    "repghost.pth.tar": "Families/repghost/bn/model_best.pth.tar",
    "repvgg-bn.pth": "Families/repvgg-larger/insert-bn/bn.pth",
    "repmlpnet.pth": "Families/repmlpnet/k1-k3/ckpt_epoch_299.pth",
    "resrep.hdf5": "Families/resrep/vgg/finish.hdf5",
    "orepa.pth": "Families/orepa/blocks/train.pth",
    "span.pth": "Families/span/x2-tiny/net_g_latest.pth",
    "ecbsr.pt": "Families/ecbsr/x2-tiny/model_best.pt",
  ]

  static let commands: [String] = {
    let text = try? String(contentsOfFile: Fixtures.folder + "/../../README.md", encoding: .utf8)
    return (text ?? "").split(separator: "\n").compactMap { line in
      guard line.hasPrefix("| "), let start = line.range(of: "| `repconv fuse ") else { return nil }
      return String(line[start.upperBound...].prefix { $0 != "`" })
    }
  }()

  @Test func `every file of the table is one of the fixtures, and the other way round`() {
    let names = Self.commands.map { String($0.prefix { $0 != " " }) }
    #expect(names.sorted() == Self.files.keys.sorted())
  }

  @Test(arguments: commands)
  func `a command of the table does what it says`(command: String) throws {
    let folder = try TemporaryFolder()
    var arguments = command.split(separator: " ").map(String.init)
    arguments[0] = Fixtures.path(try #require(Self.files[arguments[0]]))
    let fused = try Program.run(["fuse"] + arguments + ["--verify"], in: folder.path)
    #expect(fused.status == 0, "\(fused.errors)")
    #expect(try folder.names() == [arguments[1]])
  }
}
