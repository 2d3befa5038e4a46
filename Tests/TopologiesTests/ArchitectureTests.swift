import Blocks
import Graphs
import Naming
import Tensors
import Testing

@testable import Topologies

@Suite struct ArchitectureTests {
  /// Counted by PyTorch on models built by the official code; deploy counts also published by mmpretrain.
  static let counts: [(String, Int, Int)] = [
    ("RepVGG-A0", 9_108_968, 8_309_384), ("RepVGG-A1", 14_092_264, 12_789_864),
    ("RepVGG-A2", 28_210_600, 25_499_944), ("RepVGG-B0", 15_817_960, 14_339_048),
    ("RepVGG-B1", 57_415_016, 51_829_480), ("RepVGG-B1g2", 45_782_376, 41_360_104),
    ("RepVGG-B1g4", 39_966_056, 36_125_416), ("RepVGG-B2", 89_022_376, 80_315_112),
    ("RepVGG-B2g2", 70_846_376, 63_956_712), ("RepVGG-B2g4", 61_758_376, 55_777_512),
    ("RepVGG-B3", 123_085_288, 110_960_872), ("RepVGG-B3g2", 96_911_848, 87_404_776),
    ("RepVGG-B3g4", 83_825_128, 75_626_728), ("RepVGG-D2se", 133_334_836, 120_387_572),
    ("RepVGGplus-L2pse", 140_099_224, 127_151_960),
    // Counted by PyTorch on models built by the code of apple/ml-mobileone.
    ("MobileOne-S0", 5_293_272, 2_078_504), ("MobileOne-S1", 4_825_192, 4_764_840),
    ("MobileOne-S2", 7_884_648, 7_808_168), ("MobileOne-S3", 10_170_600, 10_078_312),
    ("MobileOne-S4", 14_951_248, 14_838_352),
    // Counted by PyTorch on models built and fused by the code of THU-MIG/RepViT.
    ("RepViT-M0.9", 5_103_560, 5_067_056), ("RepViT-M1.0", 6_852_900, 6_810_312),
    ("RepViT-M1.1", 8_288_888, 8_244_312), ("RepViT-M1.5", 14_130_408, 14_049_992),
    ("RepViT-M2.3", 23_046_512, 22_926_792),
    // Counted by PyTorch on models built and fused by the code of DingXiaoH/RepLKNet-pytorch.
    ("RepLKNet-31B", 79_864_168, 79_527_272), ("RepLKNet-31L", 172_671_016, 172_165_672),
    ("RepLKNet-XL", 335_435_752, 335_399_656),
    // Counted by PyTorch on models built by the code of AILab-CVC/UniRepLKNet, in either form.
    ("UniRepLKNet-A", 4_649_060, 4_437_300), ("UniRepLKNet-F", 6_489_328, 6_235_216),
    ("UniRepLKNet-P", 11_080_520, 10_741_704), ("UniRepLKNet-N", 18_818_880, 18_318_560),
    ("UniRepLKNet-T", 31_693_420, 31_037_980), ("UniRepLKNet-S", 56_456_704, 55_645_984),
    ("UniRepLKNet-B", 99_089_416, 98_008_456), ("UniRepLKNet-L", 220_076_056, 218_454_616),
    ("UniRepLKNet-XL", 388_690_984, 386_529_064),
    // Counted by PyTorch on models built by timm 1.0.31; the deploy form with the BatchNorms of feed-forward
    // parts folded.
    ("FastViT-T8", 4_026_232, 3_994_216), ("FastViT-T12", 7_553_704, 7_505_896),
    ("FastViT-S12", 9_473_576, 9_425_768), ("FastViT-SA12", 11_580_968, 11_542_376),
    ("FastViT-SA24", 21_554_216, 21_495_400), ("FastViT-SA36", 31_527_464, 31_448_424),
    ("FastViT-MA36", 44_068_004, 43_974_144), ("FastViT-MCi0", 11_907_176, 11_853_224),
    ("FastViT-MCi1", 22_041_832, 21_952_296), ("FastViT-MCi2", 36_440_360, 36_315_640),
    ("FastViT-MCi3", 125_948_584, 125_769_352), ("FastViT-MCi4", 322_735_336, 322_492_264),
  ]

