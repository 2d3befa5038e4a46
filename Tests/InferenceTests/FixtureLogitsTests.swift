import Checkpoints
import Conversion
import Inference
import Naming
import RVD
import Reparameterization
import Tensors
import TestSupport
import Testing

/// Every form of every model against the logits that PyTorch computed in float64 from the branches.
@Suite struct FixtureLogitsTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(
    arguments: models,
    [(Arithmetic.float32, 1e-4), (.float64, 1e-10)])
  func `the training form gives PyTorch's logits`(
    model: String, arithmetic: (kind: Arithmetic, tolerance: Double)
  ) throws {
    let expected = try ExpectedLogits(model)
    let runnable = try RunnableNetwork(try network(model), arithmetic: arithmetic.kind)
    #expect(runnable.form == .train)
    let result = try runnable.run(expected.images)
    #expect(largestDifference(result.logits, expected.logits) < arithmetic.tolerance)
  }

  @Test(
    arguments: models,
    [(Arithmetic.float32, 1e-4), (.float64, 1e-10)])
  func `kernels fused in memory give them as exactly`(
    model: String, arithmetic: (kind: Arithmetic, tolerance: Double)
  ) throws {
    let expected = try ExpectedLogits(model)
    let plan = try FusionPlan(try network(model))
    let runnable = try RunnableNetwork(fusing: plan, arithmetic: arithmetic.kind)
    #expect(runnable.form == .deploy)
    let result = try runnable.run(expected.images)
    #expect(largestDifference(result.logits, expected.logits) < arithmetic.tolerance)
  }

  @Test(
    arguments: models,
    ["out.rvd", "out.pth"])
  func `deploy files give them within the rounding of their kernels`(
    model: String, name: String
  ) throws {
    let expected = try ExpectedLogits(model)
    _ = try fuse(Fixtures.path("PyTorch/\(model)-train.pth"), to: folder.file(name))
    for (arithmetic, tolerance) in [(Arithmetic.float32, 1e-4), (.float64, 1e-5)] {
      let runnable = try RunnableNetwork.open(path: folder.file(name), arithmetic: arithmetic)
      #expect(runnable.form == .deploy)
      #expect(runnable.classes == 10)
      let result = try runnable.run(expected.images)
      #expect(largestDifference(result.logits, expected.logits) < tolerance)
    }
  }

  /// BaseCls names, kernels of five axes, biases of four.
  @Test(arguments: models.filter { $0 != "plus" })
  func `MegEngine's files of a model give the same`(model: String) throws {
    let expected = try ExpectedLogits(model)
    let runnable = try RunnableNetwork.open(
      path: Fixtures.path("MegEngine/\(model)-basecls.pkl"), arithmetic: .float64)
    let result = try runnable.run(expected.images)
    #expect(largestDifference(result.logits, expected.logits) < 1e-10)
    #expect(runnable.input?.channelOrder == .bgr)
  }

  /// 280 of 300 is what the fixtures' training ended with.
  @Test func `accuracy is that of training, before and after fusion`() throws {
    let arrays = try openCheckpoint(Fixtures.path("Expected/digits-validation.npz")).stateDicts[0]
    let images = try #require(arrays.tensors.first { $0.name == "images" }).tensor
    let labels = try #require(arrays.tensors.first { $0.name == "labels" }).tensor
    let bytes = try labels.bytes()
    let size = labels.elementType.byteCount
    let answers = (0..<labels.shape.elementCount).map { Int(bytes[$0 * size]) }
    let batch = try ImageBatch(images)
    _ = try fuse(Fixtures.path("PyTorch/plain-train.pth"), to: folder.file("plain.rvd"))
    for path in [Fixtures.path("PyTorch/plain-train.pth"), folder.file("plain.rvd")] {
      let result = try RunnableNetwork.open(path: path).run(batch, batch: 64)
      let right = zip(result.logits, answers).count { logits, answer in
        logits.indices.max { logits[$0] < logits[$1] } == answer
      }
      #expect(right == 280)
    }
  }
}
