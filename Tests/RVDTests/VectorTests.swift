import Checkpoints
import Checksums
import Foundation
import Graphs
import RVD
import Tensors
import Testing

/// One row of `vectors.json`, which an independent program wrote from the specification.
struct Vector: Decodable, Sendable, CustomTestStringConvertible {
  struct StoredTensor: Decodable {
    var name: String
    var type: String
    var shape: [Int]
    /// The decoded bytes in hexadecimal, or if they are many their SHA-256.
    var data: String?
    var sha256: String?
    var codec: String?
    var scales: Int?

    var digest: String { sha256 ?? hexadecimalSHA256(fromHexadecimal(data!)) }
  }
  var file: String
  var expected: String
  var writer: Bool?
  var content: String?
  var tensors: [StoredTensor]?
  /// Whether what is wrong is in the graph.
  var graph: Bool?

  var testDescription: String { "\(file): \(expected)" }

  func bytes() throws -> [UInt8] {
    [UInt8](try Data(contentsOf: vectorFolder.appending(path: file)))
  }

  /// The tensors that are no scales of others, with theirs.
  var logicalTensors: [(tensor: StoredTensor, scales: [Float]?)] {
    let tensors = tensors!
    let scales = Set(tensors.compactMap(\.scales))
    return tensors.indices.filter { !scales.contains($0) }.map { index in
      let values = tensors[index].scales.map { scales in
        let bytes = fromHexadecimal(tensors[scales].data!)
        return stride(from: 0, to: bytes.count, by: 4).map { start in
          Float(
            bitPattern: bytes[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
      }
      return (tensors[index], values)
    }
  }

  static let all: [Vector] = {
    let data = try! Data(contentsOf: vectorFolder.appending(path: "vectors.json"))
    return try! JSONDecoder().decode([Vector].self, from: data)
  }()
  static let valid = all.filter { $0.expected == "valid" }
  static let invalid = all.filter { $0.expected != "valid" }
}

@Suite struct VectorTests {
  @Test func `every file beside the table is in it`() throws {
    let files = try ["valid", "invalid"].flatMap { folder in
      try FileManager.default.contentsOfDirectory(atPath: vectorFolder.appending(path: folder).path)
        .map { "\(folder)/\($0)" }
    }
    #expect(Set(files) == Set(Vector.all.map(\.file)))
    #expect(Vector.valid.count >= 9 && Vector.invalid.count >= 170)
  }

  @Test(arguments: Vector.valid)
  func `a valid file reads as the table says`(vector: Vector) throws {
    let file = try RVDFile.open(path: vectorFolder.appending(path: vector.file).path)
    #expect(file.model.contentSHA256 == vector.content)
    let expected = try #require(vector.tensors)
    #expect(file.storedTensors.count == expected.count)
    for (stored, expected) in zip(file.storedTensors, expected) {
      #expect(stored.name.utf8.elementsEqual(expected.name.utf8))
      #expect(stored.elementType.rawValue == expected.type)
      #expect(stored.shape.dimensions == expected.shape)
      #expect(stored.codec == expected.codec ?? "raw" && stored.scales == expected.scales)
    }
    let logical = vector.logicalTensors
    #expect(file.tensors.count == logical.count)
    for (named, logical) in zip(file.tensors, logical) {
      #expect(named.name.utf8.elementsEqual(logical.tensor.name.utf8))
      #expect(try hexadecimalSHA256(named.tensor.bytes()) == logical.tensor.digest)
      #expect(named.tensor.scales?.values == logical.scales)
      try named.tensor.source.verify()
    }
  }

  @Test(arguments: Vector.invalid)
  func `an invalid file is refused for the reason in the table`(vector: Vector) throws {
    let error = try #require(throws: ReadError.self) { try open(vector.bytes()) }
    #expect(condition(of: error) == vector.expected, "\(error)")
  }

  @Test(arguments: Vector.valid.filter { $0.writer == true })
  func `the writer writes the same bytes`(vector: Vector) throws {
    let tensors = try vector.logicalTensors.map { logical in
      let given = logical.tensor
      var tensor = try tensor(
        given.name, ElementType(rawValue: given.type)!, Shape(given.shape),
        fromHexadecimal(given.data!))
      tensor.scales = logical.scales
      return tensor
    }
    let model = try #require(description(in: vector.file))
    let written = try write(DeployModel(tensors: tensors, model))
    #expect(try written.bytes == vector.bytes())
    #expect(written.summary.contentSHA256 == vector.content)
    #expect(written.summary.byteCount == written.bytes.count)
  }

  @Test(arguments: Vector.valid)
  func `what a file says of its network is what was written`(vector: Vector) throws {
    let file = try RVDFile(path: vectorFolder.appending(path: vector.file).path)
    // Of a later version, with members that this one does not know.
    let isLater = vector.file == "valid/later.rvd"
    var expected = try #require(description(in: isLater ? "valid/chain.rvd" : vector.file))
    expected.contentSHA256 = vector.content
    #expect(file.model == expected)
    #expect(file.version == (isLater ? 2 : 1))
    if let graph = file.model.graph {
      let checked = try graph.shapes(
        tensors: file.tensors.map { TensorType($0.tensor) })
      #expect(checked.count == graph.nodes.count + 1)
    }
  }

  @Test func `tensors have the roles that the graph gives them`() throws {
    func roles(_ name: String) throws -> [String] {
      try RVDFile(path: vectorFolder.appending(path: name).path).storedTensors.map {
        ($0.role ?? "none") + ($0.layout.map { " \($0)" } ?? "")
      }
    }
    #expect(
      try roles("valid/chain.rvd") == [
        "kernel OIHW", "bias", "kernel OIHW", "bias", "weight OI", "bias",
      ])
    #expect(
      try roles("valid/operations.rvd") == [
        "kernel OIHW", "bias", "slope", "factor", "shift", "factor", "kernel OIHW", "weight OI",
        "gamma", "beta", "mean", "variance", "weight OI", "bias",
      ])
    #expect(try roles("valid/minimal.rvd") == ["none"])
  }

  @Test func `a vector has every operation`() throws {
    let file = try RVDFile(path: vectorFolder.appending(path: "valid/operations.rvd").path)
    #expect(Set(file.model.graph?.nodes.map(\.kind) ?? []) == Set(NodeKind.all))
  }

  @Test func `the example in the specification is the vector`() throws {
    let text = try String(
      contentsOf: vectorFolder.appending(path: "../rvd.md"), encoding: .utf8)
    let dump = try #require(
      text.components(separatedBy: "```text\n").last?
        .components(separatedBy: "```").first)
    let bytes = dump.split(separator: "\n").flatMap { line in
      line.dropFirst(6).prefix(47).split(separator: " ").map { UInt8($0, radix: 16)! }
    }
    #expect(
      bytes == [UInt8](try Data(contentsOf: vectorFolder.appending(path: "valid/minimal.rvd"))))
    let manifest = try #require(
      text.components(separatedBy: "```json\n").last?
        .components(separatedBy: "\n```").first)
    #expect(bytes.suffix(manifest.utf8.count).elementsEqual(manifest.utf8))
  }
}

