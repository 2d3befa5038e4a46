import Blocks
import Checkpoints
import Conversion
import Foundation
import Naming
import Proof
import Reparameterization
import Tensors
import TestSupport
import Testing

/// A network of `Fixtures/Families`, saved and fused by its project's own code.
struct FamilyCase: Sendable, CustomTestStringConvertible {
  var testDescription: String { "\(folder)/\(file)" }
  var folder: String
  var file: String
  var dialect: Dialect
  /// Blocks with branches, and convolutions that the project folds beside them.
  var blocks: Int
  var key: String?
  /// By the project's constructor; a state dict does not say it. Nil if there is no BatchNorm.
  var epsilon: Double? = 1e-5
  /// What no tensor shows.
  var facts = BlockFacts()
  /// What is in the names that are compared, where the project fuses more than blocks.
  var only = ""
  /// What is in the names that the project's own fusion leaves behind, unused.
  var unused: String?

  var path: String { Fixtures.path("Families/\(folder)/\(file)") }

  /// How the file is to be read.
  var reading: ReadingOptions {
    var reading = ReadingOptions()
    (reading.key, reading.facts) = (key, facts)
    return reading
  }

  /// The network, without what is pruned.
  func plan() throws -> FusionPlan {
    var network = try Network(recognising: openCheckpoint(path), key: key)
    network.facts = facts
    return try FusionPlan(network)
  }

  static let all =
    [
      FamilyCase(
        folder: "mobileone/apple-s0-like", file: "mobileone_unfused.pth.tar", dialect: .mobileOne,
        blocks: 9),
      FamilyCase(
        folder: "mobileone/apple-s4-like-se", file: "mobileone_unfused.pth.tar",
        dialect: .mobileOne,
        blocks: 13),
      FamilyCase(
        folder: "mobileone/timm-s0-like", file: "pytorch_model.bin", dialect: .mobileOneTimm,
        blocks: 11),
      FamilyCase(
        folder: "mobileone/timm-s4-like-se", file: "model.safetensors", dialect: .mobileOneTimm,
        blocks: 15),
      FamilyCase(folder: "dbb/blocks-groups", file: "train.pth", dialect: .dbb, blocks: 8),
      FamilyCase(folder: "dbb/mobilenet-depthwise", file: "train.pth", dialect: .dbb, blocks: 27),
      FamilyCase(folder: "dbb/resnet-basic", file: "train.pth.tar", dialect: .dbb, blocks: 12),
      FamilyCase(folder: "dbb/resnet-bottleneck", file: "train.pth", dialect: .dbb, blocks: 17),
      FamilyCase(
        folder: "dbb/resnet-bottleneck", file: "train.hdf5", dialect: .dbbHDF5, blocks: 17),
      FamilyCase(
        folder: "yolov6/repvgg-state-dict", file: "state_dict.pth", dialect: .yolov6, blocks: 28,
        epsilon: 1e-3),
      FamilyCase(
        folder: "repvgg-larger/pspnet", file: "train_epoch_50.pth", dialect: .official, blocks: 8),
      FamilyCase(
        folder: "repvgg-larger/detector-prefix", file: "checkpoint.pth", dialect: .official,
        blocks: 10, key: "model"),
      FamilyCase(
        folder: "repvgg-larger/insert-bn", file: "bn.pth", dialect: .officialInsertedBatchNorm,
        blocks: 8),
      FamilyCase(folder: "acnet/blocks-odd", file: "train.hdf5", dialect: .acnet, blocks: 6),
      FamilyCase(folder: "acnet/blocks-odd", file: "iter-40000.pth", dialect: .acnet, blocks: 6),
      FamilyCase(folder: "acnet/cfqk-5x5", file: "train.hdf5", dialect: .acnet, blocks: 3),
      FamilyCase(folder: "acnet/cfqk-5x5", file: "iter-40000.pth", dialect: .acnet, blocks: 3),
      FamilyCase(folder: "acnet/src-resnet", file: "train.hdf5", dialect: .acnet, blocks: 19),
      FamilyCase(folder: "acnet/wrn-preactivation", file: "train.hdf5", dialect: .acnet, blocks: 7),
      FamilyCase(
        folder: "replknet/31-tiny", file: "checkpoint-best.pth", dialect: .repLKNet, blocks: 4),
      FamilyCase(
        folder: "replknet/xl-no-small-kernel", file: "checkpoint-best.pth", dialect: .repLKNet,
        blocks: 4),
      FamilyCase(
        folder: "repghost/bn", file: "model_best.pth.tar", dialect: .repGhost, blocks: 4),
      FamilyCase(
        folder: "repghost/timm-repghost", file: "pytorch_model.bin", dialect: .repGhost, blocks: 6),
      FamilyCase(
        folder: "unireplknet/dilated-blocks", file: "train.pth", dialect: .uniRepLKNet, blocks: 7),
      FamilyCase(
        folder: "unireplknet/13-11-9-7-5-3", file: "checkpoint-best.pth", dialect: .uniRepLKNet,
        blocks: 14),
      FamilyCase(
        folder: "repvit/original-distilled", file: "repvit_distill_300e.pth", dialect: .repViT,
        blocks: 13),
      FamilyCase(
        folder: "repvit/timm-m0-9-like-distilled", file: "model.safetensors", dialect: .repViTTimm,
        blocks: 32),
      FamilyCase(
        folder: "qarepvgg/v2-groups", file: "checkpoint.pth", dialect: .qaRepVGG, blocks: 9),
      FamilyCase(folder: "qarepvgg/v1", file: "train.pth", dialect: .qaRepVGGV1, blocks: 6),
      FamilyCase(
        folder: "qarepvgg/first-form", file: "model_best.pth.tar", dialect: .qaRepVGGFirst,
        blocks: 7),
      FamilyCase(
        folder: "yolov6/block-qarepvgg", file: "blocks.pth", dialect: .yolov6QARepVGG, blocks: 4,
        epsilon: 1e-3),
      FamilyCase(
        folder: "yolov6/block-qarepvggv2", file: "blocks.pth", dialect: .yolov6QARepVGG, blocks: 4,
        epsilon: 1e-3),
      FamilyCase(
        folder: "yolov6/qarepvggv2-stripped", file: "best_ckpt.pt", dialect: .yolov6QARepVGG,
        blocks: 29, epsilon: 1e-3),
      FamilyCase(
        folder: "yolov6/block-linear-add", file: "blocks.pth", dialect: .yolov6LinearAdd, blocks: 4,
        epsilon: 1e-3),
      FamilyCase(
        folder: "yolov6/block-real-vgg", file: "blocks.pth", dialect: .yolov6RealVGG, blocks: 4,
        epsilon: 1e-3),
      FamilyCase(
        folder: "super-gradients/qarepvgg-phantom", file: "ckpt_latest_weights_only.pth",
        dialect: .superGradientsQARepVGG, blocks: 5),
      FamilyCase(
        folder: "super-gradients/qarepvgg-alpha", file: "ckpt_latest_weights_only.pth",
        dialect: .superGradientsQARepVGG, blocks: 5),
      FamilyCase(
        folder: "super-gradients/repvgg-block-alpha", file: "ckpt_latest_weights_only.pth",
        dialect: .superGradientsAlpha, blocks: 5),
      FamilyCase(
        folder: "super-gradients/repvgg-training-ema", file: "ckpt_best.pth",
        dialect: .superGradients, blocks: 7, key: "net"),
      FamilyCase(
        folder: "repoptimizers/target-se", file: "ckpt_epoch_119.pth", dialect: .realVGG, blocks: 8),
      FamilyCase(folder: "repoptimizers/hs", file: "latest.pth", dialect: .linearAdd, blocks: 8),
      FamilyCase(
        folder: "repoptimizers/repvgg", file: "latest.pth", dialect: .repOptimizersRepVGG,
        blocks: 8),
      FamilyCase(
        folder: "pp-yoloe/cspresnet", file: "ppyoloe_backbone.pdparams", dialect: .ppYOLOE,
        blocks: 3),
      FamilyCase(
        folder: "pp-yoloe/cspresnet-alpha", file: "ppyoloe_backbone.pdparams", dialect: .ppYOLOE,
        blocks: 3),
      FamilyCase(
        folder: "pp-lcnetv3/rec-tiny", file: "best_accuracy.pdparams", dialect: .ppLCNetV3,
        blocks: 10),
      FamilyCase(
        folder: "repghost/bn-and-identity", file: "model_best.pth.tar", dialect: .repGhost,
        blocks: 4),
      FamilyCase(
        folder: "repvit/timm-legacy", file: "pytorch_model.bin", dialect: .repViTTimmLegacy,
        blocks: 29),
      FamilyCase(
        folder: "yolov7/block-repconv-grouped", file: "blocks.pth", dialect: .yolov7, blocks: 3,
        epsilon: 1e-3),
      FamilyCase(
        folder: "yolov7/idetect-state-dict", file: "state_dict.pth", dialect: .yolov7, blocks: 10,
        epsilon: 1e-3, unused: ".implicit"),
      FamilyCase(
        folder: "yolov7/idetect-training", file: "last.pt", dialect: .yolov7, blocks: 10,
        epsilon: 1e-3, unused: ".implicit"),
      FamilyCase(
        folder: "ultralytics/repconv-stripped", file: "best.pt", dialect: .ultralytics, blocks: 15),
      FamilyCase(
        folder: "yolov9/gelan-tiny", file: "best.pt", dialect: .yolov9, blocks: 26, epsilon: 1e-3),
      FamilyCase(
        folder: "yolov10/cib-tiny", file: "best.pt", dialect: .ultralytics, blocks: 26,
        epsilon: 1e-3),
      FamilyCase(
        folder: "yolov10/cib-tiny", file: "state.pth", dialect: .ultralytics, blocks: 26,
        epsilon: 1e-3),
      FamilyCase(folder: "rt-detr/encoder", file: "best.pth", dialect: .rtdetr, blocks: 4),
      FamilyCase(folder: "d-fine/encoder", file: "best.pth", dialect: .dfine, blocks: 46),
      FamilyCase(
        folder: "fastvit/apple-t8-like", file: "fastvit.pth.tar", dialect: .fastViT, blocks: 11),
      FamilyCase(
        folder: "fastvit/apple-sa12-like", file: "fastvit.pth.tar", dialect: .fastViT, blocks: 11),
      FamilyCase(
        folder: "fastvit/apple-no-layer-scale", file: "fastvit.pth.tar", dialect: .fastViT,
        blocks: 9),
      FamilyCase(
        folder: "fastvit/apple-training-ema", file: "model_best.pth.tar", dialect: .fastViT,
        blocks: 8, key: "state_dict"),
      FamilyCase(
        folder: "fastvit/timm-t8-like", file: "model.safetensors", dialect: .fastViTTimm, blocks: 12
      ),
      FamilyCase(
        folder: "fastvit/timm-sa12-like", file: "pytorch_model.bin", dialect: .fastViTTimm,
        blocks: 11),
      FamilyCase(
        folder: "fastvit/timm-mci-like", file: "pytorch_model.bin", dialect: .fastViTTimm,
        blocks: 12),
      FamilyCase(
        folder: "mobileclip/s-tiny", file: "mobileclip_tiny.pt", dialect: .mobileCLIP, blocks: 16),
    ] + unusualAlgebra
}

