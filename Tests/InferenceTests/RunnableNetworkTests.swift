import Conversion
import Inference
import Naming
import RVD
import Reparameterization
import Tensors
import TestSupport
import Testing

@Suite struct RunnableNetworkTests {
  /// Seeded images for the fixtures' networks.
  func images(_ count: Int, seed: UInt64 = 1, size: Int = 32) -> ImageBatch {
    var random = SeededGenerator(seed: seed)
    return ImageBatch(
      (0..<count * 3 * size * size).map { _ in Float.random(in: -2...2, using: &random) },
      shape: [count, 3, size, size])
  }

  @Test(arguments: models, Precision.allCases)
  func `results are the same to the bit for any number of threads`(
    model: String, precision: Precision
  ) throws {
    let network = try RunnableNetwork(try network(model), precision: precision)
    let images = images(8)
    let one = try network.run(images, threads: Threads(1))
    let all = try network.run(images, threads: .all)
    #expect(one.logits == all.logits)
    #expect(try network.run(images, threads: .all).logits == all.logits)
  }

  @Test func `the size of a batch changes no more than rounding`() throws {
    let network = try RunnableNetwork(try network("se"), precision: .float64)
    let images = images(7)
    let whole = try network.run(images, batch: 16)
    #expect(whole.logits.count == 7)
    var progress: [Int] = []
    let parts = try network.run(images, batch: 3) { progress.append($0) }
    #expect(progress == [3, 6, 7])
    #expect(largestDifference(whole.logits, parts.logits) < 1e-12)
  }

  @Test(arguments: models)
  func `every block of both forms gives the same`(model: String) throws {
    let plan = try FusionPlan(try network(model))
    let train = try RunnableNetwork(try network(model), precision: .float64)
    let deploy = try RunnableNetwork(fusing: plan, precision: .float64)
    #expect(train.blocks == deploy.blocks)
    #expect(train.blocks.count == 8 && train.blocks[0] == "stage0")
    let blocks = Set(train.blocks)
    let (a, b) = (
      try train.run(images(2), batch: 1, keeping: blocks),
      try deploy.run(images(2), batch: 1, keeping: blocks)
    )
    #expect(Set(a.blocks.keys) == blocks)
    for name in train.blocks {
      let (x, y) = (try #require(a.blocks[name]), try #require(b.blocks[name]))
      #expect(x.shape == y.shape && x.shape[0] == 2)
      #expect(x.numbers.contains { $0 != 0 })
      #expect(largestDifference(x.numbers, y.numbers) < 1e-10, "\(name)")
      // What a block gives is what comes after its ReLU.
      #expect(x.numbers.allSatisfy { $0 >= 0 })
    }
    #expect(a.blocks["stage0"]?.shape == [2, 16, 16, 16])
  }

  @Test func `names of blocks are the same whatever the file`() throws {
    let folder = try TemporaryFolder()
    let source = Fixtures.path("MegEngine/plain-basecls.pkl")
    var options = FuseOptions()
    options.writing.names = .baseCls
    _ = try fuse(source, to: folder.file("out.rvd"), options: options)
    _ = try fuse(source, to: folder.file("out.pth"), options: options)
    let names = try RunnableNetwork.open(path: source).blocks
    for file in ["out.rvd", "out.pth"] {
      let network = try RunnableNetwork.open(path: folder.file(file))
      #expect(network.blocks == names)
      #expect(network.classes == 10 && network.inputChannels == 3)
    }
  }

  @Test func `NaN comes through, so that it is seen`() throws {
    let network = try RunnableNetwork(try network("plain"))
    let nan = ImageBatch([Float](repeating: .nan, count: 3 * 32 * 32), shape: [1, 3, 32, 32])
    #expect(try network.run(nan).logits[0].allSatisfy(\.isNaN))
  }

  @Test func `a network of half precision is run in float32`() throws {
    let expected = try ExpectedLogits("plain")
    let network = try RunnableNetwork.open(path: Fixtures.path("PyTorch/plain-half.pth"))
    let logits = try network.run(expected.images).logits
    #expect(largestDifference(logits, expected.logits) < 0.05)
  }

  @Test func `weights in float64 are used as such, or rounded`() throws {
    let path = Fixtures.path("PyTorch/plain-double.pth")
    let expected = try ExpectedLogits("plain")
    for (precision, tolerance) in [(Precision.float32, 1e-4), (.float64, 1e-10)] {
      let network = try RunnableNetwork.open(path: path, precision: precision)
      #expect(
        largestDifference(try network.run(expected.images).logits, expected.logits) < tolerance)
    }
  }

