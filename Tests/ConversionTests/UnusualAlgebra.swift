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

extension FamilyCase {
  /// Families whose kernels are made by more than convolutions side by side.
  static let unusualAlgebra = [
    FamilyCase(
      folder: "span/x2-tiny", file: "net_g_latest.pth", dialect: .span, blocks: 20,
      key: "params_ema", epsilon: nil),
    FamilyCase(
      folder: "ecbsr/x2-tiny", file: "model_best.pt", dialect: .ecbsr, blocks: 3, epsilon: nil),
    FamilyCase(folder: "orepa/blocks", file: "train.pth", dialect: .orepa, blocks: 6),
    FamilyCase(folder: "orepa/repvgg", file: "train.pth", dialect: .orepa, blocks: 4),
    FamilyCase(folder: "orepa/large", file: "train.pth", dialect: .orepa, blocks: 2),
    FamilyCase(
      folder: "repmlpnet/k1-k3", file: "ckpt_epoch_299.pth", dialect: .repMLPNet, blocks: 3),
    FamilyCase(
      folder: "repmlpnet/k1-k3-k5", file: "ckpt_epoch_299.pth", dialect: .repMLPNet, blocks: 2),
    FamilyCase(
      folder: "repmlpnet/wide-map-k3", file: "ckpt_epoch_299.pth", dialect: .repMLPNet, blocks: 2,
      facts: .wide),
    FamilyCase(folder: "resrep/src-resnet", file: "finish.hdf5", dialect: .resRep, blocks: 21),
    FamilyCase(folder: "resrep/vgg", file: "finish.hdf5", dialect: .resRep, blocks: 13),
    FamilyCase(
      folder: "resrep/vgg-nearly-zero-rows", file: "finish.hdf5", dialect: .resRep, blocks: 13),
    FamilyCase(folder: "resrep/lenet-flatten", file: "finish.hdf5", dialect: .resRep, blocks: 2),
  ]
}

extension BlockFacts {
  /// Maps half as high again as wide, the other way round.
  fileprivate static let wide: BlockFacts = {
    var facts = BlockFacts()
    facts.mapRatio = Ratio(height: 2, width: 3)
    return facts
  }()
}

extension Tensor {
  fileprivate var zeros: Tensor {
    try! Tensor(
      float64: [Double](repeating: 0, count: shape.elementCount), shape: shape, name: "zeros")
  }
}

extension Branch {
  /// Without factors, anywhere in it.
  fileprivate var withoutFactors: Branch {
    switch self {
    case .scaled(let inner, _): inner
    case .shifted(let inner, let shifts): .shifted(inner.withoutFactors, by: shifts)
    case .batchNorm(let inner, let norm): .batchNorm(inner.withoutFactors, norm)
    case .layer(let address, let inner): .layer(address, inner.withoutFactors)
    case .then(let first, let second): .then(first.withoutFactors, second.withoutFactors)
    default: self
    }
  }

  /// The first convolution of a pair without its bias, as if the second were padded with zeros.
  fileprivate var withoutFirstBias: Branch {
    switch self {
    case .then(.convolution(let weight, _), let second):
      .then(.convolution(weight, bias: nil), second)
    case .then(.layer(let address, .convolution(let weight, _)), let second):
      .then(.layer(address, .convolution(weight, bias: nil)), second)
    case .then(.layer(let address, .shifted(let inner, let shifts)), let second):
      .then(.layer(address, inner.shifted(by: shifts.zeros)), second)
    case .batchNorm(let inner, let norm): .batchNorm(inner.withoutFirstBias, norm)
    default: self
    }
  }
}

/// What people and programs get wrong of these families only.
let unusualCorruptions: [FamilyCorruption] = {
  let (ecbsr, orepa) = ("ecbsr/x2-tiny/model_best.pt", "orepa/blocks/train.pth")
  let (repMLP, uniRepLKNet) = (
    "repmlpnet/k1-k3/ckpt_epoch_299.pth", "unireplknet/13-11-9-7-5-3/checkpoint-best.pth"
  )
  let (filters, made, matrix, linear): (Name, Name, Name, Name) = (
    "backbone.1", "blocks.1", "stages.1.0.repmlp_block", "stages.1.0.pwconv2"
  )
  return [
    .init("no identity", ecbsr, filters, .leftOut(["identity"])) {
      guard case .sum(let branches) = $0 else { return nil }
      return .sum(branches.dropLast())
    },
    .init("a filter without its factors", ecbsr, filters, .notScaled(["vertical"])) {
      $0.replacing("vertical") { $0.withoutFactors }
    },
    .init("a pair padded with zeros", ecbsr, filters, .biasNotPassed(["wide"]), ofBias: true) {
      $0.replacing("wide") { $0.withoutFirstBias }
    },
    .init("no Laplacian", ecbsr, filters, .leftOut(["laplacian"])) { $0.without("laplacian") },

    .init("a part without its factors", orepa, made, .notScaled(["prior"])) {
      $0.replacing("prior") { $0.withoutFactors }
    },
    .init("the 1x1 before the k x k without identity", orepa, made, .leftOut(["first identity"])) {
      $0.without("first identity")
    },
    .init("no depthwise part", orepa, made, .leftOut(["separable"])) { $0.without("separable") },
    .init("the depthwise part of another file", orepa, made, nil) { tree in
      tree.replacing("separable") { part in
        guard case .scaled(.separable(let depthwise, let pointwise), let factors) = part else {
          return nil
        }
        return .scaled(
          .separable(depthwise: depthwise.flipped(axis: 0), pointwise: pointwise), by: factors)
      }
    },

    .init("no 1x1 convolution", repMLP, matrix, .leftOut(["local.1"])) { $0.without("local.1") },
    .init("BatchNorm of a convolution not folded", repMLP, matrix, .notFolded(["local.3"])) {
      $0.unfolded("local.3")
    },
    .init("BatchNorm of the matrix not folded", repMLP, matrix, .notFolded(["matrix"])) {
      $0.unfolded("matrix")
    },

    .init("no layer scale", uniRepLKNet, linear, .notScaled(["scale"])) { $0.withoutFactors },
    .init("the shift not passed on", uniRepLKNet, linear, .notShifted(["shift"]), ofBias: true) {
      $0.replacing("norm") { $0.withoutFirstBias }
    },
    .init("another epsilon", uniRepLKNet, linear, .epsilon(1e-3)) {
      $0.norms { $0.epsilon = 1e-3 }
    },
  ]
}()

