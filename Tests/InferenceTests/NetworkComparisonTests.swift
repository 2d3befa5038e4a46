import CheckpointFiles
import Checkpoints
import Conversion
import Graphs
import Inference
import Naming
import RVD
import Reparameterization
import Tensors
import TestSupport
import Testing

/// Both forms of a network on the same images.
@Suite struct NetworkComparisonTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func train(_ model: String) -> String { Fixtures.path("PyTorch/\(model)-train.pth") }

  func compare(_ model: String, _ deploy: String) throws -> NetworkComparison {
    let images = try ExpectedLogits(model).images
    return try NetworkComparison(of: try verify(train(model), deploy)) { _ in NetworkInput(images) }
  }

  @Test(arguments: models, ["out.rvd", "out.pth"])
  func `a fused file gives what its checkpoint gives`(model: String, name: String) throws {
    _ = try fuse(train(model), to: folder.file(name))
    let comparison = try compare(model, folder.file(name))
    #expect(comparison.holds)
    let expected = try ExpectedLogits(model)
    #expect(comparison.images == expected.images.count)
    let largest = expected.logits.joined().map(\.magnitude).max()!
    #expect(comparison.outcomes.map(\.arithmetic) == [.float64, .float32])
    for (outcome, tolerance) in zip(comparison.outcomes, [1e-10, 1e-4]) {
      #expect((outcome.largestLogit - largest).magnitude < tolerance)
      #expect(outcome.agreeing == comparison.images)
    }
    #expect(comparison.outcomes[0].relative < 1e-6 && comparison.outcomes[1].relative < 1e-4)
    #expect(comparison.outcomes[0].largestDifference > 0, "kernels are rounded to float32")
  }

  /// Every block is right, and every tensor; but not what the file says to do with them.
  @Test func `another graph is found, which the algebra cannot see`() throws {
    let deploy = folder.file("out.rvd")
    _ = try fuse(train("plain"), to: deploy)
    let file = try RVDFile(path: deploy)
    let graph = try #require(file.model.graph)
    let relu = try #require(graph.nodes.firstIndex { $0.kind == .relu })
    let convolution = try #require(graph.nodes.lastIndex { $0.kind == .convolution })
    var (otherActivation, otherStride) = (graph, graph)
    otherActivation.nodes[relu].kind = .silu
    #expect(graph.nodes[convolution].attributes[0] == [2, 2])
    otherStride.nodes[convolution].attributes[0] = [1, 1]
    for (index, graph) in [otherActivation, otherStride].enumerated() {
      let path = folder.file("wrong\(index).rvd")
      let output = try OutputFile(path: path, replace: false)
      var model = file.deployModel
      model.description.graph = graph
      _ = try RVDWriter.write(model, to: output)
      try output.commit()
      let report = try verify(train("plain"), path)
      #expect(report.holds)
      let comparison = try compare("plain", path)
      #expect(!comparison.holds && comparison.outcomes[0].relative > 1e-3)
    }
  }

  @Test func `what is wrong in the weights shows in the logits as well`() throws {
    var options = FuseOptions()
    options.epsilon = 1e-3
    _ = try fuse(train("plain"), to: folder.file("wrong.pth"), options: options)
    let comparison = try compare("plain", folder.file("wrong.pth"))
    #expect(!comparison.holds)
  }

  @Test func `a network that is not whole is not run`() throws {
    let part = Fixtures.path("Cases/larger-network.pth")
    _ = try fuse(part, to: folder.file("part.pth"))
    let report = try verify(part, folder.file("part.pth"))
    #expect(report.holds)
    let error = #expect(throws: InferenceError.self) {
      try NetworkComparison(of: report) { _ in
        try NetworkInput(randomOf: [1, 3, 32, 32], seed: 0)
      }
    }
    guard case .notANetwork = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  /// The first numbers of SplitMix64 from seed 1234567, as its authors' and others' code gives them.
  @Test func `random images are the same everywhere`() throws {
    let words: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
    ]
    let input = try NetworkInput(randomOf: [1, 5, 1, 1], seed: 1_234_567)
    let expected = words.map { Double(Int($0 >> 40) - 1 << 23) / Double(1 << 22) }
    var graph = Graph()
    graph.linear(graph.append(.flatten, Graph.input), weight: 0, bias: nil)
    let identity = (0..<25).map { Float($0 % 6 == 0 ? 1 : 0) }
    let network = try RunnableNetwork(
      graph, tensors: [try Tensor(float32: identity, shape: [5, 5], name: "w")])
    #expect(try network.logits(for: input) == [expected])
  }
}