@Suite struct FamilyTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: FamilyCase.all)
  func `every tensor is what the project's own fusion gives, correctly rounded`(
    network: FamilyCase
  ) throws {
    var options = FuseOptions()
    options.writing.names = network.dialect == .dbbHDF5 ? .dbb : network.dialect
    options.reading = network.reading
    let output = folder.file("fused.npz")
    let report = try fuse(network.path, to: output, options: options)
    #expect(report.blocks == network.blocks)
    #expect(report.epsilons == (network.epsilon.map { [$0] } ?? []))
    #expect(report.mapping.dialect == network.dialect.name)

    let expected = try readNPZ(Fixtures.path("Families/\(network.folder)/fused.npz"))
    let found = try #require(openCheckpoint(output).stateDicts.first).tensors
    let names = Set(found.map(\.name.text))
    let isCompared = { (name: String) in
      (network.only.isEmpty || name.contains(network.only))
        && (network.unused.map { !name.contains($0) } ?? true)
    }
    #expect(Set(expected.keys.filter(isCompared)).subtracting(names).isEmpty)
    #expect(
      names.subtracting(expected.keys).filter(isCompared)
        .allSatisfy { $0.hasSuffix("num_batches_tracked") })
    for named in found where named.tensor.elementType == .float32 && isCompared(named.name.text) {
      let answer = try #require(expected[named.name]).doubles
      let values = try named.tensor.doubles()
      #expect(values.count == answer.count, "\(named.name)")
      for (value, answer) in zip(values, answer) {
        #expect(value == Double(Float(answer)), "\(named.name)")
      }
    }
  }

  @Test(arguments: FamilyCase.all)
  func `what was fused is proven, and exact`(network: FamilyCase) throws {
    var options = FuseOptions()
    options.reading = network.reading
    options.isVerified = true
    let output = folder.file("fused.safetensors")
    let report = try fuse(network.path, to: output, options: options)
    let verification = try #require(report.verification)
    #expect(verification.holds && verification.grade == .exact)
    #expect(verification.blocks.count == network.blocks)
    // And as another program's file, with the tolerance of float32 arithmetic.
    var comparison = ComparisonOptions()
    comparison.reading = network.reading
    #expect(try verify(network.path, output, options: comparison).holds)
  }

  /// The tensors of a checkpoint under their names, in a file that lists no modules.
  private func plainCopy(_ folderAndFile: String, key: String? = nil) throws -> String {
    var options = RewriteOptions()
    options.reading.key = key
    let copy = folder.file("copy.safetensors")
    options.writing.replace = true
    _ = try rewrite(Fixtures.path("Families/\(folderAndFile)"), to: copy, options: options)
    return copy
  }

  /// Whether a file fuses to the answer of a case.
  private func expect(
    _ path: String, fusesTo folderOfAnswer: String, _ options: FuseOptions = FuseOptions(),
    _ names: Dialect? = nil
  ) throws {
    var options = options
    options.writing.replace = true
    options.writing.names = names
    let output = folder.file("again.npz")
    _ = try fuse(path, to: output, options: options)
    let expected = try readNPZ(Fixtures.path("Families/\(folderOfAnswer)/fused.npz"))
    let found = try #require(openCheckpoint(output).stateDicts.first).tensors
    for named in found where named.tensor.elementType == .float32 {
      let answer = try #require(expected[named.name]).doubles.map { Double(Float($0)) }
      #expect(try named.tensor.doubles() == answer, "\(named.name)")
    }
  }

  @Test func `what no tensor shows and is taken for granted is said`() throws {
    func notes(_ path: String) throws -> [String] {
      var options = FuseOptions()
      options.isDryRun = true
      return try fuse(path, to: folder.file("no.npz"), options: options).notes.map { "\($0)" }
    }
    // The file's list of modules tells.
    let told = Fixtures.path("Families/repghost/bn/model_best.pth.tar")
    #expect(try !notes(told).contains { $0.contains("reparam_identity") })
    let copy = try plainCopy("repghost/bn/model_best.pth.tar")
    #expect(try notes(copy).contains { $0.contains("family RepGhost-identity") })
    try expect(copy, fusesTo: "repghost/bn")
  }

  @Test func `where the file does not list its modules, a family can be asked for`() throws {
    func asking(_ family: BlockFamily) -> FuseOptions {
      var options = FuseOptions()
      options.epsilon = family.base == "RepGhost" ? 1e-5 : 1e-3
      options.reading.dialects = Dialect.all.compactMap { $0.taking(family) }
      return options
    }
    try expect(
      plainCopy("repghost/bn-and-identity/model_best.pth.tar"), fusesTo: "repghost/bn-and-identity",
      asking(.repGhostIdentity))
    let older = try plainCopy("yolov6/block-qarepvgg/blocks.pth")
    #expect {
      try fuse(older, to: folder.file("no.npz"))
    } throws: {
      guard case .undecided(_, "ERBlock_2.1", _, "average", let variants)? = $0 as? FusionError
      else { return false }
      return variants == ["YOLOv6-QARepVGGBlock", "YOLOv6-QARepVGGBlockV2"]
    }
    try expect(older, fusesTo: "yolov6/block-qarepvgg", asking(.yolov6QARepVGGBlock))
    try expect(
      plainCopy("yolov6/block-qarepvggv2/blocks.pth"), fusesTo: "yolov6/block-qarepvggv2",
      asking(.yolov6QARepVGGBlockV2))
    // Not against what the file says.
    #expect {
      try fuse(
        Fixtures.path("Families/repghost/bn/model_best.pth.tar"), to: folder.file("no.npz"),
        options: asking(.repGhostIdentity))
    } throws: {
      "\($0)".contains("the block has no plain identity by the modules that the file lists")
    }
  }

  @Test func `an identity follows from where a block stands in a network of its project`() throws {
    // Grouped kernels: what comes in is what the block before puts out.
    let listed = Fixtures.path("Families/qarepvgg/v2-groups/checkpoint.pth")
    let grouped = try plainCopy("qarepvgg/v2-groups/checkpoint.pth")
    try expect(grouped, fusesTo: "qarepvgg/v2-groups")
    for (path, isSaid) in [(listed, false), (grouped, true)] {
      var options = FuseOptions()
      options.isDryRun = true
      let notes = try fuse(path, to: folder.file("no.npz"), options: options).notes
      #expect(notes.contains { "\($0)".contains("from where they stand") } == isSaid)
    }
    try expect(plainCopy("qarepvgg/v1/train.pth"), fusesTo: "qarepvgg/v1")

    // Elsewhere nothing tells, but a table can.
    let copy = try plainCopy("super-gradients/qarepvgg-phantom/ckpt_latest_weights_only.pth")
    #expect {
      try fuse(copy, to: folder.file("no.npz"))
    } throws: {
      guard case .undecided(_, "stage1.0", _, "identity", let variants)? = $0 as? FusionError else {
        return false
      }
      return variants.isEmpty && "\($0)".contains("which blocks keep the resolution")
    }
    let table = """
      name: mine
      like: super-gradients-qarepvgg
      project: mine
      family: SuperGradients-QARepVGG
      halving: stem
      halving: stage1.2
      keeping: stage{s}.{b}
      groups: 1
      """
    var options = FuseOptions()
    options.reading.dialects = [try Dialect(text: table, place: "mine.dialect")] + Dialect.all
    try expect(copy, fusesTo: "super-gradients/qarepvgg-phantom", options)
  }

  @Test func `a list of modules counts only for the tensors that it is of`() throws {
    var checkpoint = try openCheckpoint(
      Fixtures.path("Families/yolov6/block-qarepvggv2/blocks.pth"))
    func average(_ paths: Set<Name>?) throws -> Bool? {
      checkpoint.stateDicts[0].modulePaths = paths
      let network = try Network(recognising: checkpoint)
      return network.listsModule("average", of: try #require(network.block(at: "ERBlock_2.1")))
    }
    let paths = try #require(checkpoint.stateDicts[0].modulePaths)
    #expect(paths.contains("ERBlock_2.1.rbr_avg") && paths.contains("stem.rbr_dense.bn"))
    #expect(try average(paths) == true)
    #expect(try average(paths.subtracting(["ERBlock_2.1.rbr_avg"])) == false)
    #expect(try average(paths.subtracting(["ERBlock_2.1.rbr_dense.bn"])) == nil)
    #expect(try average(Set(paths.map { "module." + $0 })) == nil)
    #expect(try average(nil) == nil)
  }

  @Test func `Squeeze-and-Excitation before the last BatchNorm is refused, with the reason`() throws
  {
    let path = Fixtures.path("Families/qarepvgg/v2-se-not-fusable/train.pth")
    #expect {
      try fuse(path, to: folder.file("no.npz"))
    } throws: {
      guard case .notOneConvolution(_, "stage0", "QARepVGG", let what)? = $0 as? FusionError else {
        return false
      }
      return what.contains("Squeeze-and-Excitation")
    }
    #expect(try folder.names() == [])
    #expect(try inspect(path).file.architecture == nil)
    // Nothing is wrong with the file.
    let report = try check(path)
    #expect(report.isSound && report.findings.contains { $0.text.contains("Squeeze") })
  }

  @Test func `an epsilon that stays in the network is said where names stand for another`() throws {
    let path = Fixtures.path("Families/yolov6/block-qarepvgg/blocks.pth")
    var options = FuseOptions()
    options.isDryRun = true
    func notes() throws -> [Note] {
      try fuse(path, to: folder.file("no.npz"), options: options).notes
    }
    let text = "the epsilon of the BatchNorms that stay, 1e-05, is not in the output"
    #expect(try !notes().contains { "\($0)".hasPrefix(text) })
    options.epsilon = 1e-5
    #expect(try notes().contains { "\($0)".hasPrefix(text) })
  }

  @Test func `scales without a network are told from one`() throws {
    let path = Fixtures.path("Families/repoptimizers/hs/scales-only.pth")
    #expect {
      try fuse(path, to: folder.file("no.npz"))
    } throws: {
      guard case .noNetwork(_, let what)? = $0 as? NamingError else { return false }
      return what == "the scales of RepOptimizers"
    }
  }

  @Test func `a factor of exactly 0 is none in PP-YOLOE, as in its own code`() throws {
    let family = BlockFamily.ppYOLOE
    let checkpoint = try openCheckpoint(
      Fixtures.path("Families/pp-yoloe/cspresnet-alpha/ppyoloe_backbone.pdparams"))
    let network = try Network(recognising: checkpoint)
    let block = try #require(network.blocks.first)
    func bias(_ alpha: Double?) throws -> [Double] {
      var tensors = block.parameters.mapValues(\.tensor)
      tensors[ParameterAddress("alpha", .value)] = try alpha.map {
        try Tensor(float64: [$0], shape: [1], name: "alpha")
      }
      return try Kernel(family.branch(of: BlockParameters(tensors) { _ in 1e-5 })).bias()
    }
    #expect(try bias(0) == bias(nil))
    #expect(try bias(1) == bias(nil))
    #expect(try bias(0.5) != bias(nil))
  }

  @Test func `a deploy kernel of noise beside live branches is left out, and said`() throws {
    let path = Fixtures.path(
      "Families/super-gradients/qarepvgg-phantom/ckpt_latest_weights_only.pth")
    let report = try fuse(path, to: folder.file("fused.npz"))
    #expect(report.besideBranches.isEmpty)
    #expect(
      report.notes.contains { "\($0)".hasPrefix("5 deploy kernels beside live branches left out") })
    #expect(report.mapping.dropped.contains { $0.reason.contains("beside live branches") })
    let inspection = try inspect(path)
    #expect(inspection.file.form == .train && inspection.blocksWithIdentity == 3)
    #expect(try check(path).isSound)
  }

  @Test(arguments: [
    ("apple-sa12-like/fastvit.pth.tar", Dialect.fastViTTimm, "timm-sa12-like/pytorch_model.bin"),
    ("timm-sa12-like/pytorch_model.bin", .fastViT, "apple-sa12-like/fastvit.pth.tar"),
    ("timm-t8-like/model.safetensors", .fastViT, ""),
    ("timm-mci-like/pytorch_model.bin", .fastViT, ""),
    ("apple-no-layer-scale/fastvit.pth.tar", .fastViTTimm, ""),
  ])
  func `FastViT's tensors get another project's names, and their own again`(
    file: String, names: Dialect, alike: String
  ) throws {
    func shapes(_ path: String) throws -> [Name: Int] {
      let checkpoint = try openCheckpoint(path)
      return Dictionary(
        uniqueKeysWithValues: checkpoint.stateDicts[0].tensors.map {
          ($0.name, $0.tensor.shape.rank)
        })
    }
    func digests(_ path: String) throws -> [Name: [Double]] {
      let tensors = try openCheckpoint(path).stateDicts[0].tensors
      return Dictionary(
        uniqueKeysWithValues: try tensors.filter(\.tensor.isWeight).map {
          ($0.name, try $0.tensor.doubles())
        })
    }
    let path = Fixtures.path("Families/fastvit/\(file)")
    let own = try Network(recognising: openCheckpoint(path)).dialect
    var options = RewriteOptions()
    options.writing.names = names
    let there = folder.file("there.pth")
    let report = try rewrite(path, to: there, options: options)
    #expect(!report.notes.contains { if case .otherTensors = $0 { true } else { false } })
    if !alike.isEmpty {
      // The same network by the other project's own code, but for widths.
      #expect(try shapes(there) == shapes(Fixtures.path("Families/fastvit/\(alike)")))
    }
    options.writing.names = own
    let back = folder.file("back.pth")
    _ = try rewrite(there, to: back, options: options)
    #expect(try digests(back) == digests(path))
  }

  @Test func `names that another project has for a whole network only are not made up`() throws {
    let path = Fixtures.path("Families/mobileclip/s-tiny/mobileclip_tiny.pt")
    var options = RewriteOptions()
    options.writing.names = .fastViTTimm
    #expect {
      try rewrite(path, to: folder.file("a.pth"), options: options)
    } throws: {
      guard case .noName("fastvit-timm", let parameter)? = $0 as? NamingError else { return false }
      return parameter.hasPrefix("text_encoder.")
    }
  }

  @Test func `RepVGG's names around other branches are told from RepVGG`() throws {
    let names: [Name] = ["stage1.0.rbr_dense.conv.weight", "stage1.0.rbr_strange.weight"]
    let state = DeployState(
      entries: names.map { .init(name: $0, shape: [2, 2, 1, 1], values: [1, 2, 3, 4]) })
    let path = try state.write(to: folder.file("x.pth"))
    #expect {
      try fuse(path, to: folder.file("a.rvd"))
    } throws: {
      guard case .unknownInBlock(_, "stage1.0", "RepVGG", let found, _, nil)? = $0 as? NamingError
      else { return false }
      return found == [names[1]]
    }
  }

  @Test func `a DBB whose padding is not BatchNorm's is told that it is no convolution`() throws {
    let state = DeployState(entries: [
      .init(
        name: "c.dbb_origin.conv.weight", shape: [2, 2, 3, 3],
        values: [Double](repeating: 1, count: 36)),
      .init(name: "c.dbb_1x1_kxk.bn1.running_mean", shape: [2], values: [1, 2]),
    ])
    let path = try state.write(to: folder.file("x.pth"))
    #expect {
      try fuse(path, to: folder.file("a.rvd"))
    } throws: {
      guard case .unknownInBlock(_, "c", "DBB", _, _, let resembles?)? = $0 as? NamingError else {
        return false
      }
      return resembles.contains("BNAndPad") && "\($0)".contains("no single convolution")
    }
  }
}

