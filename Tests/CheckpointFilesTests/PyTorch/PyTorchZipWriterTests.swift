import Checkpoints
import Checksums
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct PyTorchZipWriterTests {
  private static func tensor(
    _ type: ElementType, _ shape: Shape, strides: [Int]? = nil, order: ByteOrder = .little
  ) throws -> Tensor {
    let bytes = (0..<512).map { UInt8(truncatingIfNeeded: $0 * 7) }
    return try Tensor(
      type, shape: shape, strides: strides, byteOrder: order,
      in: MemoryBytes(bytes, location: Location(path: "memory")), name: "test")
  }

  /// One tensor of every element type that can be written, and of every kind of shape.
  private static func samples() throws -> [OutputTensor] {
    var samples: [OutputTensor] = []
    for type in ElementType.allCases where TorchStorageClass.name(of: type) != nil {
      samples.append(OutputTensor(name: type.rawValue, try tensor(type, [2, 3])))
    }
    samples += [
      OutputTensor(name: "scalar", try tensor(.float32, [])),
      OutputTensor(name: "empty", try tensor(.float32, [0, 3])),
      OutputTensor(
        name: "channels_last", try tensor(.float32, [2, 3, 2, 2], strides: [12, 1, 6, 3])),
      OutputTensor(name: "expanded", try tensor(.int64, [3, 2], strides: [0, 1])),
      OutputTensor(name: "big_endian", try tensor(.float16, [150], order: .big)),
      OutputTensor(name: "schlüssel.weight", try tensor(.bool, [100])),
    ]
    return samples
  }

  @Test func `what is written reads as it was`() throws {
    let samples = try Self.samples()
    let written = try TemporaryFile { try PyTorchZipWriter.write(samples, to: $0) }
    let checkpoint = try readCheckpoint(path: written.path)
    #expect(checkpoint.container == "PyTorch zip" && checkpoint.notes == [])
    #expect(checkpoint.globals.filter { !$0.isExpected }.isEmpty)
    let tensors = try #require(checkpoint.stateDicts.first).tensors
    try #require(tensors.map(\.name) == samples.map(\.name))
    var workspace = Workspace()
    for (named, sample) in zip(tensors, samples) {
      #expect(named.tensor.elementType == sample.elementType)
      #expect(named.tensor.shape == sample.shape && named.tensor.isContiguous)
      var expected = [UInt8](repeating: 0, count: sample.byteCount)
      try unsafe expected.withUnsafeMutableBytes {
        try unsafe sample.contents.read(
          0..<sample.shape.elementCount, into: $0, workspace: &workspace)
      }
      let bytes = try named.tensor.bytes()
      #expect(bytes == expected, "\(named.name)")
      try named.tensor.source.verify()
    }
  }

  @Test func `the members are PyTorch's`() throws {
    let written = try TemporaryFile { file in
      try PyTorchZipWriter.write(
        [OutputTensor(name: "w", try Self.tensor(.float32, [2]))], to: file)
    }
    let archive = try ZipArchive(try InputFile(path: written.path))
    #expect(
      archive.members.map(\.name) == [
        "archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/version",
      ])
    #expect(archive.members.allSatisfy { $0.payloadOffset.isMultiple(of: 64) })
    let version = try archive.contents(of: try #require(archive.member("archive/version")))
    #expect(try version.allBytes() == Array("3\n".utf8))
  }

  private static let description: ModelDescription = {
    var metadata = ModelMetadata()
    metadata.license = "MIT"
    metadata.labels = ["zéro", "one"]
    return ModelDescription(classes: 2, metadata: metadata)
  }()

  @Test func `what is known of the network is one more member`() throws {
    let samples = try Self.samples()
    let plain = try TemporaryFile { try PyTorchZipWriter.write(samples, to: $0) }
    let written = try TemporaryFile {
      try PyTorchZipWriter.write(samples, to: $0, description: Self.description)
    }
    let (without, with) = (
      try ZipArchive(try InputFile(path: plain.path)),
      try ZipArchive(try InputFile(path: written.path))
    )
    // Before the version and behind everything else, which is where it was.
    let count = without.members.count
    #expect(
      with.members.map(\.name)
        == without.members.dropLast().map(\.name) + [
          "archive/extra/repconv.json", "archive/version",
        ])
    #expect(
      with.members.prefix(count - 1).map(\.payloadOffset)
        == without.members.prefix(count - 1).map(\.payloadOffset))
    let member = with.members[count - 1]
    #expect(!member.isDeflated && member.crc != nil && member.payloadOffset.isMultiple(of: 64))
    let text = try with.contents(of: member).allBytes()
    #expect(
      String(decoding: text, as: UTF8.self)
        == #"{"classes":2,"metadata":{"labels":["zéro","one"],"license":"MIT"},"version":1}"#)

    let checkpoint = try readCheckpoint(path: written.path)
    #expect(checkpoint.model == Self.description && checkpoint.notes == [])
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == samples.map(\.name))
    let again = try TemporaryFile {
      try PyTorchZipWriter.write(samples, to: $0, description: Self.description)
    }
    #expect(
      try InputFile(path: again.path).allBytes() == InputFile(path: written.path).allBytes())
  }

  @Test func `a description that says nothing which the file could carry leaves no trace`() throws {
    let samples = try Self.samples()
    let plain = try TemporaryFile { try PyTorchZipWriter.write(samples, to: $0) }
    let digest = String(repeating: "0", count: 64)
    let written = try TemporaryFile {
      try PyTorchZipWriter.write(
        samples, to: $0, description: ModelDescription(contentSHA256: digest))
    }
    #expect(
      try InputFile(path: plain.path).allBytes() == InputFile(path: written.path).allBytes())
  }

  @Test func `a description that breaks a rule is refused`() throws {
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile {
        try PyTorchZipWriter.write([], to: $0, description: ModelDescription(classes: 0))
      }
    }
    guard case .cannotExpress(_, let what, _) = error else { return }
    #expect(
      what
        == "the description of the network cannot be stored: classes: expected at least 1, found 0")
  }

  @Test func `more tensors than Python sets in one go are written`() throws {
    let one = try Self.tensor(.int8, [1])
    let samples = (0..<2500).map { OutputTensor(name: "t\($0)", one) }
    let written = try TemporaryFile { try PyTorchZipWriter.write(samples, to: $0) }
    let checkpoint = try readCheckpoint(path: written.path)
    #expect(checkpoint.stateDicts.first?.tensors.map(\.name) == samples.map(\.name))
  }

  @Test(arguments: [ElementType.uint16, .uint32, .uint64, .float8e4m3fn, .float8e5m2])
  func `an element type without a storage class is refused`(type: ElementType) throws {
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { file in
        try PyTorchZipWriter.write([OutputTensor(name: "w", try Self.tensor(type, [2]))], to: file)
      }
    }
    guard case .cannotExpress(_, let what, _) = error else { return }
    #expect(
      what == "'w' is \(type.rawValue), which .pth files have no storage class for")
  }

  @Test func `the same tensors give the same bytes`() throws {
    let samples = try Self.samples()
    let written = try TemporaryFile { try PyTorchZipWriter.write(samples, to: $0) }
    let bytes = try InputFile(path: written.path).allBytes()
    var hash = SHA256()
    hash.update(bytes)
    #expect(
      hash.finalize().hexadecimal
        == "81f810ee7e951cb4b0c1766f745d4a18512a88ddb4aae432532675c9416d662d")
  }
}
