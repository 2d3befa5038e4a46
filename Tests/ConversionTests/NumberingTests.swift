import Blocks
import Conversion
import Naming
import Tensors
import TestSupport
import Testing

/// Names of blocks that depend on what stands before them. That the real code loads them is for the interop
/// tests.
@Suite struct NumberingTests {
  static func network(_ path: String) throws -> Network {
    try Network(recognising: openCheckpoint(Fixtures.path("Families/repvit/\(path)")))
  }

  @Test(arguments: [
    // Stages of 1, 2 and 2 blocks: with those of the downsampling, 1 to 9.
    ("stem.conv2.c.weight", "features.0.2.c.weight"),
    ("stages.0.blocks.0.token_mixer.conv.c.weight", "features.1.token_mixer.0.conv.c.weight"),
    (
      "stages.1.downsample.pre_block.channel_mixer.conv2.bn.bias",
      "features.2.channel_mixer.m.2.bn.bias"
    ),
    ("stages.1.downsample.spatial_downsample.c.weight", "features.3.token_mixer.0.c.weight"),
    ("stages.1.downsample.channel_downsample.bn.weight", "features.3.token_mixer.2.bn.weight"),
    ("stages.1.downsample.ffn.conv1.c.weight", "features.3.channel_mixer.m.0.c.weight"),
    ("stages.1.blocks.0.se.fc1.bias", "features.4.token_mixer.1.fc1.bias"),
    ("stages.2.blocks.1.token_mixer.bn.weight", "features.9.token_mixer.0.bn.weight"),
    ("head.head_dist.l.weight", "classifier.classifier_dist.l.weight"),
  ])
  func `timm's stages are the authors' list of blocks`(own: Name, name: Name) throws {
    let network = try Self.network("timm-m0-9-like-distilled/model.safetensors")
    let parameter = try #require(network.parameters.first { $0.originalName == own })
    #expect(Dialect.repViT.name(of: parameter.role) == name)
  }

  @Test(arguments: ["timm-m0-9-like-distilled/model.safetensors", "timm-legacy/pytorch_model.bin"])
  func `the numbers found by the authors' paths are those found by timm's`(file: String) throws {
    let network = try Self.network(file)
    let timm =
      network.dialect.family == .repViTLegacy ? Dialect.repViTTimmLegacy : Dialect.repViTTimm
    let numbered = timm.numbered(by: network.blocks.map(\.path), areCanonical: true)
    let names = try network.parameters.map { try #require(numbered.name(of: $0.role)) }
    #expect(timm.numbered(by: names, areCanonical: false) == numbered)
    #expect(names == network.parameters.map(\.originalName))
  }

  @Test func `a network inside a larger one is numbered as well`() throws {
    let paths: [Name] = [
      "net.stages.0.blocks.0.token_mixer", "net.stages.1.downsample.spatial_downsample",
    ]
    let dialect = Dialect.repViTTimm.numbered(by: paths, areCanonical: false)
    let block = BlockAddress(.convolutionBatchNorm, "net.features.2.token_mixer.0")
    #expect(dialect.name(of: .block(block, .fused(.weight))) == paths[1] + ".weight")
  }
}
