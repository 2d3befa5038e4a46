import CheckpointFiles
import Checkpoints
import Conversion
import Naming
import Proof
import Tensors
import TestSupport
import Testing

@Suite struct CheckTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: Fixture.all)
  func `trained networks and their fused files are sound`(fixture: Fixture) throws {
    let report = try check(fixture.path)
    #expect(report.isSound, "\(report.findings)")
    // What their authors' code adds is all there is to say.
    #expect(report.findings.allSatisfy { $0.kind == .global })
    var options = FuseOptions()
    options.reading.key = fixture.key
    _ = try fuse(fixture.path, to: folder.file("out.rvd"), options: options)
    let fused = try check(folder.file("out.rvd"))
    #expect(fused.findings == [], "\(fused.findings)")
  }

  @Test func `every state dict of a file is looked at`() throws {
    let report = try check(Fixtures.path("PyTorch/plain-swin-style.pth"))
    #expect(report.stateDicts == 2 && report.tensors.count == 226)
    #expect(report.tensors.contains { $0.name == "model_ema: linear.bias" })
    var options = CheckOptions()
    options.reading.key = "model_ema"
    #expect(
      try check(Fixtures.path("PyTorch/plain-swin-style.pth"), options: options).tensors.count
        == 113)
  }

  /// What is done to the tensors of a small training checkpoint, and what must be found.
  struct Flaw: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var name: Name
    var change: @Sendable (inout [Double]) -> Void
    var severity: Finding.Severity
    var kind: Finding.Kind
    /// The tensor or block that is named; the tensor that was changed if nil.
    var subject: Name?
    var text: String
  }

  static let flaws: [Flaw] = [
    Flaw(
      testDescription: "NaN and infinity", name: "body.0.rbr_dense.conv.weight",
      change: { ($0[3], $0[9]) = (.nan, -.infinity) }, severity: .failure, kind: .notFinite,
      text: "2 of 36 values: 1 not a number, 1 infinite; the first at 3"),
    Flaw(
      testDescription: "a negative variance", name: "body.0.rbr_1x1.bn.running_var",
      change: { $0[1] = -0.5 }, severity: .failure, kind: .runningVariance,
      text: "1 channel below zero, which no variance is; the smallest is -0.5"),
    Flaw(
      testDescription: "a variance of zero", name: "body.0.rbr_dense.bn.running_var",
      change: { $0 = [0, 0] }, severity: .warning, kind: .runningVariance,
      text: "2 channels at zero: constant in training, or too small for the stored type"),
    Flaw(
      testDescription: "a diverged weight", name: "body.0.rbr_1x1.conv.weight",
      change: { $0[0] = 3e7 }, severity: .failure, kind: .range,
      text: "values up to 3e+07, beyond 1000000.0: the run diverged, or the bytes are misread"),
    Flaw(
      testDescription: "a misread statistic", name: "body.0.rbr_identity.running_mean",
      change: { $0[0] = -1e30 }, severity: .failure, kind: .range,
      text: "values up to 1e+30, beyond 1e+10: the run diverged, or the bytes are misread"),
    Flaw(
      testDescription: "a value beyond float16", name: "body.0.rbr_dense.bn.bias",
      change: { $0[0] = 70_000 }, severity: .warning, kind: .float16,
      text: "1 value would be infinite in float16; the largest is 70000.0"),
  ]

  /// `one-block.pth`, with some of its tensors changed.
  func flawed(_ names: Name..., change: (inout [Double]) -> Void) throws -> String {
    let dict = try openCheckpoint(Fixtures.path("Cases/one-block.pth")).stateDicts[0]
    let tensors = try dict.tensors.map { named -> OutputTensor in
      let name = named.name
      guard names.contains(name) else { return OutputTensor(name: name, named.tensor) }
      var values = try named.tensor.doubles()
      change(&values)
      return OutputTensor(
        name: name,
        try Tensor(
          .float32, shape: named.tensor.shape,
          in: MemoryBytes(
            values.flatMap { encode($0, .float32) }, location: Location(path: name.text)),
          name: name))
    }
    let file = try OutputFile(path: folder.file("flawed.pth"), replace: true)
    try PyTorchZipWriter.write(tensors, to: file, threads: .all)
    try file.commit()
    return file.path
  }

  @Test(arguments: flaws)
  func `a flaw is found, and how bad it is`(flaw: Flaw) throws {
    let report = try check(flawed(flaw.name, change: flaw.change))
    let finding = try #require(report.findings.first { $0.kind == flaw.kind }, "\(report.findings)")
    #expect(finding.severity == flaw.severity && finding.text == flaw.text)
    #expect(finding.subject == flaw.subject ?? flaw.name)
    #expect(report.isSound == (flaw.severity == .warning))
  }

  @Test func `an output channel is dead if every branch is`() throws {
    // One branch alone says nothing.
    #expect(try check(flawed("body.0.rbr_identity.weight") { $0[1] = 0 }).findings == [])
    let path = try flawed(
      "body.0.rbr_identity.weight", "body.0.rbr_dense.bn.weight", "body.0.rbr_1x1.conv.weight"
    ) { numbers in
      for index in numbers.count / 2..<numbers.count { numbers[index] = 0 }
    }
    let train = try check(path)
    #expect(train.isSound && train.findings.map(\.subject) == ["body.0"])
    #expect(train.findings[0].text == "1 of 2 output channels have no weight but zero: 1")

    var state = try DeployState(fusing: Fixtures.path("Cases/one-block.pth"))
    for index in 18..<36 {
      state["body.0.rbr_reparam.weight"].values[index] = index % 2 == 0 ? 0 : -0.0
    }
    let report = try check(state.write(to: folder.file("dead.pth")))
    #expect(report.isSound)
    #expect(report.findings.map(\.kind) == [.deadChannels])
    #expect(report.findings[0].text == "1 of 2 output channels have no weight but zero: 1")
  }

  @Test func `values that float16 cannot hold are counted at the limits`() throws {
    let edge: [Double] = [65519, 65520, 0x1p-25, 0x1.000002p-25, 0, -0x1p-30]
    let tensor = try Tensor(
      .float32, shape: [6],
      in: MemoryBytes(edge.flatMap { encode($0, .float32) }, location: Location(path: "")), name: ""
    )
    let health = try TensorHealth(of: tensor, name: "edge")
    #expect(health.overflowingHalf == 1 && health.vanishingHalf == 2 && health.zeros == 1)
    #expect(
      health.smallest == -0x1p-30 && health.largest == 65520 && health.smallestMagnitude == 0x1p-30)
    #expect(health.zeroRows == [4])
  }

  @Test func `a block without a part is a failure, another kind of block a warning`() throws {
    for name in ["no-variance", "no-pointwise-branch", "part-of-identity", "shapes-differ"] {
      let report = try check(Fixtures.path("Cases/\(name).pth"))
      #expect(
        !report.isSound && report.findings.map(\.kind) == [.structure],
        "\(name): \(report.findings)")
    }
    for name in ["qarepvgg", "misspelt"] {
      let report = try check(Fixtures.path("Cases/\(name).pth"))
      #expect(report.findings.contains { $0.kind == .structure }, "\(name): \(report.findings)")
    }
    var state = try DeployState(fusing: Fixtures.path("Cases/one-block.pth"))
    state.remove(["body.0.rbr_reparam.bias"])
    #expect(try !check(state.write(to: folder.file("no-bias.pth"))).isSound)
  }

  @Test(arguments: ["os-system.pth", "os-system.pkl"])
  func `a pickle that would run a program fails, and nothing runs`(name: String) throws {
    let report = try check(Fixtures.path("Cases/\(name)"))
    #expect(!report.isSound)
    #expect(report.findings.contains { $0.subject == "posix.system" && $0.severity == .failure })
  }

  @Test func `code of a project is a warning`() throws {
    let report = try check(Fixtures.path("PyTorch/plain-whole-module.pth"))
    #expect(report.isSound)
    #expect(report.findings.compactMap(\.subject) == ["repvgg_torch.Block", "repvgg_torch.RepVGG"])
  }

  @Test func `every damaged tensor is named`() throws {
    let source = Fixtures.path("PyTorch/plain-train.pth")
    for output in ["out.rvd", "out.pth"] {
      _ = try fuse(source, to: folder.file(output))
      var bytes = try folder.read(output)
      // In the middle of two of the larger kernels.
      for position in [bytes.count / 2, bytes.count * 9 / 10] { bytes[position] ^= 1 }
      let report = try check(folder.write(bytes, to: "damaged" + output))
      #expect(!report.isSound)
      #expect(report.findings.count { $0.kind == .checksum } == 2, "\(report.findings)")
    }
  }
}
