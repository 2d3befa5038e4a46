import Naming
import Testing

@testable import Reparameterization

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
  ])
  func `names are understood in every project's spelling`(spelling: String, name: String) throws {
    #expect(try Architecture.named(spelling).name == name)
  }

  @Test func `an unknown name comes with the nearest`() {
    #expect(
      throws: FusionError.unknownArchitecture(
        name: "RepVGG-A7", nearest: ["RepVGG-A0", "RepVGG-A1", "RepVGG-A2"])
    ) { try Architecture.named("RepVGG-A7") }
  }

  @Test func `blocks with equal widths but stride 2 have no identity`() throws {
    let layers = try Architecture.named("RepVGG-A0").structure(classes: 10).layers
    #expect(layers.count == 22)
    #expect(layers.count(where: \.hasIdentity) == 17)
    #expect(
      layers[1].inputChannels == 48 && layers[1].outputChannels == 48 && !layers[1].hasIdentity)
  }

  @Test func `the halves of RepVGGplus's third stage are joined without a stride`() throws {
    let layers = try Architecture.named("RepVGGplus-L2pse").structure(classes: 10).layers
    let second = layers.filter { $0.path.hasPrefix("stage3_second") }
    #expect(second.count == 12 && second[0].stride == 1 && second[0].hasIdentity)
  }
}