  @Test func `epsilon is the caller's where the file has none`() throws {
    let expected = try ExpectedLogits("plain")
    let usual = try RunnableNetwork(try network("plain"), precision: .float64)
    let other = try RunnableNetwork(try network("plain"), precision: .float64, epsilon: 1e-2)
    let (a, b) = (try usual.run(expected.images), try other.run(expected.images))
    #expect(largestDifference(a.logits, b.logits) > 1e-4)
    // A whole module knows its own.
    let module = try RunnableNetwork.open(
      path: Fixtures.path("MegEngine/plain-whole-module.pkl"), precision: .float64, epsilon: 1e-2)
    #expect(largestDifference(try module.run(expected.images).logits, expected.logits) < 1e-10)
  }

  // MARK: What does not fit

  @Test func `images that do not fit are refused`() throws {
    let network = try RunnableNetwork(try network("plain"))
    #expect(throws: InferenceError.wrongChannels(expected: 3, found: 1)) {
      try network.run(ImageBatch([Float](repeating: 0, count: 64), shape: [1, 1, 8, 8]))
    }
    #expect(throws: InferenceError.imagesTooSmall(height: 0, width: 8, block: "stage0")) {
      try network.run(ImageBatch([Float](), shape: [2, 3, 0, 8]))
    }
    #expect(try network.run(ImageBatch([Float](), shape: [0, 3, 8, 8])).logits.isEmpty)
    // A single pixel is enough for padded convolutions.
    #expect(
      try network.run(ImageBatch([0, 0, 0] as [Float], shape: [1, 3, 1, 1])).logits.count == 1)
  }

  @Test func `a block that is not there is named, with those like it`() throws {
    let network = try RunnableNetwork(try network("plain"))
    let error = #expect(throws: InferenceError.self) {
      try network.run(images(1), keeping: ["stage1.7"])
    }
    guard case .noSuchBlock("stage1.7", let nearest)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(nearest.contains("stage1.0"))
  }

  @Test func `a file that is no whole network is refused, with the reason`() throws {
    for name in ["Cases/larger-network.pth", "Cases/one-block.pth"] {
      let error = #expect(throws: InferenceError.self) {
        try RunnableNetwork.open(path: Fixtures.path(name))
      }
      guard case .notANetwork? = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
    }
    let folder = try TemporaryFolder()
    _ = try fuse(Fixtures.path("Cases/one-block.pth"), to: folder.file("part.rvd"))
    let error = #expect(throws: InferenceError.self) {
      try RunnableNetwork.open(path: folder.file("part.rvd"))
    }
    #expect(error?.description.contains("no graph") == true)
  }

  @Test func `a graph whose tensors do not fit is refused`() throws {
    func tensor(_ name: String, _ shape: Shape) throws -> NamedTensor {
      NamedTensor(
        name,
        try Tensor(
          float32: [Float](repeating: 0, count: shape.elementCount), shape: shape, name: name))
    }
    func convolution(_ weight: String, _ bias: String) -> Tensors.Operation {
      .convolution(
        Convolution(weight: weight, bias: bias, stride: [1, 1], padding: [0, 0], groups: 1))
    }
    let tensors = [
      try tensor("k", [4, 3, 1, 1]), try tensor("b", [4]), try tensor("k2", [2, 4, 1, 1]),
      try tensor("w", [5, 4]), try tensor("short", [3]),
    ]
    let graphs: [[Tensors.Operation]] = [
      [],
      [.relu],
      [convolution("k", "gone")],
      [convolution("k", "short")],
      [convolution("k", "b"), convolution("k", "b")],
      [convolution("w", "b")],
      [convolution("k", "b"), .linear(weight: "w", bias: "b")],
      [convolution("k", "b"), .globalAveragePool, .globalAveragePool],
      [convolution("k", "b"), .globalAveragePool, convolution("k2", "b")],
      [convolution("k", "b"), .globalAveragePool, .linear(weight: "w", bias: "b")],
    ]
    for (index, graph) in graphs.enumerated() {
      let error = #expect(throws: InferenceError.self, "graph \(index)") {
        try RunnableNetwork(graph: graph, tensors: tensors)
      }
      guard case .invalidGraph? = error else {
        Issue.record("graph \(index): \(String(describing: error))")
        continue
      }
    }
  }

  @Test func `the best classes come first, equal ones in order, NaN last`() {
    #expect(topClasses([1, 3, 3, .nan, 2], count: 9) == [1, 2, 4, 0, 3])
    #expect(topClasses([1, 3], count: 1) == [1])
    let shares = probabilities([1000, 1000])
    #expect(shares == [0.5, 0.5])
  }
}
