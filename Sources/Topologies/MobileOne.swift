internal import Blocks
internal import Naming
internal import Tensors

extension Topology {
  /// MobileOne: one block for the image, then four stages of depthwise and pointwise blocks by turns, the
  /// first of each halving the resolution (arXiv:2206.04040, table 1; mobileone.py of
  /// github.com/apple/ml-mobileone).
  static let mobileOne = Topology(
    name: "MobileOne", family: .mobileOne,
    structure: { (network, _) throws(Deviation) in
      let chain = try BlockChain(of: network)
      var order: [(path: Name, stride: Int)] = [("stage0", 2)]
      for stage in 1...4 {
        let count = chain.count("stage\(stage).")
        guard count > 0, count.isMultiple(of: 2) else {
          throw Deviation(reason: "stage \(stage) has \(count) blocks, which are no pairs")
        }
        order += paths(ofStage: stage, count: count)
      }
      let blocks = try chain.blocks(order) { shape, block in
        branches(
          of: shape,
          convolutions: block.parameters.keys.lazy.filter {
            $0.layer.name == "conv" && $0.part == .weight
          }.count)
      }
      for (index, block) in blocks.enumerated().dropFirst() {
        let isDepthwise = index % 2 == 1
        guard block.kernelSize == (isDepthwise ? 3 : 1),
          block.groups == (isDepthwise ? block.inputChannels : 1),
          !isDepthwise || block.inputChannels == block.outputChannels,
          block.squeezeExcitation?.placement != .afterActivation
        else {
          throw Deviation(
            reason: "block '\(block.path)' is not a \(isDepthwise ? "depthwise" : "pointwise") one")
        }
      }
      return Structure(
        topology: "MobileOne", chain: blocks,
        classes: try chain.classes(after: blocks.last!.outputChannels))
    },
    architectures: [
      named("MobileOne-S0", [0.75, 1, 1, 2], branches: 4),
      named("MobileOne-S1", [1.5, 1.5, 2, 2.5]),
      named("MobileOne-S2", [1.5, 2, 2.5, 4]),
      named("MobileOne-S3", [2, 2.5, 3, 4]),
      named("MobileOne-S4", [3, 3.5, 3.5, 4], squeezed: [0, 0, 5, 1]),
    ],
    describe: { structure in
      let stages = structure.stages
      return describeChain(
        "MobileOne", unit: "pairs", structure, depths: stages.map { $0.depth / 2 })
    })

  /// Depthwise and pointwise by turns, the first with stride 2.
  private static func paths(ofStage stage: Int, count: Int) -> [(path: Name, stride: Int)] {
    (0..<count).map { ("stage\(stage).\($0)", $0 == 0 ? 2 : 1) }
  }

  private static func branches(of shape: BlockShape, convolutions: Int) -> [BlockShape.Branch] {
    (shape.keepsShape ? [.init(layer: "skip")] : [])
      + (0..<max(1, convolutions)).map {
        .init(layer: LayerAddress("conv", index: $0), kernelSize: shape.kernelSize)
      }
      + (shape.kernelSize > 1 ? [.init(layer: "scale", kernelSize: 1)] : [])
  }

  /// - Parameters:
  ///   - multipliers: of 64, 128, 256 and 512 channels.
  ///   - branches: convolutions of each block but the first, which has one.
  ///   - squeezed: pairs at the end of each stage that have Squeeze-and-Excitation, 16 times narrower.
  private static func named(
    _ name: String, _ multipliers: [Double], branches count: Int = 1,
    squeezed: [Int] = [0, 0, 0, 0]
  ) -> Architecture {
    Architecture(name: name, topology: "MobileOne", aliases: []) { classes in
      let depths = [2, 8, 10, 1]
      let widths = zip(multipliers, [64.0, 128, 256, 512]).map { Int($0 * $1) }
      var blocks: [BlockShape] = []
      func append(
        _ path: Name, _ output: Int, kernelSize: Int, stride: Int, isDepthwise: Bool,
        isSqueezed: Bool = false, convolutions: Int
      ) {
        let input = blocks.last?.outputChannels ?? 3
        var shape = BlockShape(
          address: BlockAddress(.mobileOne, path), inputChannels: input, outputChannels: output,
          groups: isDepthwise ? input : 1, stride: stride, kernelSize: kernelSize,
          squeezeExcitation: isSqueezed
            ? .init(placement: .beforeActivation, channels: output / 16) : nil)
        shape.branches = branches(of: shape, convolutions: convolutions)
        blocks.append(shape)
      }
      append(
        "stage0", min(64, widths[0]), kernelSize: 3, stride: 2, isDepthwise: false, convolutions: 1)
      for stage in 1...4 {
        let depth = depths[stage - 1]
        for (index, (path, stride)) in paths(ofStage: stage, count: 2 * depth).enumerated() {
          let isDepthwise = index % 2 == 0
          append(
            path, isDepthwise ? blocks.last!.outputChannels : widths[stage - 1],
            kernelSize: isDepthwise ? 3 : 1, stride: stride, isDepthwise: isDepthwise,
            isSqueezed: index / 2 >= depth - squeezed[stage - 1], convolutions: count)
        }
      }
      return Structure(topology: "MobileOne", chain: blocks, classes: classes)
    }
  }
}