  @Test(arguments: counts)
  func `parameters are counted as the papers do`(name: String, train: Int, deploy: Int) throws {
    let structure = try Architecture.named(name).structure(classes: 1000)
    #expect(structure.trainParameterCount == train)
    #expect(structure.deployParameterCount == deploy)
    #expect(structure.description == name)
  }

  @Test func `the table of counts covers every architecture`() {
    #expect(Self.counts.map(\.0) == Architecture.all.map(\.name))
  }

  @Test(arguments: [
    ("RepVGGA0", "RepVGG-A0"), ("repvgg_a0", "RepVGG-A0"), ("A0", "RepVGG-A0"),
    ("RepVGG_B1g2", "RepVGG-B1g2"), ("repvgg_d2", "RepVGG-D2se"), ("RepVGGD2se", "RepVGG-D2se"),
    ("RepVGGplus_L2pse", "RepVGGplus-L2pse"), ("repvggplus-l2pse", "RepVGGplus-L2pse"),
    ("mobileone_s0", "MobileOne-S0"), ("MobileOneS4", "MobileOne-S4"), ("s1", "MobileOne-S1"),
    ("repvit_m0_9", "RepViT-M0.9"), ("m2_3", "RepViT-M2.3"),
    ("RepLKNet31B", "RepLKNet-31B"), ("unireplknet_n", "UniRepLKNet-N"),
    ("fastvit_t8", "FastViT-T8"), ("FastViTS12", "FastViT-S12"),
    ("fastvit_ma36", "FastViT-MA36"), ("mci0", "FastViT-MCi0"),
  ])
  func `names are understood in every project's spelling`(spelling: String, name: String) throws {
    #expect(try Architecture.named(spelling).name == name)
  }

  @Test func `an unknown name comes with the nearest`() {
    #expect(
      throws: UnknownArchitecture(
        name: "RepVGG-A7", nearest: ["RepVGG-A0", "RepVGG-A1", "RepVGG-A2"])
    ) { try Architecture.named("RepVGG-A7") }
  }

  @Test func `blocks with equal widths but stride 2 have no identity`() throws {
    let blocks = try Architecture.named("RepVGG-A0").structure(classes: 10).blocks
    let hasIdentity: (BlockShape) -> Bool = { $0.branches.contains { $0.layer == "identity" } }
    #expect(blocks.count == 22)
    #expect(blocks.count(where: hasIdentity) == 17)
    #expect(
      blocks[1].inputChannels == 48 && blocks[1].outputChannels == 48 && !hasIdentity(blocks[1]))
  }

  @Test func `the halves of RepVGGplus's third stage are joined without a stride`() throws {
    let blocks = try Architecture.named("RepVGGplus-L2pse").structure(classes: 10).blocks
    let second = blocks.filter { $0.path.hasPrefix("stage3_second") }
    #expect(second.count == 12 && second[0].stride == 1)
    #expect(second[0].branches.contains { $0.layer == "identity" })
  }

  @Test
  func `MobileOne has one convolution in its first block, and squeezes at the end of two stages`()
    throws
  {
    let blocks = try Architecture.named("MobileOne-S0").structure(classes: 10).blocks
    let convolutions = blocks.map { $0.branches.count { $0.layer.name == "conv" } }
    #expect(convolutions == [1] + [Int](repeating: 4, count: 42))
    #expect(
      blocks.allSatisfy { $0.kernelSize == 1 || $0.branches.contains { $0.layer == "scale" } })
    let squeezed = try Architecture.named("MobileOne-S4").structure(classes: 10).blocks
      .filter { $0.squeezeExcitation != nil }.map(\.path)
    #expect(squeezed == (10..<20).map { "stage3.\($0)" } + ["stage4.0", "stage4.1"])
  }

  @Test(arguments: Architecture.all)
  func `the graph uses every parameter once, in order`(architecture: Architecture) {
    let structure = architecture.structure(classes: 7)
    let operands = structure.graph.nodes.flatMap { $0.operands.compactMap(\.self) }
    #expect(operands == Array(structure.deployParameters.indices))
    let tensors = structure.deployParameters.map { TensorType(.float32, $0.shape) }
    #expect(throws: Never.self) {
      let shapes = try structure.graph.shapes(
        ofInput: .map(channels: 3, height: 224, width: 224), tensors: tensors)
      #expect(shapes.last == .vector(channels: 7))
      // Five halvings before the mean.
      #expect(
        shapes.contains(.map(channels: structure.blocks.last!.outputChannels, height: 7, width: 7)))
    }
  }
}
