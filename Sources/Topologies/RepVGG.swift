internal import Blocks
internal import Naming
internal import Tensors

extension Topology {
  /// RepVGG and RepVGGplus: one block for the image, then four stages, each halving the resolution
  /// (repvgg.py and repvggplus.py of github.com/DingXiaoH/RepVGG). QARepVGG and RepOptimizers put blocks of
  /// theirs in the same places.
  static let repVGG = Topology(
    name: "RepVGG", family: .repVGG,
    otherFamilies: [.qaRepVGG, .qaRepVGGV1, .qaRepVGGFirst, .linearAdd, .realVGG],
    structure: { (network, _) throws(Deviation) in
      let chain = try BlockChain(of: network)
      let isPlus = chain.has("stage1.blocks.0")
      // Blocks in execution order: as many of each stage as are numbered without a gap.
      var order: [(path: Name, stride: Int)] = [("stage0", 2)]
      for stage in 1...4 {
        let parts = RepVGGPath.parts(ofStage: stage, isPlus: isPlus)
        order += parts.flatMap { part in
          RepVGGPath.paths(of: part, depth: chain.count(part.prefix))
        }
        guard order.last!.0.hasPrefix("stage\(stage)") else {
          throw Deviation(reason: "stage \(stage) has no first block")
        }
      }
      let blocks = try chain.blocks(order) { shape, _ in branches(of: shape) }
      for block in blocks { try requireIdentity(block, in: network) }
      let placements = Set(blocks.compactMap(\.squeezeExcitation?.placement))
      guard placements.count <= 1 else {
        throw Deviation(reason: "Squeeze-and-Excitation stands at different places")
      }
      if !placements.isEmpty, let bare = blocks.first(where: { $0.squeezeExcitation == nil }) {
        throw Deviation(
          reason: "block '\(bare.path)' lacks the Squeeze-and-Excitation that others have")
      }
      return Structure(
        topology: "RepVGG", chain: blocks,
        classes: try chain.classes(after: blocks.last!.outputChannels), hasAuxiliaryHeads: isPlus)
    },
    architectures: architectures,
    describe: { structure in
      let stages = structure.stages
      let family = structure.blocks[0].address.family.name
      return describeChain(
        "\(family)\(structure.hasAuxiliaryHeads ? "plus" : "")", unit: "blocks", structure,
        depths: stages.map(\.depth))
    })

  /// All layers with parameters that a block of this shape has.
  private static func branches(of shape: BlockShape) -> [BlockShape.Branch] {
    shape.address.family.layers.compactMap { layer in
      if layer.isModule || layer.name.hasPrefix("identity") && !shape.keepsShape { return nil }
      let size: Int? =
        layer.weightForm != .kernel ? nil : layer.name == "pointwise" ? 1 : shape.kernelSize
      return .init(layer: layer.address, kernelSize: size)
    }
  }

  /// Throws if a block has an identity without parameters where it should have none, or none where it
  /// should, by the modules that the file lists; or something between its sum and its BatchNorm.
  private static func requireIdentity(
    _ shape: BlockShape, in network: Network
  ) throws(Deviation) {
    let (family, block) = (shape.address.family, network.block(at: shape.path)!)
    guard block.hasBranches else { return }
    if family.layers.contains(where: { $0.name == "post" }),
      shape.squeezeExcitation?.placement == .beforeActivation
    {
      throw Deviation(
        reason: "Squeeze-and-Excitation stands before the last BatchNorm of block '\(shape.path)'")
    }
    guard family.layers.contains(where: { $0.isModule && $0.name == "identity" }),
      let isThere = network.listsModule("identity", of: block), isThere != shape.keepsShape
    else { return }
    throw Deviation(
      reason: "block '\(shape.path)' \(isThere ? "has" : "lacks") an identity, with "
        + "\(shape.inputChannels) channels in, \(shape.outputChannels) out and stride \(shape.stride)"
    )
  }

