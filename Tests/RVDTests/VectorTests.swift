import Foundation
import RVD
import Tensors
import Testing

/// One row of `vectors.json`, which an independent program wrote from the specification.
struct Vector: Decodable, Sendable, CustomTestStringConvertible {
  struct StoredTensor: Decodable {
    var name: String
    var type: String
    var shape: [Int]
    var data: String
  }
  var file: String
  var expected: String
  var writer: Bool?
  var content: String?
  var tensors: [StoredTensor]?

  var testDescription: String { "\(file): \(expected)" }

  func bytes() throws -> [UInt8] {
    [UInt8](try Data(contentsOf: vectorFolder.appending(path: file)))
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
    #expect(Vector.valid.count >= 7 && Vector.invalid.count >= 120)
  }

  @Test(arguments: Vector.valid)
  func `a valid file reads as the table says`(vector: Vector) throws {
    let file = try RVDFile.open(path: vectorFolder.appending(path: vector.file).path)
    #expect(file.contentSHA256 == vector.content)
    let expected = try #require(vector.tensors)
    #expect(file.tensors.count == expected.count)
    for (named, expected) in zip(file.tensors, expected) {
      #expect(named.name.utf8.elementsEqual(expected.name.utf8))
      #expect(named.tensor.elementType.rawValue == expected.type)
      #expect(named.tensor.shape.dimensions == expected.shape)
      #expect(try named.tensor.bytes() == fromHexadecimal(expected.data))
      try named.tensor.source.verify()
    }
  }

  @Test(arguments: Vector.invalid)
  func `an invalid file is refused for the reason in the table`(vector: Vector) throws {
    let error = try #require(throws: ReadError.self) { try open(vector.bytes()) }
    #expect(condition(of: error) == vector.expected, "\(error)")
  }

  @Test(arguments: Vector.valid.filter { $0.writer == true && $0.file != "valid/minimal.rvd" })
  func `the writer writes the same bytes`(vector: Vector) throws {
    let tensors = try vector.tensors!.map {
      try tensor(
        $0.name, ElementType(rawValue: $0.type)!, Shape($0.shape), fromHexadecimal($0.data))
    }
    let written = try write(model(of: vector.file, tensors))
    #expect(try written.bytes == vector.bytes())
    #expect(written.summary.contentSHA256 == vector.content)
    #expect(written.summary.byteCount == written.bytes.count)
  }

  @Test func `metadata read are those that were written`() throws {
    let chain = try RVDFile(path: vectorFolder.appending(path: "valid/chain.rvd").path)
    let expected = model(of: "valid/chain.rvd", [])
    #expect(chain.graph == expected.graph)
    #expect(chain.architecture == expected.architecture)
    #expect(chain.classes == expected.classes)
    #expect(chain.input == expected.input)
    #expect(chain.provenance == expected.provenance)
    #expect(chain.version == 1)
    #expect(
      chain.storedTensors.map(\.role) == ["kernel", "bias", "kernel", "bias", "weight", "bias"])
    #expect(chain.storedTensors.map(\.layout) == ["OIHW", nil, "OIHW", nil, "OI", nil])

    let attention = try RVDFile(
      path: vectorFolder.appending(path: "valid/squeeze-excitation.rvd").path)
    #expect(attention.graph == model(of: "valid/squeeze-excitation.rvd", []).graph)
    #expect(attention.input?.size == nil)

    let minimal = try RVDFile(path: vectorFolder.appending(path: "valid/minimal.rvd").path)
    #expect(minimal.graph == nil && minimal.provenance == nil && minimal.input == nil)
    #expect(minimal.architecture == nil && minimal.classes == nil)

    // Of a later version, with members that this one does not know.
    let later = try RVDFile(path: vectorFolder.appending(path: "valid/later.rvd").path)
    #expect(later.version == 2 && later.graph == chain.graph && later.input == chain.input)
    #expect(later.contentSHA256 == chain.contentSHA256)
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
    #expect(bytes[64..<64 + manifest.utf8.count].elementsEqual(manifest.utf8))
  }
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
  case .limitExceeded(let place, _, _, _):
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
      if ["an array of integers", "a value"].contains(where: parts[1].starts) {
        return "manifest-invalid"
      }
      return parts[0].starts(with: "graph") || parts[1].contains("the graph has")
        ? "graph" : "manifest-invalid"
    }
    switch place.offset {
    case nil: return "content"
    case 0: return "not-rvd"
    case 32: return "placement"
    default: break
    }
    if place.offset! < 64 { return "header-invalid" }
    if expected.contains("the end of the file") { return "trailing-bytes" }
    return expected.contains("padding") ? "padding" : "manifest-syntax"
  case .inaccessible: return "inaccessible"
  @unknown default: return "unknown"
  }
}

/// What `make_vectors.py` says of its models beside their tensors.
private func model(of file: String, _ tensors: [OutputTensor]) -> DeployModel {
  var model = DeployModel(
    tensors: tensors,
    provenance: Provenance(
      // SHA-256 of "a checkpoint".
      sourceSHA256: "8c51bcbcf387d1f00d73035db73bc8d356a5ad7b123e0af1d8cecb8107c58cd7",
      container: "PyTorch zip", dialect: "official", epsilons: [1e-5],
      arithmetic: "float64, rounded once", tool: "make_vectors.py 1"))
  func convolution(
    _ name: String, stride: [Int] = [1, 1], padding: [Int] = [1, 1], dilation: [Int] = [1, 1],
    groups: Int = 1
  ) -> RVDOperation {
    .convolution(
      Convolution(
        weight: "\(name).weight", bias: "\(name).bias", stride: stride, padding: padding,
        dilation: dilation, groups: groups))
  }
  switch file {
  case "valid/empty.rvd": model.provenance.epsilons = []
  case "valid/types.rvd":
    model.provenance.epsilons = []
    model.provenance.dialect = "d\u{E9}j\u{E0} vu"
  case "valid/aligned.rvd": model.architecture = String(repeating: "x", count: 4)
  case "valid/chain.rvd":
    model.architecture = "Chain-2"
    model.classes = 5
    model.input = InputConvention(
      channelOrder: .rgb, scale: 1, mean: [0.485, 0.456, 0.406],
      standardDeviation: [0.229, 0.224, 0.225], size: 224)
    model.graph = [
      convolution("stem", stride: [2, 2]), .relu,
      convolution("body", stride: [2, 1], padding: [2, 0], dilation: [2, 1], groups: 2), .relu,
      .globalAveragePool, .linear(weight: "head.weight", bias: "head.bias"),
    ]
  case "valid/squeeze-excitation.rvd":
    model.input = InputConvention(
      channelOrder: .bgr, scale: 255, mean: [103.53, 116.28, 123.675],
      standardDeviation: [57.375, 57.12, 58.395])
    model.provenance.epsilons = [1e-6, 1e-3]
    model.graph = [
      convolution("stage0", padding: [0, 0]),
      .squeezeExcitation(
        SqueezeExcitation(
          squeezeWeight: "stage0.se.down.weight", squeezeBias: "stage0.se.down.bias",
          exciteWeight: "stage0.se.up.weight", exciteBias: "stage0.se.up.bias")),
      .relu,
    ]
  default: preconditionFailure("no model for \(file)")
  }
  return model
}

/// Foundation has an `Operation` of its own.
private typealias RVDOperation = Tensors.Operation