/// Files of detectors: names that other layers have as well, and deploy forms with more than they need.
@Suite struct DetectorTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func fixture(_ name: String) -> String { Fixtures.path("Families/\(name)") }

  /// The tensors of a state dict in float32, to be changed.
  func state(_ path: String) throws -> DeployState {
    let tensors = try #require(openCheckpoint(path).stateDicts.first).tensors
    return DeployState(
      entries: try tensors.filter { $0.tensor.isWeight }.map {
        .init(
          name: $0.name, shape: $0.tensor.shape.dimensions, values: try $0.tensor.doubles())
      })
  }

  @Test(arguments: [
    "model.7.m.0.conv1.conv.weight", "model.7.m.0.conv1.bn.running_var",
    "model.7.m.0.conv2.conv.weight", "model.7.m.0.conv2.bn.weight",
    "model.3.m.0.cv1.2.conv.conv.weight", "model.3.m.0.cv1.2.conv1.bn.running_mean",
  ])
  func `a block of shared names that lacks a part is not folded in parts`(name: Name) throws {
    var train = try state(fixture("yolov10/cib-tiny/state.pth"))
    train.remove([name])
    let path = try train.write(to: folder.file("cut.pth"))
    #expect {
      try fuse(path, to: folder.file("a.npz"))
    } throws: {
      guard case .incompleteBlock(_, _, _, let missing, _)? = $0 as? FusionError else {
        return false
      }
      return missing == [name]
    }
  }

  @Test func `a head that lacks a part is not folded`() throws {
    for name in ["ia.0.implicit", "im.1.implicit", "m.0.weight"] {
      var train = try state(fixture("yolov7/idetect-state-dict/state_dict.pth"))
      train.remove(["model.9.\(name)"])
      let path = try train.write(to: folder.file("cut.pth"))
      #expect {
        try fuse(path, to: folder.file("a.npz"))
      } throws: {
        guard case .incompleteBlock(_, _, _, let missing, _)? = $0 as? FusionError else {
          return false
        }
        return missing == ["model.9.\(name)"]
      }
    }
    var train = try state(fixture("yolov7/idetect-state-dict/state_dict.pth"))
    train["model.9.ia.0.implicit"].shape = [1, 4, 1, 1]
    train["model.9.ia.0.implicit"].values.removeLast(4)
    let path = try train.write(to: folder.file("narrow.pth"))
    #expect {
      try fuse(path, to: folder.file("a.npz"))
    } throws: {
      "\($0)".contains("4 numbers are added to 8 channels")
    }
  }

  @Test func `a deploy file with what its project leaves behind is proven, and not fused again`()
    throws
  {
    let train = fixture("yolov7/idetect-state-dict/state_dict.pth")
    var left = try DeployState(fusing: train, names: .yolov7)
    left.entries += try state(train).entries.filter { $0.name.contains("implicit") }
    let path = try left.write(to: folder.file("left.pth"))
    let report = try verify(train, path)
    #expect(report.holds && report.verification.blocksWithBranches == 2)
    #expect {
      try fuse(path, to: folder.file("a.npz"))
    } throws: {
      if case .alreadyFused? = $0 as? FusionError { true } else { false }
    }
    guard case .secondFused(let verification) = try diff(train, path).relation else {
      Issue.record("not seen as the deploy form")
      return
    }
    #expect(verification.holds)
  }

  @Test func `branches stay where the project's own deploy form has them, and nowhere else`() throws
  {
    let train = fixture("rt-detr/encoder/best.pth")
    func names(_ path: String) throws -> Set<Name> {
      Set(try #require(openCheckpoint(path).stateDicts.first).tensors.map(\.name))
    }
    let (kept, official) = (folder.file("kept.pth"), folder.file("official.pth"))
    _ = try fuse(train, to: kept)
    let block = "encoder.fpn_blocks.0.bottlenecks.0"
    #expect(
      try names(kept).isSuperset(
        of: ["conv.weight", "conv.bias", "conv1.conv.weight", "conv2.norm.running_var"].map {
          "\(block).\($0)"
        }))
    var options = FuseOptions()
    options.writing.names = .official
    _ = try fuse(train, to: official, options: options)
    _ = try fuse(train, to: folder.file("kept.rvd"))
    for path in [official, folder.file("kept.rvd")] {
      #expect(try !names(path).contains { $0.contains("bottlenecks.0.conv1") })
      #expect(try verify(train, path).holds)
    }
    // It is the deploy form, and can be fused again.
    let report = try verify(train, kept)
    #expect(report.holds && report.verification.blocksWithBranches == 4)
    guard case .secondFused(let verification) = try diff(train, kept).relation else {
      Issue.record("not seen as the deploy form")
      return
    }
    #expect(verification.holds)
    _ = try fuse(kept, to: folder.file("again.pth"))
    #expect(try folder.read("again.pth").count == folder.read("kept.pth").count)
  }

  @Test func `a byte changed in what a pickled module was fused to is found`() throws {
    let train = fixture("ultralytics/repconv-stripped/best.pt")
    _ = try fuse(train, to: folder.file("out.rvd"))
    var bytes = try folder.read("out.rvd")
    bytes[5001] ^= 0x20
    try folder.write(bytes, to: "damaged.rvd")
    let report = try verify(train, folder.file("damaged.rvd"))
    #expect(!report.holds && report.deploy.damage.count == 1)
    #expect(report.verification.blocks.count { $0.grade == .different } == 1)
  }
}