  private static let architectures: [Architecture] = {
    let (a, b, d) = ([2, 4, 14, 1], [4, 6, 16, 1], [8, 14, 24, 1])
    return [
      named("RepVGG-A0", a, [0.75, 0.75, 0.75, 2.5]),
      named("RepVGG-A1", a, [1, 1, 1, 2.5]),
      named("RepVGG-A2", a, [1.5, 1.5, 1.5, 2.75]),
      named("RepVGG-B0", b, [1, 1, 1, 2.5]),
      named("RepVGG-B1", b, [2, 2, 2, 4]),
      named("RepVGG-B1g2", b, [2, 2, 2, 4], groups: 2),
      named("RepVGG-B1g4", b, [2, 2, 2, 4], groups: 4),
      named("RepVGG-B2", b, [2.5, 2.5, 2.5, 5]),
      named("RepVGG-B2g2", b, [2.5, 2.5, 2.5, 5], groups: 2),
      named("RepVGG-B2g4", b, [2.5, 2.5, 2.5, 5], groups: 4),
      named("RepVGG-B3", b, [3, 3, 3, 5]),
      named("RepVGG-B3g2", b, [3, 3, 3, 5], groups: 2),
      named("RepVGG-B3g4", b, [3, 3, 3, 5], groups: 4),
      // BaseCls calls it repvgg_d2.
      named("RepVGG-D2se", d, [2.5, 2.5, 2.5, 5], se: (.beforeActivation, 16), aliases: ["d2"]),
      named(
        "RepVGGplus-L2pse", d, [2.5, 2.5, 2.5, 5], se: (.afterActivation, 4), isPlus: true,
        aliases: ["l2pse"]),
    ]
  }()

  /// - Parameters:
  ///   - depths: blocks of stages 1 to 4; stage 0 is a single block.
  ///   - multipliers: of 64, 128, 256 and 512 channels.
  ///   - groups: of every other block: the 2nd, 4th, ... up to the 26th, counted from 0 at stage 0.
  ///   - se: Squeeze-and-Excitation in every block, its inner layer so many times narrower.
  ///   - isPlus: RepVGGplus, whose stage 3 is cut into two halves, and which has auxiliary heads.
  private static func named(
    _ name: String, _ depths: [Int], _ multipliers: [Double], groups: Int = 1,
    se: (placement: Placement, ratio: Int)? = nil, isPlus: Bool = false, aliases: [String] = []
  ) -> Architecture {
    Architecture(name: name, topology: "RepVGG", aliases: aliases) { classes in
      let stages = zip(multipliers, [64.0, 128, 256, 512]).map { Int($0 * $1) }
      var blocks: [BlockShape] = []
      func append(_ path: Name, _ output: Int, stride: Int) {
        let isGrouped = !blocks.isEmpty && blocks.count % 2 == 0 && blocks.count <= 26
        var shape = BlockShape(
          address: BlockAddress(.repVGG, path), inputChannels: blocks.last?.outputChannels ?? 3,
          outputChannels: output, groups: isGrouped ? groups : 1, stride: stride, kernelSize: 3,
          squeezeExcitation: se.map { .init(placement: $0.placement, channels: output / $0.ratio) })
        shape.branches = branches(of: shape)
        blocks.append(shape)
      }
      append("stage0", min(64, stages[0]), stride: 2)
      for stage in 1...4 {
        let parts = RepVGGPath.parts(ofStage: stage, isPlus: isPlus)
        let depth = depths[stage - 1]
        for (index, part) in parts.enumerated() {
          let first = depth / parts.count
          let count = index == 0 ? first : depth - first
          for (path, stride) in RepVGGPath.paths(of: part, depth: count) {
            append(path, stages[stage - 1], stride: stride)
          }
        }
      }
      return Structure(
        topology: "RepVGG", chain: blocks, classes: classes, hasAuxiliaryHeads: isPlus)
    }
  }
}

/// How the official code numbers blocks.
private enum RepVGGPath {
  /// The parts that a stage is cut into, and whether the first block of each halves the resolution.
  typealias Part = (prefix: Name, isHalving: Bool)

  static func parts(ofStage stage: Int, isPlus: Bool) -> [Part] {
    guard isPlus else { return [("stage\(stage).", true)] }
    return stage == 3
      ? [("stage3_first.blocks.", true), ("stage3_second.blocks.", false)]
      : [("stage\(stage).blocks.", true)]
  }

  /// Paths of a part's blocks in order, each with its stride.
  static func paths(of part: Part, depth: Int) -> [(path: Name, stride: Int)] {
    (0..<depth).map { ("\(part.prefix)\($0)", $0 == 0 && part.isHalving ? 2 : 1) }
  }
}
