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
        folder: "repvit/timm-legacy", file: "pytorch_model.bin", dialect: .repViTTimmLegacy,
        blocks: 29),
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
    let names = Set(found.map(\.name))
    let isCompared = { (name: String) in network.only.isEmpty || name.contains(network.only) }
    #expect(Set(expected.keys.filter(isCompared)).subtracting(names).isEmpty)
    #expect(
      names.subtracting(expected.keys).filter(isCompared)
        .allSatisfy { $0.hasSuffix("num_batches_tracked") })
    for named in found where named.tensor.elementType == .float32 && isCompared(named.name) {
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

  @Test(arguments: FamilyCase.all)
  func `what no tensor shows and is taken for granted is said`(network: FamilyCase) throws {
    var options = FuseOptions()
    options.reading = network.reading
    options.isDryRun = true
    let report = try fuse(network.path, to: folder.file("no.rvd"), options: options)
    let said = report.notes.compactMap {
      if case .assumed(let family, let assumption) = $0 { (family, assumption) } else { nil }
    }
    let assumption = network.dialect.family.assumption.flatMap {
      network.facts.decide($0) ? nil : $0
    }
    #expect(said.map(\.0) == (assumption == nil ? [] : [network.dialect.family.name]))
    #expect(said.map(\.1) == [assumption].compactMap(\.self))
    #expect(
      (network.dialect == .repGhost) == said.contains { $0.1.text.contains("reparam_identity") })
  }

  @Test func `a deploy kernel of noise beside other branches is believed nowhere`() throws {
    let path = Fixtures.path(
      "Families/super-gradients/qarepvgg-phantom/ckpt_latest_weights_only.pth")
    func refused(_ body: () throws -> Void) {
      #expect {
        try body()
      } throws: {
        guard case .unknownInBlock(_, _, "RepVGG", _, _, let family)? = $0 as? NamingError else {
          return false
        }
        return family == "QARepVGG (super-gradients)"
      }
    }
    var fusing = FuseOptions()
    fusing.reading.key = "net"
    refused { _ = try fuse(path, to: folder.file("a.rvd"), options: fusing) }
    var rewriting = RewriteOptions()
    rewriting.reading.key = "net"
    refused { _ = try rewrite(path, to: folder.file("a.pth"), options: rewriting) }
    refused { _ = try rewrite(path, to: folder.file("a.rvd"), options: rewriting) }
    #expect(try folder.names() == [])
    var checking = CheckOptions()
    checking.reading.key = "net"
    let report = try check(path, options: checking)
    #expect(!report.isSound && report.findings[0].text.contains("QARepVGG (super-gradients)"))
    let inspection = try inspect(path, options: fusing.reading)
    #expect(inspection.file.architecture == nil && inspection.file.form == nil)
  }

  @Test func `RepVGG's names around other branches are told from RepVGG`() throws {
    let names = ["stage1.0.rbr_dense.conv.weight", "stage1.0.rbr_strange.weight"]
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

  @Test(
    arguments: zip(
      ["stages.0.blocks.0.token_mixer.mixer.rbr_skip.weight"], ["FastViT or MobileCLIP"]))
  func `a file of a family that is not fused is told which`(name: String, family: String) throws {
    let state = DeployState(entries: [
      .init(name: name, shape: [2, 2, 1, 1], values: [1, 2, 3, 4])
    ])
    let path = try state.write(to: folder.file("x.pth"))
    #expect {
      try fuse(path, to: folder.file("a.rvd"))
    } throws: {
      guard case .noBlocks(_, _, family)? = $0 as? NamingError else { return false }
      return "\($0)".contains(family)
    }
  }
}

// MARK: Corruptions

/// One way to get a block of another family wrong, and what `verify` must say of it.
struct FamilyCorruption: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var family: String
  var block: String
  var cause: Cause?
  /// What the block should have been fused to instead of its tree.
  var change: @Sendable (Branch) -> Branch?
  /// Whether only the bias is that of the changed tree.
  var isOfBias = false

  init(
    _ description: String, _ family: String, _ block: String, _ cause: Cause?,
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
    case .batchNorm(let inner, _), .scaled(let inner, _): inner.summands
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
  let (skipping, scaled, diverse) = ("stage1.1", "stage2.0", "stage4.0.conv2")
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
  func names(_ path: String, in network: Network) -> (weight: String, bias: String) {
    let block = network.block(at: path)!
    let name = { network.dialect.name(of: .block(block.address, .fused($0)))! }
    return (name(.weight), name(.bias))
  }

  func expect(
    _ state: DeployState, of train: String, reading: ReadingOptions = ReadingOptions(),
    _ block: String, _ cause: Cause?
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
    let trees = try network.blocks.filter(\.hasBranches).map {
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
    let longest = network.blocks.filter(\.hasBranches).max { sizes($0) < sizes($1) }
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
    let other = network.blocks.first {
      $0.path != block && $0.hasBranches && state[names($0.path, in: network).weight].shape == shape
    }
    guard let path = other?.path else { return }
    state[names(block, in: network).weight].values =
      state[names(path, in: network).weight].values
    state[names(block, in: network).bias].values = state[names(path, in: network).bias].values
    try expect(state, of: train, reading: family.reading, block, .anotherBlock(path))
  }
}
