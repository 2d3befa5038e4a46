import Checkpoints
import Checksums
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct SafetensorsFileTests: SafetensorsSamples {
  // What the library writes.

  @Test func `a trained network is as NumPy knows it`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("Safetensors/plain-train.safetensors"))
    #expect(checkpoint.family == "safetensors" && checkpoint.container == "safetensors")
    #expect(checkpoint.notes == [])
    let dict = try #require(checkpoint.stateDicts.first)
    #expect(checkpoint.stateDicts.count == 1 && dict.path == [])
    #expect(
      dict.ignored.map { "\($0.name): \($0.what)" } == ["__metadata__: 1 string (format: pt)"])
    let rows = try Fixtures.table("PyTorch/states.tsv").filter { $0[0] == "plain" }
    let tensors = Dictionary(uniqueKeysWithValues: dict.tensors.map { ($0.name, $0.tensor) })
    #expect(tensors.count == rows.count)
    for row in rows {
      let tensor = try #require(tensors[row[1]], "\(row[1])")
      #expect(tensor.elementType.rawValue == row[2] && tensor.shape.description == row[3])
      var hash = SHA256()
      hash.update(try tensor.bytes())
      #expect(hash.finalize().hexadecimal == row[4], "\(row[1])")
    }
  }

  @Test func `every type and kind of shape is as the library loads it`() throws {
    let rows = try Fixtures.table("Safetensors/tensors.tsv")
    let checkpoint = try readCheckpoint(path: Fixtures.path("Safetensors/types.safetensors"))
    #expect(checkpoint.notes == ["One of the tensors has an empty name."])
    let dict = try #require(checkpoint.stateDicts.first)
    try expect(
      dict, holds: rows.filter { $0[0] == "types.safetensors" }.map { Array($0.dropFirst()) })
  }

  @Test(arguments: [
    ("{}", "0 strings"), ("{\"a\":\"\\u00e9\"}", "1 string (a: é)"),
    (
      "{\"a\":\"\",\"b\":\"2\",\"c\":\"\\u001b[0m\",\"d\":\"\"}",
      "4 strings (a: , b: 2, c: \\u{1b}[0m, ...)"
    ),
  ])
  func `metadata are listed`(json: String, what: String) throws {
    let header = "{\"__metadata__\":\(json),\(Self.entry())}"
    let ignored = try Self.read(Self.file(header, data: 8)).stateDicts[0].ignored
    #expect(ignored.map { "\($0.name): \($0.what)" } == ["__metadata__: \(what)"])
  }

  @Test func `a shared tensor that the library left out is there under both names`() throws {
    var rows = try Fixtures.table("Safetensors/tensors.tsv").filter {
      $0[0] == "shared.safetensors"
    }
    .map { Array($0.dropFirst()) }
    let weight = try #require(rows.first { $0[0] == "first.weight" })
    rows.append(["second.weight"] + weight.dropFirst())
    let checkpoint = try readCheckpoint(path: Fixtures.path("Safetensors/shared.safetensors"))
    try expect(checkpoint.stateDicts[0], holds: rows)
    #expect(
      checkpoint.notes == [
        "Tensors that are others, as the metadata say (1): 'second.weight' is 'first.weight'."
      ])
  }

  @Test(arguments: [
    ("float4_e2m1fn_x2", "F4"), ("float8_e4m3fnuz", "F8_E4M3FNUZ"),
    ("float8_e5m2fnuz", "F8_E5M2FNUZ"), ("float8_e8m0fnu", "F8_E8M0"),
  ])
  func `a type that is not read is named`(type: String, dtype: String) throws {
    let name = "Safetensors/type-\(type).safetensors"
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: Fixtures.path(name)) }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        \(name) at byte 9: 'w' has the dtype \(dtype), which is not read.
          Save it again in a wider type, such as float32.
        """)
  }

  // Telling them from other files.

  @Test(arguments: [
    "{}", " {\"a\"", "\n{ \"a\"", "{", "{ }", "\u{FEFF}{\"a\"",
  ])
  func `a file with a header is recognised, also where it is not quite right`(header: String) {
    #expect(SafetensorsFile.matches(Self.file(header)))
  }

  @Test(arguments: [0x0280, 0x0480, 0x717D, 0x705D])
  func `a length that looks like a pickle is none`(length: Int) throws {
    let header = "{}" + String(repeating: " ", count: length - 2)
    let written = try TemporaryFile(Self.file(header))
    #expect(try readCheckpoint(path: written.path).family == "safetensors")
  }

  @Test(
    arguments: [
      [], [2, 0, 0, 0, 0, 0, 0, 0], Array("{\"error\": \"{\"}".utf8),
      [2, 0, 0, 0, 0, 0, 0, 1] + Array("{}".utf8), [2, 0, 0, 0, 0, 0, 0, 0] + Array("{1".utf8),
      [0x80, 2, 0x58, 0x0A, 0, 0, 0] + Array("x{\"a\": 1}\n.".utf8),
    ] as [[UInt8]])
  func `other files are not taken for one`(bytes: [UInt8]) {
    #expect(!SafetensorsFile.matches(bytes))
  }

  @Test func `an unaligned tensor has its bytes`() throws {
    let header =
      "{\(Self.entry("b", offsets: "[1,9]")),"
      + "\(Self.entry("a", dtype: "\"U8\"", shape: "[1]", offsets: "[0,1]"))}"
    let tensors = try Self.read(Self.file(header, data: 9)).stateDicts[0].tensors
    #expect(tensors.map(\.name) == ["a", "b"])  // as the data, not as the header
    #expect(try tensors[1].tensor.bytes() == [1, 2, 3, 4, 5, 6, 7, 8])
  }

  @Test func `names that look the same but are not are two`() throws {
    let header = "{\(Self.entry("é")),\(Self.entry("e\u{301}", offsets: "[8,16]"))}"
    let tensors = try Self.read(Self.file(header, data: 16)).stateDicts[0].tensors
    #expect(tensors.map { $0.name.utf8.count } == [2, 3])
  }
}