// MARK: Corruptions

/// One way to get a block of another family wrong, and what `verify` must say of it.
struct FamilyCorruption: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var family: String
  var block: Name
  var cause: Cause?
  /// What the block should have been fused to instead of its tree.
  var change: @Sendable (Branch) -> Branch?
  /// Whether only the bias is that of the changed tree.
  var isOfBias = false

  init(
    _ description: String, _ family: String, _ block: Name, _ cause: Cause?,
    ofBias: Bool = false, _ change: @escaping @Sendable (Branch) -> Branch?
  ) {
    testDescription = "\(family): \(description)"
    self.family = family
    self.block = block
    self.cause = cause
    isOfBias = ofBias
    self.change = change
  }
}

extension Network {
  /// Those that become a convolution in a deploy form of the project's own.
  fileprivate var fusedBlocks: [Block] {
    let left = Set(blocksLeftByProject.map(\.path))
    return blocks.filter { $0.hasBranches && !left.contains($0.path) }
  }
}

extension Branch {
  /// The tree with something else in the place of a layer, or without it.
  func replacing(_ name: LayerAddress, _ change: (Branch) -> Branch?) -> Branch? {
    switch self {
    case .layer(name, let inner): return change(inner).map { .layer(name, $0) }
    case .layer(let address, let inner):
      return inner.replacing(name, change).map { .layer(address, $0) }
    case .batchNorm(let inner, let norm):
      return inner.replacing(name, change).map { .batchNorm($0, norm) }
    case .dilated(let inner, let rate):
      return inner.replacing(name, change).map { .dilated($0, by: rate) }
    case .scaled(let inner, let factors):
      return inner.replacing(name, change).map { .scaled($0, by: factors) }
    case .shifted(let inner, let shifts):
      return inner.replacing(name, change).map { .shifted($0, by: shifts) }
    case .unrolled(let inner, let height, let width):
      return inner.replacing(name, change).map { .unrolled($0, height: height, width: width) }
    case .then(let first, let second):
      let (a, b) = (first.replacing(name, change), second.replacing(name, change))
      return a.flatMap { a in b.map { a.then($0) } }
    case .sum(let branches): return .sum(branches.compactMap { $0.replacing(name, change) })
    default: return self
    }
  }

