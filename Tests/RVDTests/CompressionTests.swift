import Checkpoints
import Checksums
import Foundation
import RVD
import Tensors
import TestSupport
import Testing

/// Bytes of a frame of a compressed tensor.
private let frameBytes = 262_144

/// Elements whose last byte takes few values and whose others are random, as of weights; without elements
/// where `count` is 0.
func weightLike(
  _ name: String, _ type: ElementType, count: Int, seed: UInt64 = 1
) throws -> OutputTensor {
  var generator = SeededGenerator(seed: seed)
  var bytes = [UInt8](repeating: 0, count: count * type.byteCount)
  var random: UInt64 = 0
  for index in bytes.indices {
    if index % 8 == 0 { random = generator.next() }
    let byte = UInt8(truncatingIfNeeded: random >> UInt64(index % 8 * 8))
    bytes[index] = index % type.byteCount == type.byteCount - 1 ? 60 | byte & 3 : byte
  }
  return try tensor(name, type, [count], bytes)
}

/// All elements of a tensor to be written.
func elements(of tensor: OutputTensor) throws -> [UInt8] {
  try (tensor.contents as! Tensor).bytes()
}

@Suite struct CompressionTests {
  @Test(arguments: ElementType.allCases)
  func `tensors of every type and of sizes about a frame's come back`(type: ElementType) throws {
    let whole = frameBytes / type.byteCount
    let model = DeployModel(
      tensors: try [0, 1, 2, 15, 17, 33, 1000, whole - 1, whole, whole + 1, 2 * whole + 19].map {
        try weightLike("t\($0)", type, count: $0, seed: UInt64($0))
      }, someDescription)
    let (bytes, summary) = try write(model, compression: .fast)
    let file = try open(bytes)
    let raw = try write(model)
    #expect(summary.contentSHA256 == raw.summary.contentSHA256)
    #expect(summary.storedByteCount < summary.elementByteCount && bytes.count < raw.bytes.count)
    for (stored, given) in zip(file.storedTensors, model.tensors) {
      #expect(stored.storedByteCount <= stored.byteCount)
      #expect((stored.codec == "raw") == (stored.storedByteCount == stored.byteCount))
      #expect((stored.frames == nil) == (stored.codec == "raw"))
      #expect(
        try file.tensor(named: given.name).tensor.bytes() == elements(of: given), "\(given.name)")
    }
    #expect(file.storedTensors.count { $0.codec == "planes-zstd" } >= 4)
    // Raw again, and compressed again, to the bytes that they had.
    #expect(try write(file.deployModel).bytes == raw.bytes)
    #expect(try write(open(raw.bytes).deployModel, compression: .fast).bytes == bytes)
  }

  @Test(arguments: [ElementType.float32, .bfloat16, .int8, .float64])
  func `any range of a compressed tensor can be read`(type: ElementType) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("ranges seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let count = 3 * frameBytes / type.byteCount + 100
    let given = try weightLike("a", type, count: count)
    let expected = try elements(of: given)
    let file = try open(
      write(DeployModel(tensors: [given], someDescription), compression: .fast).bytes)
    let source = file.tensors[0].tensor.source
    func check(_ range: Range<Int>) throws {
      #expect(
        try source.bytes(range, field: "a range") == Array(expected[range]),
        "\(range), seed \(seed)")
    }
    for edge in [0, frameBytes, 2 * frameBytes, 3 * frameBytes, expected.count] {
      for start in [edge - 1, edge] where start >= 0 {
        for length in [0, 1, 2, frameBytes - 1, frameBytes, frameBytes + 1, 2 * frameBytes + 2]
        where start + length <= expected.count {
          try check(start..<start + length)
        }
      }
    }
    for _ in 0..<30 {
      let ends = [0, 1].map { _ in Int.random(in: 0...expected.count, using: &generator) }.sorted()
      try check(ends[0]..<ends[1])
    }
    try source.verify()
    #expect(throws: ReadError.self) {
      try source.bytes(expected.count..<expected.count + 1, field: "")
    }
  }

  @Test func `threads read a compressed tensor side by side`() throws {
    let given = try weightLike("a", .float16, count: 1_000_000)
    let expected = try elements(of: given)
    let file = try open(
      write(DeployModel(tensors: [given], someDescription), compression: .fast).bytes)
    let source = file.tensors[0].tensor.source
    let piece = 100_000
    try forEachIndex(below: 60, threads: Threads(4)) { index, _ in
      let start = index * 7919 % 19 * piece
      let found = try source.bytes(start..<start + piece, field: "a piece")
      #expect(found == Array(expected[start..<start + piece]))
    }
  }

  @Test(arguments: Compression.allCases)
  func `the same model gives the same bytes on any number of threads`(
    compression: Compression
  ) throws {
    /// Numbers in rows that do not end where frames do.
    struct Rows: TensorContents {
      let tensor: OutputTensor
      var granularity: Int { 777 }
      var pieceBytes: Int { 300_000 }
      func read(
        _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
      ) throws(ReadError) {
        precondition(range.lowerBound % 777 == 0)
        try unsafe tensor.contents.read(range, into: buffer, workspace: &workspace)
      }
    }
    let count = compression == .fast ? 777 * 1001 : 777 * 150
    var tensors = try [ElementType.float32, .bfloat16, .uint8].map {
      try weightLike("\($0)", $0, count: count)
    }
    for index in tensors.indices { tensors[index].contents = Rows(tensor: tensors[index]) }
    tensors.insert(try zeros("zeros", [1000, 100]), at: 1)
    tensors.append(try zeros("none", [0]))
    let model = DeployModel(tensors: tensors, someDescription)
    let expected = try write(model, compression: compression, threads: Threads(1))
    try open(expected.bytes)
    #expect(try expected.summary.contentSHA256 == write(model).summary.contentSHA256)
    for threads in 1...4 {
      #expect(
        try write(model, compression: compression, threads: Threads(threads)).bytes
          == expected.bytes)
    }
  }

  @Test func `what does not gain is stored as it is`() throws {
    var generator = SeededGenerator(seed: 7)
    let noise = (0..<700_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let tensors = try [ElementType.float32, .uint8, .int16, .complex128].map { type in
      try tensor(
        "\(type)", type, [noise.count / type.byteCount],
        Array(noise[..<(noise.count / type.byteCount * type.byteCount)]))
    }
    let model = DeployModel(
      tensors: tensors + [try zeros("zeros", [300_000]), tensors[0].named("again")], someDescription
    )
    let (bytes, _) = try write(model, compression: .fast)
    let file = try open(bytes)
    #expect(
      file.storedTensors.map(\.codec) == ["raw", "raw", "raw", "raw", "planes-zstd", "raw"])
    for given in tensors {
      #expect(try file.tensor(named: given.name).tensor.bytes() == elements(of: given))
    }
  }

  @Test(arguments: [0, 1, 300_000, 4_999_999])
  func `an error while a tensor is fetched ends the writing`(failsAt: Int) throws {
    let tensor = OutputTensor(
      name: "a", elementType: .uint8, shape: [5_000_000], contents: Failing(failsAt: failsAt))
    for threads in 1...2 {
      #expect(throws: Failing.error) {
        try write(
          DeployModel(tensors: [tensor], someDescription), compression: .fast,
          threads: Threads(threads))
      }
    }
  }
}

