import CheckpointFiles
import Checkpoints
import Conversion
import Inference
import Naming
import Proof
import Reparameterization
import Tensors
import TestSupport
import Testing

/// FastViTs as their projects' own code saved them, against what that code made of an input in float64,
/// from the branches.
@Suite struct FastViTTests {
  static let files = [
    "apple-t8-like/fastvit.pth.tar", "apple-no-layer-scale/fastvit.pth.tar",
    "apple-training-ema/model_best.pth.tar", "timm-t8-like/model.safetensors",
    "apple-sa12-like/fastvit.pth.tar", "timm-sa12-like/pytorch_model.bin",
    "timm-mci-like/pytorch_model.bin",
  ]

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func path(_ file: String) -> String { Fixtures.path("Families/fastvit/\(file)") }

  /// Which state dict the answers are of, where there are several.
  func key(_ file: String) -> String? { file.contains("ema") ? "state_dict" : nil }

  func expected(_ file: String) throws -> (images: ImageBatch, outputs: [Double]) {
    let folder = file.split(separator: "/")[0]
    let arrays = try readNPZ(Fixtures.path("Families/fastvit/\(folder)/io.npz"))
    let input = arrays["input0"]!
    return (ImageBatch(input.doubles, shape: Shape(input.shape)), arrays["output0"]!.doubles)
  }

  /// The largest difference from what the project's code gave, as a fraction of the largest number.
  func difference(_ runnable: RunnableNetwork, _ file: String) throws -> Double {
    let (images, outputs) = try expected(file)
    let logits = try runnable.run(images).logits.flatMap { $0 }
    return largestDifference(logits, outputs) / outputs.map(\.magnitude).max()!
  }

  @Test(arguments: files, [(Arithmetic.float32, 1e-4), (.float64, 1e-10)])
  func `all forms give what the project's code gave`(
    file: String, arithmetic: (kind: Arithmetic, tolerance: Double)
  ) throws {
    let network = try Network(recognising: openCheckpoint(path(file)), key: key(file))
    let train = try RunnableNetwork(network, arithmetic: arithmetic.kind)
    #expect(train.form == .train)
    #expect(try difference(train, file) < arithmetic.tolerance)
    for isForGraph in [false, true] {
      let plan = try FusionPlan(network, isForGraph: isForGraph)
      #expect((plan.graph != nil) == isForGraph && plan.blocksLeft.isEmpty == isForGraph)
      let fused = try RunnableNetwork(fusing: plan, arithmetic: arithmetic.kind)
      #expect(fused.form == .deploy)
      #expect(try difference(fused, file) < arithmetic.tolerance)
    }
  }

  @Test(arguments: files, ["out.rvd", "out.pth", "out.safetensors"])
  func `deploy files give it within the rounding of their kernels`(
    file: String, name: String
  ) throws {
    var options = FuseOptions()
    options.reading.key = key(file)
    options.isVerified = true
    _ = try fuse(path(file), to: folder.file(name), options: options)
    let runnable = try RunnableNetwork.open(path: folder.file(name), arithmetic: .float64)
    #expect(runnable.form == .deploy)
    #expect(try difference(runnable, file) < 1e-6)
  }

  @Test(arguments: files)
  func `a deploy form of the project's own becomes the same graph`(file: String) throws {
    let (deploy, graph) = (folder.file("deploy.pth"), folder.file("graph.rvd"))
    var options = FuseOptions()
    options.reading.key = key(file)
    _ = try fuse(path(file), to: deploy, options: options)
    options.isVerified = true
    _ = try fuse(path(file), to: graph, options: options)
    options.reading.key = nil
    let report = try fuse(deploy, to: folder.file("later.rvd"), options: options)
    #expect(report.verification?.holds == true)
    let digests = try [graph, folder.file("later.rvd")].map {
      try openCheckpoint($0).model?.contentSHA256
    }
    #expect(digests[0] == digests[1] && digests[0] != nil)
    // Into a format without a graph, there is nothing left to do.
    #expect(throws: FusionError.self) {
      try fuse(deploy, to: folder.file("again.pth"), options: FuseOptions())
    }
    #expect(try verify(deploy, graph).holds)
    for (first, second) in [(deploy, graph), (graph, deploy), (path(file), graph)] {
      var options = ComparisonOptions()
      options.reading.key = key(first)
      #expect(try diff(first, second, options: options).areSame, "\(first) \(second)")
    }
  }

  @Test func `an epsilon that BatchNorms need which are left is said, and used for both forms`()
    throws
  {
    let (file, deploy) = (path(Self.files[0]), folder.file("deploy.pth"))
    var options = FuseOptions()
    options.epsilon = 1e-2
    let report = try fuse(file, to: deploy, options: options)
    #expect(report.notes.contains(.epsilonLeftOut([1e-2], names: "fastvit", standFor: 1e-5)))
    var comparison = ComparisonOptions()
    comparison.epsilon = 1e-2
    let (images, _) = try expected(Self.files[0])
    let networks = try [file, deploy].map { path in
      try RunnableNetwork.open(path: path, arithmetic: .float64, epsilon: 1e-2)
        .run(images).logits.flatMap { $0 }
    }
    #expect(
      largestDifference(networks[0], networks[1]) < 1e-5 * networks[0].map(\.magnitude).max()!)
    let verified = try verify(file, deploy, options: comparison)
    let compared = try NetworkComparison(of: verified, epsilon: 1e-2) { _ in NetworkInput(images) }
    #expect(verified.holds && compared.holds)
  }

  @Test func `rewriting says what becomes of BatchNorms that the project keeps`() throws {
    let file = path(Self.files[0])
    let (deploy, graph) = (folder.file("deploy.pth"), folder.file("graph.rvd"))
    _ = try fuse(file, to: deploy)
    _ = try fuse(file, to: graph)
    let kept = try rewrite(deploy, to: folder.file("without.rvd"))
    #expect(kept.notes.contains(.normsLeft(3)))
    #expect(try openCheckpoint(folder.file("without.rvd")).model?.graph == nil)
    let folded = try rewrite(graph, to: folder.file("folded.pth"))
    #expect(folded.notes.contains(.foldedFurther(names: "fastvit")))
    let runnable = try RunnableNetwork.open(path: folder.file("folded.pth"), arithmetic: .float64)
    #expect(try difference(runnable, Self.files[0]) < 1e-6)
  }
}