  /// The tree with its BatchNorms changed; all, or those of one layer.
  func norms(
    of layer: LayerAddress? = nil, _ change: (inout BatchNorm) -> Void
  ) -> Branch {
    if let layer { return replacing(layer) { $0.norms(change) }! }
    switch self {
    case .batchNorm(let inner, var norm):
      change(&norm)
      return .batchNorm(inner.norms(change), norm)
    case .layer(let address, let inner): return .layer(address, inner.norms(change))
    case .dilated(let inner, let rate): return .dilated(inner.norms(change), by: rate)
    case .scaled(let inner, let factors): return .scaled(inner.norms(change), by: factors)
    case .shifted(let inner, let shifts): return .shifted(inner.norms(change), by: shifts)
    case .unrolled(let inner, let height, let width):
      return .unrolled(inner.norms(change), height: height, width: width)
    case .then(let first, let second): return first.norms(change).then(second.norms(change))
    case .sum(let branches): return .sum(branches.map { $0.norms(change) })
    default: return self
    }
  }

  /// Ways to get any tree wrong, and what is to be found: another epsilon, a branch left out, a BatchNorm
  /// that is not folded.
  fileprivate var corruptions: [(Cause, Branch)] {
    var list: [(Cause, Branch)] = []
    if let norm {
      let other = norm.epsilon == 1e-3 ? 1e-5 : 1e-3
      list.append((.epsilon(other), norms { $0.epsilon = other }))
    }
    for case .layer(let address, _) in summands where summands.count > 1 {
      list.append((.leftOut([address.description]), without(address)!))
    }
    if summands.contains(where: \.isIdentity), let rest = withoutIdentity {
      list.append((.leftOut(["identity"]), rest))
    }
    for case .layer(let address, let inner) in all {
      if case .batchNorm = inner, let rest = unfolded(address) {
        list.append((.notFolded([address.description]), rest))
      }
    }
    return list
  }