private func hexadecimalSHA256(_ bytes: [UInt8]) -> String {
  var hash = SHA256()
  hash.update(bytes)
  return hash.finalize().map { String(format: "%02x", $0) }.joined()
}

private func fromHexadecimal(_ text: String) -> [UInt8] {
  let digits = text.map { UInt8($0.hexDigitValue!) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The condition of the specification's table that an error of ours stands for.
private func condition(of error: ReadError) -> String {
  switch error {
  case .notACheckpoint: return "not-rvd"
  case .truncated: return "truncated"
  case .checksumMismatch(let place, _, _):
    if place.member != nil { return "tensor-checksum" }
    return place.offset == 0 ? "header-checksum" : "manifest-checksum"
  case .limitExceeded(let place, _, _, _, _):
    return place.offset! < 64 ? "header-invalid" : "manifest-syntax"
  case .unsupported(_, let what, _):
    for (text, condition) in [
      ("needs a reader", "version"), ("the element type", "type"), ("the codec", "codec"),
      ("the layout", "layout"), ("the operation", "operation"),
    ] where what.contains(text) {
      return "unsupported-\(condition)"
    }
    return "unsupported"
  case .malformed(let place, let expected, _, _):
    let parts = expected.components(separatedBy: " in the manifest to be ")
    if parts.count == 2 {
      if parts[0].contains("].offset (") { return "placement" }
      if ["an array of integers", "an integer", "a value", "a string", "an object"].contains(
        where: parts[1].starts) || parts[1] == "a number"
      {
        return "manifest-invalid"
      }
      return parts[0].starts(with: "graph") || parts[1].contains("the graph has")
        ? "graph" : "manifest-invalid"
    }
    if place.member != nil {
      return expected.contains("Zstandard") ? "encoding" : "scales"
    }
    switch place.offset {
    case nil: return "content"
    case 0: return "not-rvd"
    case 24: return expected.contains("behind the tensors") ? "placement" : "header-invalid"
    default: break
    }
    if place.offset! < 64 { return "header-invalid" }
    if expected.contains("the end of the file") { return "trailing-bytes" }
    return expected.contains("padding") ? "padding" : "manifest-syntax"
  case .inaccessible: return "inaccessible"
  case .noMemory: return "no-memory"
  @unknown default: return "unknown"
  }
}

/// What `make_vectors.py` says of its models beside their tensors, or nil of a model that is not here.
private func description(in file: String) -> ModelDescription? {
  let provenance = Provenance(
    // SHA-256 of "a checkpoint".
    sourceSHA256: "8c51bcbcf387d1f00d73035db73bc8d356a5ad7b123e0af1d8cecb8107c58cd7",
    container: "PyTorch zip", dialect: "official", epsilons: [1e-5],
    arithmetic: "float64, rounded once", tool: "make_vectors.py 1")
  var model = ModelDescription()
  var graph = Graph()
  switch file {
  case "valid/minimal.rvd": break
  case "valid/metadata-labels.rvd": model.metadata.labels = ["", "", "only labels"]
  // Says what only a later version knows.
  case "valid/metadata-later.rvd": break
  case "valid/compressed-frames.rvd", "valid/compressed-by-zstd.rvd",
    "valid/compressed-unusual.rvd", "valid/scales-apart.rvd":
    break
  case "valid/empty.rvd", "valid/compressed.rvd":
    model.provenance = provenance
    model.provenance?.epsilons = []
  case "valid/types.rvd":
    model.provenance = provenance
    model.provenance?.epsilons = []
    model.provenance?.dialect = "d\u{E9}j\u{E0} vu"
  case "valid/aligned.rvd": model.provenance = provenance
  case "valid/chain.rvd", "valid/metadata.rvd":
    if file == "valid/metadata.rvd" { model.metadata = everyMetadata }
    model.provenance = provenance
    model.architecture = "Chain-2"
    model.classes = 5
    model.input = InputConvention(
      channelOrder: .rgb, scale: 1, mean: [0.485, 0.456, 0.406],
      standardDeviation: [0.229, 0.224, 0.225], size: 224)
    var x = graph.convolution(
      Graph.input, weight: 0, bias: 1, stride: [2, 2], padding: [1, 1], block: "stem")
    x = graph.append(.relu, x, block: "stem")
    x = graph.convolution(
      x, weight: 2, bias: 3, stride: [2, 1], padding: [2, 0], dilation: [2, 1], groups: 2,
      block: "body")
    x = graph.append(.relu, x, block: "body")
    x = graph.append(.globalAveragePool, x)
    x = graph.append(.flatten, x)
    graph.linear(x, weight: 4, bias: 5)
  case "valid/quantized.rvd", "valid/quantized-compressed.rvd":
    model.provenance = provenance
    model.provenance?.biasCorrection = "batch-norm-statistics"
    model.classes = 6
    model.input = InputConvention(
      channelOrder: .rgb, scale: 1, mean: [0.485, 0.456, 0.406],
      standardDeviation: [0.229, 0.224, 0.225], size: 224)
    var x = graph.convolution(
      Graph.input, weight: 0, bias: 1, stride: [2, 2], padding: [1, 1], block: "stem")
    x = graph.append(.relu, x, block: "stem")
    x = graph.convolution(x, weight: 2, bias: 3, padding: [1, 1], block: "body")
    x = graph.append(.relu, x, block: "body")
    x = graph.convolution(x, weight: 4, bias: nil, padding: [2, 2], groups: 8)
    x = graph.append(.globalAveragePool, x)
    x = graph.append(.flatten, x)
    graph.linear(x, weight: 5, bias: 6)
  case "valid/squeeze-excitation.rvd":
    model.provenance = provenance
    model.provenance?.epsilons = [1e-6, 1e-3]
    model.input = InputConvention(
      channelOrder: .bgr, scale: 255, mean: [103.53, 116.28, 123.675],
      standardDeviation: [57.375, 57.12, 58.395])
    let stage = graph.convolution(Graph.input, weight: 0, bias: 1)
    var gate = graph.append(.globalAveragePool, stage)
    gate = graph.convolution(gate, weight: 2, bias: 3)
    gate = graph.append(.relu, gate)
    gate = graph.convolution(gate, weight: 4, bias: 5)
    gate = graph.append(.sigmoid, gate)
    graph.append(.relu, graph.append(.multiply, stage, gate))
  case "valid/residual.rvd":
    let stem = graph.convolution(
      Graph.input, weight: 0, bias: nil, padding: [1, 1], block: "stem")
    let left = graph.convolution(
      stem, weight: 1, bias: 2, padding: [1, 1], groups: 4, block: "body")
    let right = graph.convolution(stem, weight: 3, bias: nil, block: "body")
    let sum = graph.append(.add, left, right, block: "body")
    let pooled = graph.append(.globalAveragePool, sum, block: "body")
    let gated = graph.append(.multiply, pooled, sum, block: "body")
    graph.convolution(graph.append(.concatenate, gated, stem), weight: 4, bias: 5)
  case "valid/operations.rvd":
    model.classes = 8
    var x = graph.convolution(
      Graph.input, weight: 0, bias: 1, stride: [2, 2], padding: [1, 1])
    x = graph.batchNorm(x, gamma: 8, beta: 9, mean: 10, variance: 11, epsilon: 1e-5)
    x = graph.append(.prelu, x, operands: [2])
    x = graph.append(.scale, x, operands: [3, 4])
    x = graph.append(.relu6, x)
    x = graph.normalization(.layerNorm, x, gamma: 8, beta: 9, epsilon: 1e-6)
    x = graph.append(.scale, x, operands: [5, nil])
    x = graph.append(.gelu, x)
    x = graph.normalization(.globalResponseNorm, x, gamma: 3, beta: 4, epsilon: 1e-6)
    x = graph.pool(.maxPool, x, kernel: [3, 2], stride: [2, 1], padding: [1, 0])
    x = graph.append(.geluTanh, x)
    let left = graph.convolution(x, weight: 6, bias: nil)
    x = graph.append(.hardSwish, left)
    x = graph.linear(x, weight: 12, bias: 13)
    x = graph.append(.attention, x, attributes: [[2]])
    x = graph.normalization(.globalResponseNorm, x, gamma: 8, beta: nil, epsilon: 0.5)
    let right = graph.pool(
      .averagePool, x, kernel: [3, 3], stride: [1, 1], padding: [1, 1])
    let sum = graph.append(.add, left, right)
    x = graph.append(.silu, sum)
    let shuffled = graph.append(.pixelShuffle, x, attributes: [[2]])
    x = graph.append(.upsampleNearest, sum, attributes: [[2, 2]])
    x = graph.append(.globalAveragePool, x)
    x = graph.append(.hardSigmoid, x)
    x = graph.append(.flatten, x)
    let shares = graph.append(.softmax, x)
    x = graph.append(.tanh, shuffled)
    x = graph.append(.concatenate, shuffled, x)
    x = graph.append(.sigmoid, x)
    x = graph.append(.relu, x)
    x = graph.append(.globalAveragePool, x)
    x = graph.append(.flatten, x)
    x = graph.linear(x, weight: 7, bias: nil)
    graph.append(.multiply, shares, x)
  default: return nil
  }
  if !graph.nodes.isEmpty { model.graph = graph }
  return model
}

private let everyMetadata: ModelMetadata = {
  var metadata = ModelMetadata()
  metadata.labels = [
    "tench, Tinca tinca", "\u{732B}", "na\u{EF}ve \u{1F436}", "\"\\\n", "\u{E9}",
  ]
  metadata.license = "CC-BY-NC-4.0"
  metadata.authors = ["Ada Lovelace", "\u{738B}\u{83F2}"]
  metadata.homepage = "https://example.org/m?a=b#c"
  metadata.task = "image-classification"
  // In the order of UTF-16, not of UTF-8.
  metadata.custom = [
    .init("top-1", "0.7241"), .init("trained on", "ImageNet-1k"), .init("\u{1F600}", "after"),
    .init("\u{FB33}", ""),
  ]
  return metadata
}()
