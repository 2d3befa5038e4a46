import Checkpoints
import Conversion
import Foundation
import Graphs
import RVD
import Reparameterization
import Tensors
import TestSupport
import Testing

/// A file that a framework wrote, and the model whose weights it holds.
struct Fixture: CustomTestStringConvertible, Sendable {
  var path: String
  var name: String
  /// `plain`, `g2`, `g4`, `se` or `plus`.
  var model: String { String(name.prefix { $0 != "-" }) }
  /// Holds two state dicts of equal standing; the other is the same.
  var key: String? { name == "plain-swin-style.pth" ? "model" : nil }
  /// Significant bits of the stored weights, if fewer than float32 has.
  var significantBits: Int? {
    name.contains("-half") || name.contains("-float16") ? 11 : name.contains("-bfloat16") ? 8 : nil
  }
  var testDescription: String { name }

  /// What the file does not say, and its dialect not rightly.
  var epsilon: Double? { name.hasSuffix(".weights.h5") ? 1e-5 : nil }

  static let all: [Fixture] = ["PyTorch", "MegEngine", "HDF5", "Safetensors"].flatMap { folder in
    Fixtures.names(
      in: folder,
      suffixes: [".pth", ".pkl", ".tar", ".ckpt", ".h5", ".hdf5", ".keras", ".safetensors"]
    )
    .filter { ["plain", "g2", "g4", "se", "plus"].contains(String($0.prefix { $0 != "-" })) }
    .map { Fixture(path: Fixtures.path("\(folder)/\($0)"), name: $0) }
  }
}

@Suite struct FixtureFusionTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func options(_ fixture: Fixture) -> FuseOptions {
    var options = FuseOptions()
    options.reading.key = fixture.key
    options.epsilon = fixture.epsilon
    return options
  }

  @Test func `there are fixtures of every model`() {
    #expect(Set(Fixture.all.map(\.model)) == ["plain", "g2", "g4", "se", "plus"])
    #expect(Fixture.all.count >= 35)
  }

  /// The answers are float64 sums that NumPy computed from the weights PyTorch trained.
  @Test(arguments: Fixture.all)
  func `a file of a framework fuses to the correctly rounded kernels`(fixture: Fixture) throws {
    let expected = try readNPZ(Fixtures.path("Expected/\(fixture.model)-fused64.npz"))
    _ = try fuse(fixture.path, to: folder.file("out.rvd"), options: options(fixture))
    let file = try RVDFile.open(path: folder.file("out.rvd"))
    #expect(Set(file.tensors.map(\.name.text)) == Set(expected.keys))
    var (ties, values) = (0, 0)
    for named in file.tensors {
      let answer = try #require(expected[named.name])
      #expect(named.tensor.shape.dimensions == answer.shape, "\(named.name)")
      let (ours, theirs) = (try named.tensor.doubles(), answer.doubles)
      let scale = theirs.map(\.magnitude).max() ?? 0
      for (our, their) in zip(ours, theirs) {
        values += 1
        if let bits = fixture.significantBits {
          // Each stored parameter is off by half a unit; BatchNorm multiplies a few of them.
          if (our - their).magnitude > scale * 8 * pow(2, -Double(bits)) {
            Issue.record("\(named.name): \(our), not about \(their)")
          }
        } else if Float(our) != Float(their) {
          // Only where float64 itself cannot tell which neighbour is nearer.
          let middle = (our + Double(Float(their))) / 2
          if (their - middle).magnitude <= 4 * their.ulp {
            ties += 1
          } else {
            Issue.record("\(named.name): \(our), not \(Float(their))")
          }
        }
      }
    }
    #expect(ties * 1_000_000 <= values, "\(ties) of \(values) values are ties")
  }

  @Test(arguments: ["plain", "g2", "g4", "se", "plus"])
  func `all float32 files of a model give the same tensors, and so does fusing to .pth`(
    model: String
  ) throws {
    var digests: [String: [String]] = [:]
    for fixture in Fixture.all where fixture.model == model && fixture.significantBits == nil {
      let report = try fuse(
        fixture.path, to: folder.file("\(fixture.name).rvd"), options: options(fixture))
      digests[try #require(report.output.contentDigest), default: []].append(fixture.name)
    }
    #expect(digests.count == 1, "\(digests)")

    let fixture = try #require(Fixture.all.first { $0.name == "\(model)-train.pth" })
    _ = try fuse(fixture.path, to: folder.file("out.pth"), options: options(fixture))
    let rvd = try RVDFile.open(path: folder.file("\(fixture.name).rvd"))
    let pth = try openCheckpoint(folder.file("out.pth"))
    let tensors = try #require(pth.stateDicts.first).tensors
    #expect(tensors.map(\.name) == rvd.tensors.map(\.name))
    for (a, b) in zip(tensors, rvd.tensors) {
      #expect(a.tensor.shape == b.tensor.shape)
      #expect(try a.tensor.bytes() == b.tensor.bytes(), "\(a.name)")
    }
  }

  @Test(arguments: ["plain-train.pth", "plain-legacy.pth"])
  func `two runs give the same bytes, whatever the file is called`(name: String) throws {
    let source = Fixtures.path("PyTorch/\(name)")
    let copy = try folder.write(Fixtures.bytes("PyTorch/\(name)"), to: "renamed.bin")
    for output in [".rvd", ".pth"] {
      _ = try fuse(source, to: folder.file("a\(output)"))
      _ = try fuse(copy, to: folder.file("b\(output)"))
      #expect(try folder.read("a\(output)") == folder.read("b\(output)"))
    }
  }

  @Test func `a whole module brings its own epsilon`() throws {
    var options = FuseOptions()
    options.epsilon = 0.5
    let module = try fuse(
      Fixtures.path("MegEngine/g2-whole-module.pkl"), to: folder.file("m.rvd"), options: options)
    #expect(module.epsilons == [1e-5])
    #expect(module.epsilonSource == .file)
    let dict = try fuse(
      Fixtures.path("MegEngine/g2-basecls.pkl"), to: folder.file("d.rvd"), options: options)
    #expect(dict.epsilons == [0.5] && dict.epsilonSource == .given)
    #expect(dict.output.contentDigest != module.output.contentDigest)
    #expect(try RVDFile.open(path: folder.file("d.rvd")).model.provenance?.epsilons == [0.5])
  }

  @Test(arguments: [("plus", 24), ("se", 24), ("g4", 8), ("plain", 8)])
  func `the graph of a whole network is stored`(model: String, convolutions: Int) throws {
    let report = try fuse(
      Fixtures.path("PyTorch/\(model)-train.pth"), to: folder.file("out.rvd"))
    #expect(report.blocks == 8)
    let file = try RVDFile.open(path: folder.file("out.rvd"))
    let graph = try #require(file.model.graph)
    #expect(graph.nodes.count { $0.kind == .convolution } == convolutions)
    #expect(graph.blocks.count == 8 && graph.blocks.first == "stage0")
    #expect(file.model.classes == 10)
    // Tensors lie in the order in which the graph takes them.
    let used = graph.nodes.flatMap(\.operands).compactMap { $0 }
    #expect(used == Array(file.tensors.indices))
  }
}