  private var isIdentity: Bool { if case .identity = self { true } else { false } }

  /// Without an identity that no tensor shows.
  private var withoutIdentity: Branch? {
    switch self {
    case .sum(let branches): .sum(branches.filter { !$0.isIdentity })
    case .batchNorm(let inner, let norm): inner.withoutIdentity.map { $0.normalized(by: norm) }
    case .layer(let address, let inner): inner.withoutIdentity.map { .layer(address, $0) }
    default: self
    }
  }

  /// The branches that the whole is the sum of, before a BatchNorm behind it.
  fileprivate var summands: [Branch] {
    switch self {
    case .sum(let branches):
      branches.flatMap { branch in
        if case .sum = branch { branch.summands } else { [branch] }
      }
    case .batchNorm(let inner, _), .scaled(let inner, _), .shifted(let inner, _): inner.summands
    case .layer(_, let inner) where inner.summands.count > 1: inner.summands
    case .dilated(.layer(let address, let inner), let rate):
      [.layer(address, inner.dilated(by: rate))]
    default: [self]
    }
  }

  fileprivate var norm: BatchNorm? {
    all.lazy.compactMap { if case .batchNorm(_, let norm) = $0 { norm } else { nil } }.first
  }

  func without(_ names: LayerAddress...) -> Branch? {
    names.reduce(self) { tree, name in tree?.replacing(name) { _ in nil } }
  }

  func unfolded(_ name: LayerAddress) -> Branch? {
    replacing(name) { if case .batchNorm(let inner, _) = $0 { inner } else { $0 } }
  }

  fileprivate func unscaled(_ name: LayerAddress) -> Branch? {
    replacing(name) { if case .scaled(let inner, _) = $0 { inner } else { $0 } }
  }

  fileprivate func layer(_ name: LayerAddress) -> Branch? {
    all.first { if case .layer(name, _) = $0 { true } else { false } }
  }

  fileprivate func exchangingNorms(_ first: LayerAddress, _ second: LayerAddress) -> Branch {
    let (a, b) = (layer(first)!.norm!, layer(second)!.norm!)
    return norms(of: first) { $0 = b }.norms(of: second) { $0 = a }
  }
}

let zeros = { @Sendable (vector: [Double]) in vector.map { _ in 0.0 } }

