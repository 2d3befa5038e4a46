import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// What is written in any format reads as it was.
@Suite struct RoundTripTests {
  /// A format that holds named tensors of many types.
  struct Format: CustomTestStringConvertible, Sendable {
    var family: String
    var write: @Sendable ([OutputTensor], OutputFile, Threads) throws -> Void
    var refusedTypes: Set<ElementType> = []
    /// Parts of names that it refuses.
    var refusedParts: Set<String> = []
    /// Whether tensors keep their order.
    var isOrdered = true
    /// Whether tensors keep their types and shapes; if not, they are vectors of float32.
    var isTyped = true
    var testDescription: String { family }
  }

  static let formats = [
    Format(
      family: "safetensors", write: { try SafetensorsWriter.write($0, to: $1, threads: $2) },
      refusedTypes: [.complex128], isOrdered: false),
    Format(
      family: "numpy", write: { try NPZWriter.write($0, to: $1, threads: $2) },
      refusedTypes: [.bfloat16, .float8e4m3fn, .float8e5m2],
      refusedParts: ["..", "\n", "\t", "\\", ".npy"]),
    Format(
      family: "megengine", write: { try MegEngineWriter.write($0, to: $1, threads: $2) },
      refusedTypes: [.bfloat16, .float8e4m3fn, .float8e5m2]),
    Format(
      family: "pytorch", write: { try PyTorchZipWriter.write($0, to: $1, threads: $2) },
      refusedTypes: [.uint16, .uint32, .uint64, .float8e4m3fn, .float8e5m2]),
    Format(
      family: "hdf5", write: { try HDF5Writer.write($0, to: $1, threads: $2) },
      refusedTypes: [.float8e4m3fn, .float8e5m2, .complex64, .complex128]),
    Format(
      family: "wts", write: { try WTSWriter.write($0, to: $1, threads: $2) },
      refusedTypes: Set(ElementType.allCases).subtracting([.float32]),
      refusedParts: [" ", "\n", "\t"], isTyped: false),
  ]

  private static let nameParts = [
    "stage0", "rbr_dense", ".", "weight", "bias", "running_var", "num_batches_tracked", "0", "10",
    "-",
    "é", "e\u{301}", "\u{1F600}", "/", " ", "\"", "\\", "'", "\n", "\t", "..", ".npy", "__metadata",
    "%s",
    "@@", "{}", "(RepVGG)", "names",
  ]

  /// Tensors of any type, shape, strides, byte order and name that `format` takes.
  private static func tensors(
    for format: Format, _ random: inout SeededGenerator
  ) throws -> [OutputTensor] {
    var names: Set<[UInt8]> = []
    var outputs: [OutputTensor] = []
    let parts = nameParts.filter { part in
      !format.refusedParts.contains { $0.unicodeScalars.allSatisfy(part.unicodeScalars.contains) }
    }
    for index in 0..<Int.random(in: 0...30, using: &random) {
      var name = String(index)
      for _ in 0..<Int.random(in: 1...5, using: &random) {
        name += parts.randomElement(using: &random)!
      }
      guard names.insert(Array(name.utf8)).inserted,
        !format.refusedParts.contains(where: name.contains)
      else { continue }
      let type = ElementType.allCases.filter { !format.refusedTypes.contains($0) }
        .randomElement(using: &random)!
      outputs.append(OutputTensor(name: name, try tensor(type, &random)))
    }
    return outputs
  }

  private static func tensor(_ type: ElementType, _ random: inout SeededGenerator) throws -> Tensor
  {
    let rank = Int.random(in: 0...6, using: &random)
    let shape = Shape((0..<rank).map { _ in [0, 1, 1, 2, 3, 4, 7].randomElement(using: &random)! })
    // Axes in any order, repeated, or with gaps; now and then larger than a piece that is written.
    var strides = shape.rowMajorStrides
    switch Int.random(in: 0...4, using: &random) {
    case 0: strides = shape.columnMajorStrides
    case 1: strides = strides.map { $0 * 2 }
    case 2: strides = strides.map { _ in 0 }
    case 3: strides.shuffle(using: &random)
    default: break
    }
    let reach = zip(shape.dimensions, strides).reduce(0) { $0 + max(0, $1.0 - 1) * $1.1 }
    let offset = Int.random(in: 0...5, using: &random)
    let bytes = (0..<offset + (reach + 1) * type.byteCount).map { _ in
      UInt8.random(in: type == .bool ? 0...1 : 0...255, using: &random)
    }
    return try Tensor(
      type, shape: shape, strides: strides, byteOrder: Bool.random(using: &random) ? .big : .little,
      in: MemoryBytes(bytes, location: Location(path: "memory")), at: offset, name: "w")
  }

  private func check(
    _ outputs: [OutputTensor], _ format: Format, _ seed: UInt64,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let written = try TemporaryFile { try format.write(outputs, $0, Threads(1)) }
    let again = try TemporaryFile { try format.write(outputs, $0, .all) }
    let bytes = try InputFile(path: written.path).allBytes()
    #expect(
      try InputFile(path: again.path).allBytes() == bytes, "seed \(seed)",
      sourceLocation: sourceLocation)
    guard !outputs.isEmpty else { return }
    let checkpoint = try readCheckpoint(path: written.path)
    #expect(checkpoint.family == format.family && checkpoint.stateDicts.count == 1)
    var tensors = checkpoint.stateDicts[0].tensors
    var expected = outputs
    if !format.isOrdered {
      tensors.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
      expected.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
    try #require(
      tensors.map { Array($0.name.utf8) } == expected.map { Array($0.name.utf8) }, "seed \(seed)")
    for (named, output) in zip(tensors, expected) {
      let tensor = named.tensor
      #expect(tensor.elementType == output.elementType, "seed \(seed), \(named.name)")
      #expect(
        tensor.shape == (format.isTyped ? output.shape : [output.shape.elementCount]),
        "seed \(seed), \(named.name)")
      #expect(try tensor.bytes() == output.bytes(), "seed \(seed), \(named.name)")
      try tensor.source.verify()
    }
  }

  @Test(arguments: formats)
  func `tensors of all kinds are read as they were written`(format: Format) throws {
    for seed: UInt64 in 0..<40 {
      var random = SeededGenerator(seed: seed)
      try check(try Self.tensors(for: format, &random), format, seed)
    }
  }

  @Test(arguments: formats)
  func `many tensors, and one larger than a piece, are read as they were written`(
    format: Format
  ) throws {
    let bytes = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let source = MemoryBytes(bytes, location: Location(path: "memory"))
    var outputs = try (0..<1100).map {
      OutputTensor(name: "t\($0)", try Tensor(.float32, shape: [2], in: source, at: $0, name: "t"))
    }
    outputs.append(
      OutputTensor(name: "large", try Tensor(.float32, shape: [375_000], in: source, name: "large"))
    )
    try check(outputs, format, 0)
  }

  @Test(arguments: formats)
  func `a refused type or name leaves no file`(format: Format) throws {
    var random = SeededGenerator(seed: 1)
    let good = OutputTensor(name: "good", try Self.tensor(.float32, &random))
    for type in format.refusedTypes where type != .float64 && format.family != "wts" {
      let bad = OutputTensor(name: "bad", try Self.tensor(type, &random))
      let error = #expect(throws: WriteError.self) {
        _ = try TemporaryFile { try format.write([good, bad], $0, .all) }
      }
      #expect(error?.description.contains("'bad' is \(type.rawValue)") == true)
    }
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { try format.write([good, good], $0, .all) }
    }
    #expect(error?.description.contains("two tensors are called 'good'") == true)
  }
}
