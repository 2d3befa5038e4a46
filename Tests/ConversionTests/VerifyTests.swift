import Blocks
import Checkpoints
import Conversion
import Naming
import Proof
import Reparameterization
import Tensors
import TestSupport
import Testing

/// What `verify` accepts: everything that is the training checkpoint, fused, whoever fused it.
@Suite struct VerifyTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: Fixture.all)
  func `every fixture's fused file is proved exact`(fixture: Fixture) throws {
    for output in ["out.rvd", "out.pth"] {
      var options = FuseOptions()
      options.reading.key = fixture.key
      options.epsilon = fixture.epsilon
      _ = try fuse(fixture.path, to: folder.file(output), options: options)
      var comparison = ComparisonOptions()
      comparison.reading.key = fixture.key
      comparison.epsilon = fixture.epsilon
      comparison.tolerance = .ulps(0)
      let report = try verify(fixture.path, folder.file(output), options: comparison)
      #expect(report.holds && report.verification.grade == .exact)
      #expect(report.verification.blocks.count == 8)
    }
  }

  @Test(arguments: ["plain", "g2", "g4", "se", "plus"])
  func `files of one model verify against each other, across frameworks and names`(model: String)
    throws
  {
    let deploy = folder.file("out.rvd")
    var options = FuseOptions()
    options.writing.names = .renamedMegEngine
    _ = try fuse(Fixtures.path("PyTorch/\(model)-train.pth"), to: deploy, options: options)
    for fixture in Fixture.all where fixture.model == model && fixture.significantBits == nil {
      var comparison = ComparisonOptions()
      comparison.reading.key = fixture.key
      comparison.epsilon = fixture.epsilon
      let report = try verify(fixture.path, deploy, options: comparison)
      #expect(report.holds && report.verification.grade == .exact, "\(fixture.name)")
    }
  }

  @Test(arguments: Dialect.all.filter { $0.family == .repVGG && $0.root != nil })
  func `deploy files verify in every format, under every project's names`(names: Dialect) throws {
    for (model, source) in [
      ("plain", "MegEngine/plain-renamed.pkl"), ("g4", "PyTorch/g4-train.pth"),
    ] {
      for format in OutputFormat.all where format.isReadable && !format.isGraph {
        var options = FuseOptions()
        options.writing.names = names
        options.writing.replace = true
        let deploy = folder.file("\(model)\(format.fileExtension)")
        do {
          _ = try fuse(Fixtures.path(source), to: deploy, options: options)
        } catch is NamingError {
          continue  // No names for it in this project.
        }
        let report = try verify(Fixtures.path(source), deploy)
        let isOrdered = report.verification.blocks.allSatisfy { $0.grade == .exact }
        if names == .paddleClas, format.fileExtension != ".rvd" {
          // Its deploy files have the official names, and the classifier the other way round.
          let classifier = report.verification.tensors[0]
          #expect(isOrdered && !classifier.isAlike && classifier.name.hasSuffix("weight"))
        } else {
          #expect(report.holds && isOrdered, "\(deploy)")
        }
        #expect(report.verification.blocks.count == 8)
      }
    }
  }

  @Test(arguments: [ElementType.float64, .float16, .bfloat16])
  func `a deploy file in another type is held to that type`(type: ElementType) throws {
    let train = Fixtures.path("PyTorch/se-train.pth")
    var state = try DeployState(fusing: train)
    for block in ["stage0", "stage1.1"] {
      try state.replace(Name(block), with: Branches(Name(block), of: train).sum)
    }
    state.cast(to: type)
    let report = try verify(train, state.write(to: folder.file("cast.pth")))
    #expect(report.holds)
    // Rounded twice, or to float32 first: near, but not always the nearest.
    #expect(report.verification.blocks.allSatisfy { $0.elementType == type })
    #expect(report.verification.tensors.allSatisfy { $0.relation == .cast })
    if type != .float64 {
      #expect(report.verification.blocks.allSatisfy { $0.difference!.largestUlps <= 1 })
    }
  }

  /// What the official script computes, operation by operation, in float32.
  @Test(arguments: ["plain", "g4", "se", "plus"])
  func `a plain float32 fusion is within rounding, and not exact`(model: String) throws {
    let train = Fixtures.path("PyTorch/\(model)-train.pth")
    let network = try Network(recognising: openCheckpoint(train))
    var state = try DeployState(fusing: train)
    for block in network.blocks {
      let branches = try Branches(block.path, of: train)
      let (output, input) = (branches.channels, branches.dense.shape[1])
      let (dense, pointwise) = (try branches.dense.doubles(), try branches.pointwise.doubles())
      var weights = [Float](repeating: 0, count: output * input * 9)
      var bias = [Float](repeating: 0, count: output)
      for branch in Branches.all {
        guard let norm = branches.norms[branch] else { continue }
        for o in 0..<output {
          let deviation = (Float(norm.variance[o]) + 1e-5).squareRoot()
          let t = Float(norm.gamma[o]) / deviation
          for i in 0..<input {
            let row = (o * input + i) * 9
            switch branch {
            case "dense": for tap in 0..<9 { weights[row + tap] += Float(dense[row + tap]) * t }
            case "pointwise": weights[row + 4] += Float(pointwise[o * input + i]) * t
            default: if i == o % input { weights[row + 4] += t }
            }
          }
          bias[o] += Float(norm.beta[o]) - Float(norm.mean[o]) * Float(norm.gamma[o]) / deviation
        }
      }
      state[block.path + ".rbr_reparam.weight"].values = weights.map(Double.init)
      state[block.path + ".rbr_reparam.bias"].values = bias.map(Double.init)
    }
    let path = try state.write(to: folder.file("float32.pth"))
    let report = try verify(train, path)
    #expect(report.holds && report.verification.grade == .rounded)
    #expect(
      report.verification.blocks.allSatisfy {
        $0.difference!.excess < 1 && $0.difference!.unequal > 0
      })
    var strict = ComparisonOptions()
    strict.tolerance = .ulps(0)
    let exact = try verify(train, path, options: strict)
    #expect(!exact.holds)
    for block in exact.verification.blocks {
      #expect(block.cause == .arithmetic(.float32))
      #expect(
        block.cause?.description == "no further off than arithmetic in float32 would be")
    }
    // However the fused numbers cancel, they are small beside the largest.
    strict.tolerance = .relative(1e-5)
    #expect(try verify(train, path, options: strict).holds)
  }

  @Test func `a deploy file under a prefix, with its training branches, is compared all the same`()
    throws
  {
    let train = Fixtures.path("Cases/larger-network.pth")
    var state = try DeployState(fusing: train)
    for index in state.entries.indices where state.entries[index].shape != [] {
      state.entries[index].name = "student." + state.entries[index].name
    }
    state.entries.removeAll { $0.shape == [] }
    let report = try verify(train, state.write(to: folder.file("prefixed.pth")))
    #expect(report.verification.grade == .exact && report.verification.blocks.count == 2)
    // The two scalars were left out.
    #expect(
      report.verification.missing.map(\.names) == [["head.bn.num_batches_tracked"], ["head.scale"]])
  }

  @Test func `a deploy kernel beside branches is what is compared`() throws {
    let report = try verify(
      Fixtures.path("Cases/one-block.pth"), Fixtures.path("Cases/branches-and-equal-kernel.pth"))
    #expect(report.holds && report.verification.blocksWithBranches == 1)
    let other = try verify(
      Fixtures.path("Cases/one-block.pth"), Fixtures.path("Cases/branches-and-other-kernel.pth"))
    #expect(!other.holds)
  }

  @Test func `of two state dicts, the one that was fused is named`() throws {
    let path = Fixtures.path("Cases/two-networks.pth")
    let deploy = try DeployState(fusing: path, key: "model_ema").write(to: folder.file("out.pth"))
    #expect(throws: NamingError.self) { try verify(path, deploy) }
    var options = ComparisonOptions()
    options.reading.key = "model"
    let report = try verify(path, deploy, options: options)
    #expect(!report.holds && report.matchingStateDict == "model_ema")
    options.reading.key = "model_ema"
    #expect(try verify(path, deploy, options: options).holds)
  }

  @Test func `forms that cannot be compared are refused, with what to do`() throws {
    let train = Fixtures.path("PyTorch/plain-train.pth")
    let deploy = folder.file("out.rvd")
    _ = try fuse(train, to: deploy)
    for (a, b, text) in [
      (deploy, train, "Name the training checkpoint first"),
      (deploy, deploy, "no branches to recompute"),
      (train, train, "no fused convolution"),
    ] {
      let error = #expect(throws: ConversionError.self) { try verify(a, b) }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }
  }

  @Test func `the report is the same on any number of threads`() throws {
    let train = Fixtures.path("PyTorch/se-train.pth")
    let deploy = try DeployState(fusing: train, epsilon: 1e-3).write(to: folder.file("out.pth"))
    var options = ComparisonOptions()
    let reports = try [1, 2, 7].map { count in
      options.threads = Threads(count)
      return try verify(train, deploy, options: options)
    }
    for report in reports {
      #expect(report.verification.blocks.map(\.path) == reports[0].verification.blocks.map(\.path))
      #expect(
        report.verification.blocks.map(\.difference)
          == reports[0].verification.blocks.map(\.difference))
    }
  }
}