let familyCorruptions: [FamilyCorruption] = {
  let (one, dbb) = (
    "mobileone/apple-s0-like/mobileone_unfused.pth.tar", "dbb/resnet-basic/train.pth.tar"
  )
  let (skipping, scaled, diverse): (Name, Name, Name) = ("stage1.1", "stage2.0", "stage4.0.conv2")
  let (yolo, pickled) = ("yolov7/idetect-state-dict/state_dict.pth", "yolov10/cib-tiny/best.pt")
  let (head, depthwise): (Name, Name) = ("model.9.m.0", "model.3.m.0.cv1.2")
  let mixing = "fastvit/apple-sa12-like/fastvit.pth.tar"
  let (mixer, encoding, large): (Name, Name, Name) = (
    "network.0.0.token_mixer", "network.4", "network.3.proj.0"
  )
  return [
    .init("another epsilon", one, scaled, .epsilon(1e-3)) { $0.norms { $0.epsilon = 1e-3 } },
    .init("an epsilon nobody uses", one, skipping, .epsilon(2.6e-4)) {
      $0.norms { $0.epsilon = 2.6e-4 }
    },
    .init("no skip", one, skipping, .leftOut(["skip"])) { $0.without("skip") },
    .init("no scale", one, scaled, .leftOut(["scale"])) { $0.without("scale") },
    .init("one convolution too few", one, scaled, .leftOut(["conv.2"])) { $0.without("conv.2") },
    .init("two convolutions too few", one, scaled, .leftOut(["conv.1", "conv.3"])) {
      $0.without("conv.1", "conv.3")
    },
    .init("only the first convolution", one, skipping, nil) {
      $0.without("conv.1", "conv.2", "conv.3", "skip")
    },
    .init("BatchNorm of the scale not folded", one, scaled, .notFolded(["scale"])) {
      $0.unfolded("scale")
    },
    .init("BatchNorm of a convolution not folded", one, skipping, .notFolded(["conv.3"])) {
      $0.unfolded("conv.3")
    },
    .init("BatchNorms exchanged", one, scaled, .exchangedBatchNorm("conv.0", "conv.1")) {
      $0.exchangingNorms("conv.0", "conv.1")
    },
    .init("running means forgotten", one, skipping, .ignored(.runningMean)) {
      $0.norms { $0.runningMean = zeros($0.runningMean) }
    },
    .init("betas forgotten", one, scaled, .ignored(.beta)) {
      $0.norms { $0.beta = zeros($0.beta) }
    },
    .init("gammas forgotten", one, scaled, .ignored(.gamma)) {
      $0.norms { $0.gamma = $0.gamma.map { _ in 1 } }
    },
    .init("variances forgotten", one, skipping, .ignored(.runningVariance)) {
      $0.norms { ($0.runningVariance, $0.epsilon) = ($0.gamma.map { _ in 1 }, 0) }
    },

    .init(
      "BatchNorm after the sum not folded", "qarepvgg/v2-groups/checkpoint.pth", "stage1.1",
      .notFolded(["post"])
    ) { $0.unfolded("post") },
    .init(
      "the 1x1 branch left out", "qarepvgg/first-form/model_best.pth.tar", "stage2.1",
      .leftOut(["pointwise"])
    ) { $0.without("pointwise") },
    .init(
      "the factor forgotten", "super-gradients/qarepvgg-alpha/ckpt_latest_weights_only.pth",
      "stage1.0", .notScaled(["pointwise"])
    ) { $0.unscaled("pointwise") },
    .init(
      "factors of the identity forgotten", "repoptimizers/hs/latest.pth", "stage1.1",
      .notScaled(["identity"])
    ) { $0.unscaled("identity") },

    .init("another epsilon", dbb, diverse, .epsilon(1e-3)) { $0.norms { $0.epsilon = 1e-3 } },
    .init("no average", dbb, diverse, .leftOut(["average"])) { $0.without("average") },
    .init("no 1x1", dbb, diverse, .leftOut(["pointwise"])) { $0.without("pointwise") },
    .init("no sequence", dbb, diverse, .leftOut(["sequence"])) { $0.without("sequence") },
    .init("no sequence, no average", dbb, diverse, .leftOut(["average", "sequence"])) {
      $0.without("sequence", "average")
    },
    .init("the residual without its identity", dbb, diverse, .leftOut(["identity"])) {
      $0.replacing("inner") {
        guard case .batchNorm(.sum(let branches), let norm) = $0 else { return $0 }
        return .batchNorm(branches[1], norm)
      }
    },
    .init("the identity without its residual", dbb, diverse, .leftOut(["residual"])) {
      $0.without("residual")
    },
    .init(
      "a sequence padded with zeros", dbb, diverse, .biasNotPassed(["sequence"]), ofBias: true
    ) {
      $0.norms(of: "inner") { ($0.beta, $0.runningMean) = (zeros($0.beta), zeros($0.beta)) }
    },
    .init("an average padded with zeros", dbb, diverse, .biasNotPassed(["average"]), ofBias: true) {
      $0.norms(of: "reduce") { ($0.beta, $0.runningMean) = (zeros($0.beta), zeros($0.beta)) }
    },
    .init("BatchNorm inside a sequence not folded", dbb, diverse, .notFolded(["inner"])) {
      $0.unfolded("inner")
    },
    .init("BatchNorm after a sequence not folded", dbb, diverse, .notFolded(["outer"])) {
      $0.unfolded("outer")
    },
    .init("BatchNorm of the k x k not folded", dbb, diverse, .notFolded(["origin"])) {
      $0.unfolded("origin")
    },
    .init("BatchNorms exchanged", dbb, diverse, .exchangedBatchNorm("inner", "outer")) {
      $0.exchangingNorms("inner", "outer")
    },
    .init("running means forgotten", dbb, diverse, .ignored(.runningMean)) {
      $0.norms { $0.runningMean = zeros($0.runningMean) }
    },
    .init("gammas forgotten", dbb, diverse, .ignored(.gamma)) {
      $0.norms { $0.gamma = $0.gamma.map { _ in 1 } }
    },
    .init("nothing added to the input", yolo, head, .notShifted(["added"]), ofBias: true) {
      $0.replacing("added") { _ in .identity }
    },
    .init("no factors", yolo, head, .notScaled(["factor"])) {
      $0.replacing("factor") { if case .scaled(let inner, _) = $0 { inner } else { $0 } }
    },
    .init("folded twice", yolo, head, nil) { tree in
      guard case .layer(_, .scaled(_, let factors)) = tree else { return nil }
      return tree.scaled(by: factors)
    },
    .init("no 3x3", pickled, depthwise, .leftOut(["small"])) { $0.without("small") },
    .init("the 3x3 alone not folded", pickled, depthwise, .notFolded(["small"])) {
      $0.unfolded("small")
    },
    .init("an epsilon that is not the module's", pickled, depthwise, .epsilon(1e-5)) {
      $0.norms { $0.epsilon = 1e-5 }
    },

    .init("another epsilon", mixing, mixer, .epsilon(1e-3)) { $0.norms { $0.epsilon = 1e-3 } },
    .init("no identity", mixing, mixer, .leftOut(["identity"])) {
      guard case .sum(let branches) = $0 else { return $0 }
      return branches[0]
    },
    .init("nothing taken off", mixing, mixer, .leftOut(["norm"])) { $0.without("norm") },
    .init("no skip in the mixer", mixing, mixer, .leftOut(["skip"])) { $0.without("skip") },
    .init("no 1x1 in the mixer", mixing, mixer, .leftOut(["scale"])) { $0.without("scale") },
    .init("BatchNorm that is taken off not folded", mixing, mixer, .notFolded(["norm"])) {
      $0.replacing("norm") { _ in Branch.identity.scaled(by: -1) }
    },
    .init("added instead of taken off", mixing, mixer, nil) {
      $0.replacing("norm") { if case .scaled(let norm, _) = $0 { norm } else { $0 } }
    },
    .init("factors forgotten", mixing, mixer, nil) {
      $0.replacing("factor") { if case .scaled(let inner, _) = $0 { inner } else { $0 } }
    },
    .init("running means forgotten", mixing, mixer, .ignored(.runningMean)) {
      $0.norms { $0.runningMean = zeros($0.runningMean) }
    },
    .init("no identity", mixing, encoding, .leftOut(["identity"])) {
      guard case .sum(let branches) = $0 else { return $0 }
      return branches[0]
    },
    .init("no small kernel", mixing, large, .leftOut(["small"])) { $0.without("small") },
  ] + unusualCorruptions
}()

