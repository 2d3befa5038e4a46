import Checkpoints
import Checksums
import Foundation
import Graphs
import RVD
import Tensors
import Testing

@Suite struct ScalesTests {
  /// A linear layer in int8, of three outputs, then one in float32.
  private func model() throws -> DeployModel {
    var weight = try tensor("fc.weight", .int8, [3, 2], [1, 0xFF, 127, 0x81, 0, 5])
    weight.scales = [0.5, 2, 1]
    var graph = Graph()
    var value = graph.append(.globalAveragePool, Graph.input)
    value = graph.append(.flatten, value)
    value = graph.linear(value, weight: 0, bias: 1)
    graph.linear(value, weight: 2, bias: nil)
    var description = someDescription
    description.graph = graph
    return DeployModel(
      tensors: [weight, try zeros("fc.bias", [3]), try zeros("head", [1, 3])], description)
  }

  @Test(arguments: [nil, Compression.fast])
  func `scales are stored behind their tensor, and hidden again`(compression: Compression?) throws {
    let model = try model()
    let (bytes, summary) = try write(model, compression: compression)
    let file = try open(bytes)
    #expect(
      file.storedTensors.map(\.name) == ["fc.weight", "fc.weight_scale", "fc.bias", "head"])
    #expect(file.storedTensors.map(\.scales) == [1, nil, nil, nil])
    #expect(file.storedTensors.map(\.role) == ["weight", nil, "bias", "weight"])
    #expect(file.tensors.map(\.name) == ["fc.weight", "fc.bias", "head"])
    #expect(file.checkpoint.stateDicts[0].tensors.map(\.name) == file.tensors.map(\.name))
    #expect(file.model.graph == model.description.graph)
    #expect(file.tensors[0].tensor.scales?.values == [0.5, 2, 1])
    #expect(try file.tensors[0].tensor.doubles() == [0.5, -0.5, 254, -254, 0, 5])
    #expect(throws: ReadError.self) { try file.tensor(named: "fc.weight_scale") }
    var numbers = [Float](repeating: 0, count: 6)
    var span = numbers.mutableSpan
    try file.decode("fc.weight", into: &span)
    #expect(numbers == [0.5, -0.5, 254, -254, 0, 5])
    // The same again from what was read.
    #expect(try write(file.deployModel, compression: compression).bytes == bytes)
    #expect(try write(file.deployModel).summary.contentSHA256 == summary.contentSHA256)
  }

  @Test func `the content digest covers the link to the scales`() throws {
    func u64(_ number: Int) -> [UInt8] {
      (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    func text(_ text: String) -> [UInt8] { u64(text.utf8.count) + text.utf8 }
    func digest(_ bytes: [UInt8]) -> [UInt8] {
      var hash = SHA256()
      hash.update(bytes)
      return hash.finalize()
    }
    var weight = try tensor("w", .int8, [2, 2], [1, 2, 3, 4])
    weight.scales = [1, 2]
    let found = try write(DeployModel(tensors: [weight], someDescription)).summary.contentSHA256
    let parts =
      digest(text("w") + text("int8") + u64(2) + u64(2) + u64(2) + [1, 2, 3, 4] + text("w_scale"))
      + digest(
        text("w_scale") + text("float32") + u64(1) + u64(2) + [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    #expect(found == digest(parts).hexadecimal)
    weight.scales = nil
    #expect(
      try write(
        DeployModel(
          tensors: [
            weight, try tensor("w_scale", .float32, [2], [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]),
          ], someDescription)
      )
      .summary.contentSHA256 != found)
  }

  @Test func `scales that cannot be stored are refused`() throws {
    func refused(_ change: (inout DeployModel) throws -> Void, _ expected: String) throws {
      var model = try model()
      try change(&model)
      let error = #expect(throws: WriteError.self) { try write(model) }
      #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    }
    try refused(
      { $0.tensors[1].name = "fc.weight_scale" }, "'fc.weight_scale', which another tensor is")
    try refused({ $0.tensors[0].scales = [1, 2] }, "that of a tensor of float32 3")
    try refused({ $0.tensors[1].scales = [1, 2, 3] }, "absent, but for int8 of 2 or 4 axes")
    try refused(
      { $0.description.graph?.nodes[2].operands[0] = 7 },
      "the index of one of the 4 tensors")
  }

  @Test(arguments: [Float.nan, .infinity, 0, -1])
  func `a scale that is no positive number is refused, and its tensor named`(scale: Float) throws {
    var model = try model()
    model.tensors[0].scales = [1, scale, 1]
    let bytes = try write(model).bytes
    let error = #expect(throws: ReadError.self) { try open(bytes) }
    #expect(
      error?.description.starts(
        with: "model.rvd(fc.weight_scale): expected finite scales above 0, found \(scale)") == true,
      "\(String(describing: error))")
  }

  @Test func `scales belong to one tensor, and to no node`() throws {
    let original = try write(model()).bytes
    let start = Int(original[24]) | Int(original[25]) << 8
    let text = String(decoding: original[start...], as: UTF8.self)
    for (old, new, expected) in [
      ("\"scales\":1,", "\"scales\":2,", "tensors[2].name"),
      ("\"scales\":1,", "\"scales\":9,", "the index of one of the 4 tensors"),
      ("\"scales\":1,", "\"scales\":3,", "that of a tensor of float32 3"),
      ("\"bias\":2,", "\"bias\":1,", "another tensor than scales"),
      ("\"scales\":1,", "", "a floating-point tensor"),
    ] {
      #expect(text.contains(old))
      let bytes = file(
        Array(text.replacingOccurrences(of: old, with: new).utf8), Array(original[64..<start]))
      let error = #expect(throws: ReadError.self) { try open(bytes) }
      if expected == "tensors[2].name" {
        // The bias as scales, which then is an operand, too.
        #expect(error?.description.contains("another tensor than scales") == true)
      } else {
        #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
      }
    }
  }
}

@Suite struct ElementTests {
  /// The model of both kinds of storage, on disk.
  private func withFile(
    _ compression: Compression?, _ body: (RVDFile, [OutputTensor]) throws -> Void
  ) throws {
    let tensors = try [ElementType.float32, .float16, .bfloat16, .float64, .int64, .uint8].map {
      try weightLike("\($0)", $0, count: 300_001)
    }
    let path = FileManager.default.temporaryDirectory
      .appending(path: "repconv-\(UUID().uuidString).rvd").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let output = try OutputFile(path: path, replace: false)
    _ = try RVDWriter.write(
      DeployModel(tensors: tensors, someDescription), to: output, compression: compression)
    try output.commit()
    try body(RVDFile.open(path: path), tensors)
  }

  @Test func `a tensor can be mapped`() throws {
    try withFile(nil) { file, tensors in
      for given in tensors {
        let expected = try elements(of: given)
        let found = try file.withMappedBytes(of: given.name) { bytes in
          unsafe bytes.withUnsafeBytes { bytes in
            #expect(Int(bitPattern: bytes.baseAddress).isMultiple(of: 64))
            return unsafe Array(bytes)
          }
        }
        #expect(found == expected)
      }
      #expect(throws: ReadError.self) { try file.withMappedBytes(of: "other") { _ in } }
    }
    let bytes = try write(
      DeployModel(tensors: [zeros("a", [3]), zeros("b", [0])], someDescription)
    ).bytes
    let file = try open(bytes)
    #expect(try file.withMappedBytes(of: "a") { $0.byteCount } == 12)
    #expect(try file.withMappedBytes(of: "b") { $0.byteCount } == 0)
  }

  @Test func `a compressed tensor is not mapped, but decoded`() throws {
    try withFile(.fast) { file, _ in
      let error = #expect(throws: ReadError.self) {
        try file.withMappedBytes(of: "float32") { _ in }
      }
      #expect(
        error?.description.contains("(float32): a compressed tensor cannot be mapped") == true)
    }
  }

  @Test(arguments: [nil, Compression.fast])
  func `a tensor is decoded into memory of the caller's`(compression: Compression?) throws {
    try withFile(compression) { file, tensors in
      for given in tensors {
        var bytes = [UInt8](repeating: 0, count: given.byteCount)
        var numbers = [Float](repeating: 0, count: given.shape.elementCount)
        for threads in 1...2 {
          var span = bytes.mutableSpan
          var raw = unsafe span.mutableBytes
          try file.decode(given.name, into: &raw, threads: Threads(threads))
          #expect(try bytes == elements(of: given))
          var floats = numbers.mutableSpan
          guard given.elementType.isWeightType else {
            #expect(throws: ReadError.self) { try file.decode(given.name, into: &floats) }
            continue
          }
          try file.decode(given.name, into: &floats, threads: Threads(threads))
          let doubles = try file.tensor(named: given.name).tensor.doubles()
          #expect(
            zip(numbers, doubles).allSatisfy { $0.bitPattern == Float($1).bitPattern || $1.isNaN })
        }
      }
    }
  }
}