// MARK: Damage

/// Small files, one for each way in which tensors are stored.
private enum Variant: String, CaseIterable {
  case raw, float32, float16, bfloat16, int8

  func bytes(count: Int) throws -> [UInt8] {
    let type = self == .raw ? .float32 : ElementType(rawValue: rawValue)!
    var first = try weightLike("first", type, count: count).reshaped(to: [4, count / 4])
    if self == .int8 { first.scales = [0.5, 0.25, 1, 3] }
    return try write(
      DeployModel(
        tensors: [first, try weightLike("second", .float32, count: 5)], someDescription),
      compression: self == .raw ? nil : .fast
    ).bytes
  }
}

@Suite struct CompressedDamageTests {
  /// What of a file the byte at `index` belongs to, as errors name it.
  private func part(of file: RVDFile, at index: Int) -> String {
    if index < 64 { return "header" }
    for stored in file.storedTensors
    where (stored.offset..<stored.offset + stored.storedByteCount).contains(index) {
      return stored.name.text
    }
    let end = file.storedTensors.last.map { $0.offset + $0.storedByteCount }!
    return index < (end + 63) / 64 * 64 ? "padding" : "manifest"
  }

  private func part(namedBy error: ReadError) -> String {
    let place: Location
    switch error {
    case .malformed(let location, let expected, _, _):
      if expected.contains("padding") { return "padding" }
      place = location
    case .checksumMismatch(let location, _, _), .notACheckpoint(let location, _, _):
      place = location
    default: return "\(error)"
    }
    return place.member ?? (place.offset! < 64 ? "header" : "manifest")
  }

