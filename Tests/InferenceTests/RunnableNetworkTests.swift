import Checkpoints
import Conversion
import Graphs
import ImageFiles
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

  @Test(arguments: models, Arithmetic.allCases)
  func `results are the same to the bit for any number of threads`(
    model: String, arithmetic: Arithmetic
  ) throws {
    let network = try RunnableNetwork(try network(model), arithmetic: arithmetic)
    let images = images(8)
    let one = try network.run(images, threads: Threads(1))
    for threads in [2, 3] {
      #expect(try network.run(images, threads: Threads(threads)).logits == one.logits)
    }
    #expect(try network.run(images, threads: .all).logits == one.logits)
  }

  @Test(arguments: models)
  func `in float32 the size of a batch changes nothing`(model: String) throws {
    let images = images(7)
    for network in [
      try RunnableNetwork(try network(model)),
      try RunnableNetwork(fusing: FusionPlan(try network(model))),
    ] {
      let whole = try network.run(images, batch: 7).logits
      for batch in [1, 2, 3] { #expect(try network.run(images, batch: batch).logits == whole) }
    }
  }

  @Test func `the size of a batch changes no more than rounding`() throws {
    let network = try RunnableNetwork(try network("se"), arithmetic: .float64)
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
    let train = try RunnableNetwork(try network(model), arithmetic: .float64)
    let deploy = try RunnableNetwork(fusing: plan, arithmetic: .float64)
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

  @Test func `a network of half arithmetic is run in float32`() throws {
    let expected = try ExpectedLogits("plain")
    let network = try RunnableNetwork.open(path: Fixtures.path("PyTorch/plain-half.pth"))
    let logits = try network.run(expected.images).logits
    #expect(largestDifference(logits, expected.logits) < 0.05)
  }

  @Test func `weights in float64 are used as such, or rounded`() throws {
    let path = Fixtures.path("PyTorch/plain-double.pth")
    let expected = try ExpectedLogits("plain")
    for (arithmetic, tolerance) in [(Arithmetic.float32, 1e-4), (.float64, 1e-10)] {
      let network = try RunnableNetwork.open(path: path, arithmetic: arithmetic)
      #expect(
        largestDifference(try network.run(expected.images).logits, expected.logits) < tolerance)
    }
  }

  @Test func `epsilon is the caller's where the file has none`() throws {
    let expected = try ExpectedLogits("plain")
    let usual = try RunnableNetwork(try network("plain"), arithmetic: .float64)
    let other = try RunnableNetwork(try network("plain"), arithmetic: .float64, epsilon: 1e-2)
    let (a, b) = (try usual.run(expected.images), try other.run(expected.images))
    #expect(largestDifference(a.logits, b.logits) > 1e-4)
    // A whole module knows its own.
    let module = try RunnableNetwork.open(
      path: Fixtures.path("MegEngine/plain-whole-module.pkl"), arithmetic: .float64, epsilon: 1e-2)
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
    let folder = try TemporaryFolder()
    _ = try fuse(Fixtures.path("Cases/one-block.pth"), to: folder.file("part.rvd"))
    for path in [
      Fixtures.path("Cases/larger-network.pth"), Fixtures.path("Cases/one-block.pth"),
      folder.file("part.rvd"),
    ] {
      let error = #expect(throws: InferenceError.self) { try RunnableNetwork.open(path: path) }
      guard case .notANetwork? = error else {
        Issue.record("\(path): \(String(describing: error))")
        continue
      }
    }
  }

  @Test func `a graph whose tensors do not fit is refused`() throws {
    func tensor(_ shape: Shape) throws -> Tensor {
      try Tensor(
        float32: [Float](repeating: 0, count: shape.elementCount), shape: shape,
        name: Name(shape.description))
    }
    let tensors = try [
      tensor([4, 3, 1, 1]), tensor([4]), tensor([2, 4, 1, 1]), tensor([5, 4]), tensor([3]),
    ]
    let wrong: [((inout Graph) -> Void, node: Int?, member: String)] = [
      ({ _ in }, nil, "nodes"),
      ({ $0.convolution(0, weight: 0, bias: 5) }, 0, "bias"),
      ({ $0.convolution(0, weight: 0, bias: 4) }, 0, "bias"),
      ({ $0.convolution($0.convolution(0, weight: 0, bias: 1), weight: 0, bias: 1) }, 1, "weight"),
      ({ $0.convolution(0, weight: 3, bias: nil) }, 0, "weight"),
      ({ $0.append(.concatenate, $0.convolution(0, weight: 0, bias: 1)) }, 1, "inputs"),
      // Two convolutions that ask for other inputs.
      (
        {
          let a = $0.convolution(0, weight: 0, bias: nil)
          $0.append(.concatenate, a, $0.convolution(0, weight: 2, bias: nil))
        }, 1, "weight"
      ),
    ]
    for (index, (build, node, member)) in wrong.enumerated() {
      var graph = Graph()
      build(&graph)
      let error = #expect(throws: InferenceError.self, "graph \(index)") {
        try RunnableNetwork(graph, tensors: tensors)
      }
      guard case .invalidGraph(let problem)? = error else {
        Issue.record("graph \(index): \(String(describing: error))")
        continue
      }
      #expect(problem.node == node && problem.member == member, "\(problem)")
    }
  }

  @Test func `images of a size that the graph has no use for are refused, with the reason`() throws
  {
    var graph = Graph()
    let halved = graph.pool(.maxPool, Graph.input, kernel: [2, 2], stride: [2, 2], block: "half")
    graph.append(.add, Graph.input, graph.append(.upsampleNearest, halved, attributes: [[2, 2]]))
    let network = try RunnableNetwork(graph, tensors: [])
    func images(_ height: Int, _ width: Int) -> ImageBatch {
      ImageBatch([Float](repeating: 1, count: height * width), shape: [1, 1, height, width])
    }
    #expect(network.inputChannels == nil && network.blocks == ["half"])
    #expect(try network.run(images(4, 6)).logits == [[Double](repeating: 2, count: 24)])
    #expect(throws: InferenceError.imagesTooSmall(height: 1, width: 6, block: "half")) {
      try network.run(images(1, 6))
    }
    let error = #expect(throws: InferenceError.self) { try network.run(images(4, 5)) }
    #expect(
      error?.description == """
        images of 4x5 pixels do not fit the network: node 2 (add), inputs: expected values of one shape, or one of N x C x 1 x 1, found N x 1 x 4 x 5 and N x 1 x 4 x 4.
          Use images of the size that it was made for.
        """)
  }

  @Test func `maps far larger than the images are refused, unless that is allowed`() throws {
    var limits = ReadingLimits()
    func run(padding: Int) throws -> Int {
      var graph = Graph()
      graph.convolution(0, weight: 0, bias: nil, padding: [0, padding], block: "wide")
      let weights = try Tensor(
        .float32, shape: [1, 1, 1, 1],
        in: MemoryBytes([0, 0, 0x80, 0x3F], location: Location(path: "a"), limits: limits), at: 0,
        name: "w")
      let image = ImageBatch([Float](repeating: 1, count: 6), shape: [1, 1, 2, 3])
      return try RunnableNetwork(graph, tensors: [weights]).run(image).logits[0].count
    }
    #expect(try run(padding: 100) == 2 * 203)
    let error = #expect(throws: InferenceError.self) { try run(padding: (1 << 22) - 1) }
    #expect(
      error?.description == """
        'wide': numbers in the maps of an image of 2x3 pixels: with 1x2x8388609, more than the limit of 16777216.
          The file is damaged or made to exhaust the program.
        """)
    limits[.mapExpansion] = .max
    #expect(throws: InferenceError.imagesTooLarge(images: 1, height: 2, width: 3)) {
      try run(padding: Attribute.largest)
    }
  }

  @Test func `maps count as long as they are needed`() throws {
    func run(branches: Int, _ scaled: Int) throws -> Int {
      var graph = Graph()
      // One after the other: two at a time.
      for _ in 0..<10 { graph.append(.relu, graph.result) }
      let wide = graph.append(.upsampleNearest, graph.result, attributes: [[1, scaled]])
      let all = (0..<branches).map { _ in graph.append(.relu, wide) }
      graph.append(Graph.Node(.concatenate, inputs: all))
      let image = ImageBatch([Float](repeating: 1, count: 4), shape: [1, 1, 1, 4])
      return try RunnableNetwork(graph, tensors: []).run(image).logits[0].count
    }
    // The branches, and what they are concatenated to, where four have 2^24 numbers.
    #expect(try run(branches: 4, 1 << 10) == 1 << 14)
    let error = #expect(throws: InferenceError.self) { try run(branches: 5, 1 << 19) }
    guard case .limitExceeded("'operation 16'", _, 1 << 24, _, "map-expansion")? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `pictures are not scaled to a size that only the file asks for, and no network takes`()
    throws
  {
    func network(size: Int) throws -> RunnableNetwork {
      var graph = Graph()
      graph.append(.relu, Graph.input)
      return try RunnableNetwork(
        graph, tensors: [],
        input: InputConvention(
          channelOrder: .rgb, scale: 1, mean: [0, 0, 0], standardDeviation: [1, 1, 1], size: size))
    }
    #expect(try network(size: 2048).preparation.size == 2048)
    let large = try network(size: 2049)
    let error = #expect(throws: InferenceError.self) { try large.preparation }
    #expect(
      error?.description == """
        the network's input: pixels of height and width: 2049, more than the limit of 2048.
          The file is damaged or made to exhaust the program.
        """)
    var options = PictureOptions()
    #expect(throws: InferenceError.self) { try options.preparation(for: large) }
    options.input.size = 2049
    #expect(try options.preparation(for: large).size == 2049)
  }

  @Test func `the best classes come first, equal ones in order, NaN last`() {
    #expect(topClasses([1, 3, 3, .nan, 2], count: 9) == [1, 2, 4, 0, 3])
    #expect(topClasses([1, 3], count: 1) == [1])
    let shares = probabilities([1000, 1000])
    #expect(shares == [0.5, 0.5])
  }
}
