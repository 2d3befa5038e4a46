import Blocks
import CheckpointFiles
import Checkpoints
import Conversion
import Naming
import Proof
import Tensors
import TestSupport
import Testing

/// A family that the program does not have takes the file that says what it is, and the line that lists
/// it; reading, naming, fusing, proving and finding what is wrong know nothing of it.
@Suite struct ToyFamilyTests {
  static let families: [BlockFamily] =
    BlockFamily.all + [
      .toy
    ]

  let folder: TemporaryFolder
  let reading: ReadingOptions

  init() throws {
    folder = try TemporaryFolder()
    let dialect = try Dialect(
      text: BlockFamily.toyNames, place: "toy.dialect", families: Self.families)
    var reading = ReadingOptions()
    reading.dialects = [dialect] + Dialect.all
    self.reading = reading
  }

  /// Small integers, so that every answer is exact in float32.
  static let spread: [Double] = (0..<36).map { (index: Int) in Double(index * 7 % 11 - 5) }
  static let mix: [Double] = [1, -2, 3, 2]
  static let gamma: [Double] = [3, -1]
  static let beta: [Double] = [1, 2]
  static let mean: [Double] = [-2, 4]
  static let variance: [Double] = [4, 16]
  static let mixBias: [Double] = [5, -7]

  private func checkpoint() throws -> String {
    let state = DeployState(entries: [
      .init(name: "body.0.spread.weight", shape: [2, 2, 3, 3], values: Self.spread),
      .init(name: "body.0.norm.weight", shape: [2], values: Self.gamma),
      .init(name: "body.0.norm.bias", shape: [2], values: Self.beta),
      .init(name: "body.0.norm.running_mean", shape: [2], values: Self.mean),
      .init(name: "body.0.norm.running_var", shape: [2], values: Self.variance),
      .init(name: "body.0.mix.weight", shape: [2, 2, 1, 1], values: Self.mix),
      .init(name: "body.0.mix.bias", shape: [2], values: Self.mixBias),
    ])
    return try state.write(to: folder.file("toy.pth"))
  }

  @Test func `its blocks are fused and proven`() throws {
    var options = FuseOptions()
    options.reading = reading
    options.isVerified = true
    let output = folder.file("fused.pth")
    let report = try fuse(checkpoint(), to: output, options: options)
    #expect(report.blocks == 1 && report.mapping.dialect == "toy")
    #expect(report.verification?.grade == .exact)

    // y = mix * (gamma / sqrt(variance) (spread * x - mean) + beta) + mixBias + x, written out.
    var (kernel, bias) = ([Double](repeating: 0, count: 36), Self.mixBias)
    for output in 0..<2 {
      for middle in 0..<2 {
        let scale = Self.gamma[middle] / Self.variance[middle].squareRoot()
        let factor = Self.mix[output * 2 + middle]
        bias[output] += factor * (Self.beta[middle] - scale * Self.mean[middle])
        for place in 0..<18 {
          kernel[output * 18 + place] += factor * scale * Self.spread[middle * 18 + place]
        }
      }
      kernel[output * 18 + output * 9 + 4] += 1
    }
    let tensors = try #require(openCheckpoint(output).stateDicts.first).tensors
    #expect(tensors.map(\.name) == ["body.0.toy_deploy.weight", "body.0.toy_deploy.bias"])
    #expect(try tensors[0].tensor.doubles() == kernel)
    #expect(try tensors[1].tensor.doubles() == bias)
  }

  @Test func `what is wrong in them is found`() throws {
    var options = FuseOptions()
    options.reading = reading
    let (input, output) = (try checkpoint(), folder.file("fused.pth"))
    _ = try fuse(input, to: output, options: options)
    var tensors = try #require(openCheckpoint(output).stateDicts.first).tensors.map {
      DeployState.Entry(
        name: $0.name, shape: Array($0.tensor.shape.dimensions), values: try $0.tensor.doubles())
    }
    // Without the identity.
    for channel in 0..<2 { tensors[0].values[channel * 18 + channel * 9 + 4] -= 1 }
    let wrong = try DeployState(entries: tensors).write(to: folder.file("wrong.pth"))
    var comparison = ComparisonOptions()
    comparison.reading = reading
    let report = try verify(input, wrong, options: comparison)
    #expect(!report.holds)
    let failure = try #require(report.verification.blocks.first { $0.grade == .different })
    #expect(failure.path == "body.0" && failure.cause == .leftOut(["identity"]))
  }
}