  @Test(arguments: Variant.allCases)
  fileprivate func `any byte that changes is found, and what it belongs to named`(
    variant: Variant
  ) throws {
    var bytes = try variant.bytes(count: 400)
    let file = try open(bytes)
    #expect((file.storedTensors[0].codec == "raw") == (variant == .raw))
    #expect(file.storedTensors.count == (variant == .int8 ? 3 : 2))
    for index in bytes.indices {
      let mask: UInt8 = index % 2 == 0 ? 255 : 1 << UInt8(index / 2 % 8)
      bytes[index] ^= mask
      let error = #expect(throws: ReadError.self, "byte \(index), bits \(mask)") { try open(bytes) }
      bytes[index] ^= mask
      if let error { #expect(part(namedBy: error) == part(of: file, at: index), "byte \(index)") }
    }
    try open(bytes)
  }

  @Test(arguments: Variant.allCases)
  fileprivate func `any bit of a larger file that changes is found`(variant: Variant) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("bits seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    var bytes = try variant.bytes(count: 3 * frameBytes / 4 + 400)
    let file = try open(bytes)
    for _ in 0..<40 {
      let index = Int.random(in: bytes.indices, using: &generator)
      let mask: UInt8 = 1 << UInt8.random(in: 0..<8, using: &generator)
      bytes[index] ^= mask
      let error = #expect(throws: ReadError.self, "seed \(seed)") { try open(bytes) }
      bytes[index] ^= mask
      if let error { #expect(part(namedBy: error) == part(of: file, at: index), "seed \(seed)") }
    }
  }

  /// A file of 200 elements of one byte, all 7, whose manifest is right but for what it is told to say.
  private func sevens(
    stored: [UInt8], frames: String? = nil, storedBytes: Int? = nil, more: String = "",
    codec: String = "planes-zstd", shape: String = "[200]", bytes: Int = 200
  ) throws -> [UInt8] {
    let content = try write(
      DeployModel(
        tensors: [tensor("a", .uint8, [200], [UInt8](repeating: 7, count: 200))], someDescription)
    ).summary.contentSHA256
    let padding = [UInt8](repeating: 0, count: (64 - stored.count % 64) % 64)
    let frames = frames ?? "\"frames\":[[\(stored.count)]],"
    return file(
      Array(
        """
        {"content":{"sha256":"\(content)"},"tensors":[{"bytes":\(bytes),"codec":"\(codec)",\
        "crc32":"\(CRC32(stored).value.hexadecimal)",\(frames)"name":"a","offset":64,\(more)\
        "shape":\(shape),"storedBytes":\(storedBytes ?? stored.count),"type":"uint8"}]}
        """.utf8), stored + padding)
  }

  private static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
  /// The last block of a frame: one byte, `count` times.
  private static func repeated(_ count: Int) -> [UInt8] {
    let header = 1 | 1 << 1 | count << 3
    return [0, 8, 16].map { UInt8(truncatingIfNeeded: header >> $0) } + [7]
  }

  @Test func `what is not one Zstandard frame of its size is refused, and its tensor named`() throws
  {
    let (magic, block) = (Self.magic, Self.repeated(200))
    let good = magic + [0x20, 200] + block
    try open(sevens(stored: good))
    try open(sevens(stored: [UInt8](repeating: 7, count: 200)))
    let wrong: [(stored: [UInt8], found: String)] = [
      (magic + [0x20, 199] + Self.repeated(199), "another size"),
      (magic + [0x20, 201] + Self.repeated(201), "another size"),
      (magic + [0x20, 200] + Self.repeated(100), "damaged data"),
      (magic + [0x20, 200] + Self.repeated(201), "damaged data"),
      (magic + [0x00, 0x00] + block, "another size"),
      (magic + [0x21, 5, 200] + block, "dictionary"),
      (good + [0], "one of 10 bytes in 11"), (good + good, "one of 10 bytes in 20"),
      (good.dropLast(), "damaged data"), (Array(good.prefix(1)), "damaged data"),
      ([0x27] + good.dropFirst(), "damaged data"),
      ([0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 7, 7], "another size"),
      ([UInt8](repeating: 7, count: 199), "damaged data"),
    ]
    for (stored, found) in wrong {
      let bytes = try sevens(stored: Array(stored))
      let error = #expect(throws: ReadError.self) { try open(bytes) }
      guard case .malformed(let place, let expected, let what, _)? = error else {
        Issue.record("\(String(describing: error)) instead of \(found)")
        continue
      }
      #expect(place == Location(path: "model.rvd", member: "a"))
      #expect(expected.contains("one Zstandard frame of 200 bytes"))
      #expect(what.contains(found), "\(what) instead of \(found)")
      // Nor can it be read, though its checksum is right.
      let file = try RVDFile(source: MemoryBytes(bytes, location: Location(path: "model.rvd")))
      let again = #expect(throws: ReadError.self) { try file.tensors[0].tensor.bytes() }
      #expect(again == error)
      try file.tensors[0].tensor.source.verify()
    }
  }

  @Test func `sizes that do not fit are refused before anything is made of them`() throws {
    let good = Self.magic + [0x20, 200] + Self.repeated(200)
    let wrong: [(bytes: [UInt8], expected: String)] = try [
      (sevens(stored: good, frames: "\"frames\":[],"), "frames ('a') in the manifest to be 1"),
      (sevens(stored: good, frames: "\"frames\":[[10],[10]],"), "frames ('a')"),
      (sevens(stored: good, frames: "\"frames\":[[5,5]],"), "frames ('a')"),
      (sevens(stored: good, frames: "\"frames\":[[0]],"), "1 sizes from 1 to 200 for frame 0"),
      (sevens(stored: good, frames: "\"frames\":[[201]],"), "1 sizes from 1 to 200 for frame 0"),
      (sevens(stored: good, frames: "\"frames\":[[9007199254740991]],"), "1 sizes from 1 to 200"),
      (sevens(stored: good, frames: "\"frames\":[[9]],"), "9, the sum of the planes"),
      (sevens(stored: good, frames: "\"frames\":[10],"), "an array of arrays of integers"),
      (sevens(stored: good, frames: "\"frames\":[[-1]],"), "an array of arrays of integers"),
      (sevens(stored: good, frames: ""), "the sizes of planes"),
      (sevens(stored: good, codec: "raw"), "200, as the codec is raw"),
      (
        sevens(
          stored: [UInt8](repeating: 7, count: 200), frames: "\"frames\":[[200]],", codec: "raw"),
        "absent, as the codec is raw"
      ),
      (
        sevens(stored: good, shape: "[4503599627370496]", bytes: 4_503_599_627_370_496),
        "17179869184, for 4503599627370496 bytes"
      ),
      (sevens(stored: good, more: "\"scales\":0,"), "absent, but for int8"),
    ]
    for (bytes, expected) in wrong {
      let error = #expect(throws: ReadError.self) { try open(bytes) }
      #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    }
  }
}

extension OutputTensor {
  fileprivate func named(_ name: Name) -> OutputTensor {
    var tensor = self
    tensor.name = name
    return tensor
  }
}
