import CheckpointFiles
import Checkpoints
import Conversion
import Naming
import RVD
import Tensors
import TestSupport
import Testing

@Suite struct DigestTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// Several types, ranks and names; their digest is hashlib's, of the bytes that formats/rvd.md lists:
  ///
  ///     def d(name, type, shape, data): return sha256(b"".join([
  ///       pack("<Q", len(name.encode())), name.encode(), pack("<Q", len(type)), type.encode(),
  ///       pack("<Q", len(shape)), *[pack("<Q", s) for s in shape], data])).digest()
  ///     sha256(b"".join(d(*t) for t in sorted(tensors, key=lambda t: t[0].encode()))).hexdigest()
  static let expected = "bfce95e1db5db25f99c7862d6569d15da000913c2f54f01eea5ea001bc3c9247"

  static func tensors() throws -> [NamedTensor] {
    func tensor(
      _ name: String, _ type: ElementType, _ shape: Shape, _ bytes: [UInt8]
    ) throws -> NamedTensor {
      let source = MemoryBytes(bytes, location: Location(path: "memory"))
      return NamedTensor(name, try Tensor(type, shape: shape, in: source, name: name))
    }
    func bytes(_ floats: [Float]) -> [UInt8] {
      floats.flatMap { float in
        (0..<4).map { UInt8(truncatingIfNeeded: float.bitPattern >> (8 * $0)) }
      }
    }
    return [
      try tensor("é.weight", .float32, [2, 3], bytes([1, -2, 0.5, 4, 0, 1e-3])),
      try tensor("b", .int64, [], [7, 0, 0, 0, 0, 0, 0, 0]),
      try tensor("a.bias", .float16, [2], [0x00, 0x3E, 0x00, 0xB4]),
      try tensor("mask", .bool, [3], [1, 0, 1]),
      try tensor("none", .float32, [0, 4], []),
    ]
  }

  @Test func `the digest is that of the specification, in any format and order`() throws {
    let tensors = try Self.tensors()
    #expect(try contentDigest(of: tensors) == Self.expected)
    #expect(try contentDigest(of: tensors.reversed(), threads: Threads(1)) == Self.expected)
    let outputs = tensors.map { OutputTensor(name: $0.name, $0.tensor) }
    func write(_ name: String, _ write: (OutputFile) throws -> Void) throws {
      let file = try OutputFile(path: folder.file(name), replace: false)
      try write(file)
      try file.commit()
      let report = try digest(folder.file(name))
      #expect(report.contentDigest == Self.expected, "\(name)")
      #expect(report.tensors == 5 && report.path == folder.file(name) && report.stateDict == "")
    }
    try write("a.rvd") { _ = try RVDWriter.write(DeployModel(tensors: outputs, .init()), to: $0) }
    try write("a.pth") { try PyTorchZipWriter.write(outputs, to: $0) }
    try write("a.safetensors") { try SafetensorsWriter.write(outputs, to: $0) }
    try write("a.npz") { try NPZWriter.write(outputs, to: $0) }
    try write("a.h5") { try HDF5Writer.write(outputs, to: $0) }
  }

  @Test func `elements count as they are in the state dict, not as they are stored`() throws {
    // Tensors in another memory order, and tensors that share their storage.
    let plain = try digest(Fixtures.path("PyTorch/plain-train.pth"))
    for name in ["plain-channels-last.pth", "plain-legacy.pth", "plain-shared-storage.pth"] {
      let path = Fixtures.path("PyTorch/\(name)")
      let tensors = try openCheckpoint(path).stateDicts[0].tensors
      let copies = try tensors.map { named in
        let source = MemoryBytes(try named.tensor.bytes(), location: Location(path: "memory"))
        return NamedTensor(
          named.name,
          try Tensor(
            named.tensor.elementType, shape: named.tensor.shape, in: source, name: named.name))
      }
      #expect(try digest(path).contentDigest == contentDigest(of: copies), "\(name)")
    }
    #expect(
      try digest(Fixtures.path("PyTorch/plain-channels-last.pth")).contentDigest
        == plain.contentDigest)
  }

  @Test func `which state dict is meant must be clear`() throws {
    let path = Fixtures.path("PyTorch/plain-swin-style.pth")
    #expect(throws: NamingError.self) { try digest(path) }
    #expect(throws: NamingError.self) { try digest(path, key: "none") }
    let keys = try openCheckpoint(path).stateDicts.map { $0.path.joined(separator: ".") }
    #expect(keys.count == 2)
    for key in keys { #expect(try digest(path, key: key.text).stateDict == key) }
  }

  @Test func `a manifest with another digest is an error`() throws {
    let outputs = try Self.tensors().map { OutputTensor(name: $0.name, $0.tensor) }
    let file = try OutputFile(path: folder.file("a.rvd"), replace: false)
    _ = try RVDWriter.write(DeployModel(tensors: outputs, .init()), to: file)
    try file.commit()
    var bytes = try folder.read("a.rvd")
    let digits = Array(Self.expected.utf8)
    let place = try #require(
      bytes.indices.first { bytes[$0...].starts(with: digits) })
    bytes[place] = UInt8(ascii: "c")
    let start = Int(bytes[24]) | Int(bytes[25]) << 8
    func store(_ number: UInt32, at place: Int) {
      for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
    }
    store(crc32(bytes[start...]), at: 40)
    store(crc32(bytes[..<60]), at: 60)
    try folder.write(bytes, to: "b.rvd")
    let error = #expect(throws: ReadError.self) { try digest(folder.file("b.rvd")) }
    #expect(error?.isCorruption == true)
    #expect(error?.description.contains("found tensors with \(Self.expected)") == true)
  }

  /// zlib's, bit by bit.
  private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1) * 0xEDB8_8320 }
    }
  }
}