@Suite struct UnusualAlgebraTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func family(_ folder: String) -> FamilyCase {
    FamilyCase.unusualAlgebra.first { $0.folder == folder }!
  }

  @Test func `a stale deploy kernel beside branches is made anew, and the branches are kept`()
    throws
  {
    let span = family("span/x2-tiny")
    var options = FuseOptions()
    options.reading = span.reading
    let report = try fuse(span.path, to: folder.file("a.pth"), options: options)
    #expect(report.besideBranches.count == 20 && report.besideBranches.allSatisfy { !$0.agrees })
    #expect(report.output.tensors == 204)
    // Fused again, nothing changes.
    let again = try fuse(folder.file("a.pth"), to: folder.file("b.pth"))
    #expect(again.besideBranches.allSatisfy { $0.agrees })
    #expect(try verify(folder.file("a.pth"), folder.file("b.pth")).holds)
  }

  @Test func `an identity that no tensor shows is what was said`() throws {
    let path = family("ecbsr/x2-tiny").path
    func fused(_ hasIdentity: Bool?) throws -> FuseReport {
      var options = FuseOptions()
      options.reading.facts.hasIdentity = hasIdentity
      options.writing.replace = true
      return try fuse(path, to: folder.file("\(hasIdentity ?? true).npz"), options: options)
    }
    func isAssumed(_ report: FuseReport) -> Bool {
      report.notes.contains { if case .assumed = $0 { true } else { false } }
    }
    let (silent, no, yes) = (try fused(nil), try fused(false), try fused(true))
    #expect(silent.blocksWithIdentity == 2 && isAssumed(silent))
    #expect(no.blocksWithIdentity == 0 && !isAssumed(no))
    #expect(yes.blocksWithIdentity == 2 && !isAssumed(yes))
    let report = try verify(path, folder.file("false.npz"))
    #expect(!report.holds)
    #expect(
      report.verification.blocks.prefix(2).allSatisfy { $0.cause == .leftOut(["identity"]) })
    var options = ComparisonOptions()
    options.reading.facts.hasIdentity = false
    #expect(try verify(path, folder.file("false.npz"), options: options).holds)
  }

  @Test func `BatchNorm where none was said to be is an error`() throws {
    var options = FuseOptions()
    options.reading.facts.hasNoBatchNorm = true
    let path = family("orepa/blocks").path
    #expect(throws: FusionError.hasBatchNorm(path: path, block: "blocks.0")) {
      try fuse(path, to: folder.file("a.rvd"), options: options)
    }
    #expect(
      try fuse(family("ecbsr/x2-tiny").path, to: folder.file("a.rvd"), options: options).blocks == 3
    )
  }

  @Test func `maps that are no squares have to be told`() throws {
    let path = family("repmlpnet/wide-map-k3").path
    let block: Name = "stages.0.0.repmlp_block"
    #expect(throws: FusionError.unknownMap(path: path, block: block, area: 24, ratio: nil)) {
      try fuse(path, to: folder.file("a.rvd"))
    }
    var options = FuseOptions()
    let ratio = BlockFacts.Ratio(height: 5, width: 1)
    options.reading.facts.mapRatio = ratio
    #expect(throws: FusionError.unknownMap(path: path, block: block, area: 24, ratio: ratio)) {
      try fuse(path, to: folder.file("a.rvd"), options: options)
    }
    // The other way round it is another network, which is not the one that was fused.
    options.reading.facts.mapRatio = BlockFacts.Ratio(height: 3, width: 2)
    _ = try fuse(path, to: folder.file("a.npz"), options: options)
    var comparison = ComparisonOptions()
    comparison.reading.facts = .wide
    #expect(try !verify(path, folder.file("a.npz"), options: comparison).holds)
  }

  @Test(arguments: [
    (24, 2, 3, 4, 6), (24, 3, 2, 6, 4), (6, 2, 3, 2, 3), (24, 6, 9, 4, 6), (49, 1, 1, 7, 7),
    (12, 1, 12, 1, 12),
  ])
  func `a map has the size that its area and ratio say`(
    area: Int, height: Int, width: Int, rows: Int, columns: Int
  ) throws {
    let size = try #require(BlockFacts.Ratio(height: height, width: width).size(ofArea: area))
    #expect(size == (rows, columns))
  }

  @Test(arguments: [(24, 1, 1), (0, 1, 1), (24, 1, 2), (7, Int.max, Int.max - 1)])
  func `some areas have no map of a ratio`(area: Int, height: Int, width: Int) {
    #expect(BlockFacts.Ratio(height: height, width: width).size(ofArea: area) == nil)
  }

  @Test func `the rest of RepLKNet is folded where that is asked for`() throws {
    let path = Fixtures.path("Families/replknet/31-tiny-deep-bn/train.pth")
    var options = FuseOptions()
    options.writing.names = .repLKNetDeep
    options.isVerified = true
    let output = folder.file("fused.npz")
    #expect(try fuse(path, to: output, options: options).blocks == 30)
    let expected = try readNPZ(Fixtures.path("Families/replknet/31-tiny-deep-bn/fused.npz"))
    let found = try #require(openCheckpoint(output).stateDicts.first).tensors
    #expect(Set(expected.keys).isSubset(of: found.map(\.name.text)))
    for named in found {
      guard let answer = expected[named.name] else {
        #expect(named.name.hasSuffix("num_batches_tracked"))
        continue
      }
      #expect(
        try named.tensor.doubles() == answer.doubles.map { Double(Float($0)) }, "\(named.name)")
    }
    // Which of the two deploy forms it is, is found out.
    #expect(try verify(path, output).holds)
    #expect(try fuse(path, to: folder.file("usual.npz")).blocks == 4)
    #expect(try verify(path, folder.file("usual.npz")).holds)
  }

  // MARK: Pruning

  @Test func `channels are counted anew`() throws {
    for folder in ["src-resnet", "vgg", "vgg-nearly-zero-rows", "lenet-flatten"] {
      let plan = try family("resrep/\(folder)").plan()
      let deps = try #require(plan.network[.other(name: "deps")])
      let expected = try readNPZ(Fixtures.path("Families/resrep/\(folder)/fused.npz"))["deps"]!
      #expect(try deps.tensor.bytes() == expected.data, "\(folder)")
    }
  }

  @Test func `what is not exactly empty is said`() throws {
    func notes(_ folder: String) throws -> String {
      try family("resrep/\(folder)").plan().notes.joined(separator: "\n")
    }
    #expect(try notes("vgg-nearly-zero-rows").contains("27 of 90 rows have a norm below 1e-05"))
    #expect(try notes("vgg-nearly-zero-rows").contains("the largest is 4e-06, not zero"))
    let exact = try notes("vgg")
    #expect(exact.contains("27 of 90 rows") && !exact.contains("not zero"))
  }

  @Test func `nothing is pruned below zero`() throws {
    var options = FuseOptions()
    options.reading.facts.pruningThreshold = 0
    options.isVerified = true
    let vgg = family("resrep/vgg")
    _ = try fuse(vgg.path, to: folder.file("a.npz"), options: options)
    let tensors = try #require(openCheckpoint(folder.file("a.npz")).stateDicts.first).tensors
    #expect(tensors.first { $0.name == "stem.conv6.conv.weight" }?.tensor.shape == [7, 8, 3, 3])
  }

  @Test(
    arguments: [
      // The last of the chain is called otherwise: neither does it follow, nor is the chain one.
      ("stem.conv13.*=stem.last.*", "stem.conv12", "there is no 'stem.conv13'"),
      // A gap.
      ("stem.conv7.*=stem.conv70.*", "stem.conv6", "there is no 'stem.conv7'"),
      // Others take the place of the next.
      ("stem.conv{n}.*=stem.conv{n}0.*", "stem.conv10", "there is no 'stem.conv11'"),
      ("stem.conv{n}.*=stem.conv{n}.x.*", "stem.conv1.x", "its name has no number"),
      ("linear{n}.*=align_opr.pwc{n}.*", "stem.conv1", "align the channels"),
    ])
  func `what takes the channels is known, or nothing is pruned`(
    rename: String, block: Name, reason: String
  ) throws {
    var options = FuseOptions()
    options.reading.renames = [try Correspondence(rename)]
    #expect {
      try fuse(family("resrep/vgg").path, to: folder.file("a.rvd"), options: options)
    } throws: {
      guard case .unknownSuccession(_, block, _, _, let found)? = $0 as? FusionError else {
        return false
      }
      return found.contains(reason)
    }
    #expect(try folder.names() == [])
  }
}