/// Corruptions of what is stored, whatever the family.
private let storedCorruptions:
  [(String, Cause?, @Sendable (inout DeployState.Entry, inout DeployState.Entry) -> Void)] = [
    ("a bias left out", .noBias, { _, bias in bias.values = zeros(bias.values) }),
    ("a kernel of zeros", .allZero, { weight, _ in weight.values = zeros(weight.values) }),
    (
      "float16 on the way", .rounded(to: .float16),
      { weight, bias in
        weight.values = weight.values.map { Precision(.float16)!.rounded($0) }
        bias.values = bias.values.map { Precision(.float16)!.rounded($0) }
      }
    ),
    (
      "an output channel damaged", .channels([1]),
      { weight, _ in
        let length = weight.values.count / weight.shape[0]
        for index in length..<2 * length { weight.values[index] *= 1.5 }
      }
    ),
    (
      "a flipped bit", nil,
      { weight, _ in
        weight.values[5] = Double(Float(bitPattern: Float(weight.values[5]).bitPattern ^ 1 << 22))
      }
    ),
  ]

@Suite struct FamilyCorruptionTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// The names of a block's deploy tensors.
  func names(_ path: Name, in network: Network) -> (weight: Name, bias: Name) {
    let block = network.block(at: path)!
    let name = { network.dialect.name(of: .block(block.address, .fused($0)))! }
    return (name(.weight), name(.bias))
  }

  func expect(
    _ state: DeployState, of train: String, reading: ReadingOptions = ReadingOptions(),
    _ block: Name, _ cause: Cause?
  ) throws {
    var options = ComparisonOptions()
    options.reading = reading
    let report = try verify(train, state.write(to: folder.file("wrong.pth")), options: options)
    let wrong = report.verification.blocks.filter { $0.grade == .different }
    #expect(!report.holds && wrong.map(\.path) == [block])
    #expect(report.verification.missing.isEmpty && report.verification.unexpected.isEmpty)
    if let cause {
      #expect(wrong.first?.cause == cause, "\(wrong.first?.cause?.description ?? "none")")
    }
  }

  @Test(arguments: familyCorruptions)
  func `what was done to a block is found, in the right block`(corruption: FamilyCorruption) throws
  {
    let train = Fixtures.path("Families/\(corruption.family)")
    let network = try Network(recognising: openCheckpoint(train))
    var state = try DeployState(fusing: train, names: network.dialect)
    let block = try #require(network.block(at: corruption.block))
    let tree = try block.branch(in: network, epsilon: 1e-5)
    let changed = try Kernel(#require(corruption.change(tree)))
    let whole = try Kernel(tree)
    #expect(changed.shape == whole.shape)
    let kernel = corruption.isOfBias ? whole : changed
    let (weight, bias) = names(corruption.block, in: network)
    state[weight].values = try kernel.weights(ofRows: 0..<kernel.shape[0]).map { Double(Float($0)) }
    state[bias].values = try changed.bias().map { Double(Float($0)) }
    try expect(state, of: train, corruption.block, corruption.cause)
  }

  /// Of every family and project, without a row of its own: what can be done to any tree.
  @Test(arguments: FamilyCase.all)
  func `a tree fused wrongly is found, in the right block`(family: FamilyCase) throws {
    let train = family.path
    let plan = try family.plan()
    let network = plan.network
    let right = try DeployState(of: plan, names: network.dialect)
    // The one with the most to get wrong.
    let trees = try network.fusedBlocks.map {
      ($0.path, try $0.branch(in: network, epsilon: family.epsilon ?? 0))
    }
    let largest = trees.enumerated().max {
      ($0.element.1.all.count, -$0.offset) < ($1.element.1.all.count, -$1.offset)
    }
    let (block, tree) = try #require(largest).element
    let whole = try Kernel(tree)
    let (weight, bias) = names(block, in: network)
    for (cause, changed) in tree.corruptions {
      guard let kernel = try? Kernel(changed), kernel.shape == whole.shape else { continue }
      var state = right
      state[weight].values = try kernel.weights(ofRows: 0..<kernel.shape[0]).map {
        Double(Float($0))
      }
      state[bias].values = try kernel.bias().map { Double(Float($0)) }
      try expect(state, of: train, reading: family.reading, block, cause)
    }
    // A small kernel in the corner of a large one.
    for case .layer(let address, let branch) in tree.summands {
      guard let small = try? Kernel(branch), small.shape != whole.shape else { continue }
      let (rows, columns) = (whole.shape[2] - small.shape[2], whole.shape[3] - small.shape[3])
      let all = try whole.weights(ofRows: 0..<whole.shape[0])
      var values = all
      let others = try Kernel(tree.without(address)!).weights(ofRows: 0..<whole.shape[0])
      for outer in 0..<whole.shape[0] * whole.shape[1] {
        for y in 0..<small.shape[2] {
          for x in 0..<small.shape[3] {
            let at = { (top: Int, left: Int) in
              (outer * whole.shape[2] + top + y) * whole.shape[3] + left + x
            }
            let middle = at(rows / 2, columns / 2)
            let part = all[middle] - others[middle]
            values[middle] -= part
            values[at(0, 0)] += part
          }
        }
      }
      var state = right
      state[weight].values = values.map { Double(Float($0)) }
      try expect(
        state, of: train, reading: family.reading, block,
        .misplaced([address.description], row: 0, column: 0))
      break
    }
  }

  @Test(arguments: FamilyCase.all)
  func `damage of what is stored is found, in the right block`(family: FamilyCase) throws {
    let train = family.path
    let plan = try family.plan()
    let network = plan.network
    let right = try DeployState(of: plan, names: network.dialect)
    func sizes(_ block: Block) -> (Int, Int) {
      let shape = right[names(block.path, in: network).weight].shape
      return (min(shape[0], 4), shape.dropFirst().reduce(1, *))
    }
    // One that has channels, and rows of more than a few values.
    let longest = network.fusedBlocks.max { sizes($0) < sizes($1) }
    let chosen = try #require(longest)
    let block = chosen.path
    for (_, cause, corrupt) in storedCorruptions {
      var cause = cause
      // A BatchNorm that was put in changes nothing but the bias.
      if cause == .noBias && family.dialect == .officialInsertedBatchNorm { cause = nil }
      // One of three channels is not few of many.
      if cause == .channels([1]) && sizes(chosen).0 < 4 { cause = nil }
      var state = right
      let (weight, bias) = names(block, in: network)
      var (kernel, shift) = (state[weight], state[bias])
      corrupt(&kernel, &shift)
      (state[weight], state[bias]) = (kernel, shift)
      try expect(state, of: train, reading: family.reading, block, cause)
    }
    // Another block's convolution in the place of this one.
    var state = right
    let shape = state[names(block, in: network).weight].shape
    let other = network.fusedBlocks.first {
      $0.path != block && state[names($0.path, in: network).weight].shape == shape
    }
    guard let path = other?.path else { return }
    state[names(block, in: network).weight].values =
      state[names(path, in: network).weight].values
    state[names(block, in: network).bias].values = state[names(path, in: network).bias].values
    try expect(state, of: train, reading: family.reading, block, .anotherBlock(path))
  }
}
