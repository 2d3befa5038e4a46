import Checkpoints
import Checksums
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct PyTorchTests {
  /// The state dict at a dotted path.
  static func stateDict(_ checkpoint: Checkpoint, _ path: String) throws -> StateDict {
    try #require(checkpoint.stateDicts.first { $0.path.joined(separator: ".") == path })
  }

  @Test(arguments: [
    ("plain-train.pth", "plain", "", ""),
    ("plain-zip-torch1.13.pth", "plain", "", ""),
    ("plain-legacy.pth", "plain", "", ""),
    ("plain-legacy-torch1.13.pth", "plain", "", ""),
    ("plain-channels-last.pth", "plain", "", ""),
    ("plain-shared-storage.pth", "plain", "", ""),
    ("plain-compiled.pth", "plain", "", "_orig_mod."),
    ("plain-lightning.ckpt", "plain", "state_dict", "model.backbone."),
    ("plain-half.pth", "plain-half", "", ""),
    ("plain-bfloat16.pth", "plain-bfloat16", "", ""),
    ("plain-whole-module.pth", "plain", "", ""),
    ("g2-train.pth", "g2", "", ""),
    ("g2-zip-torch1.13.pth", "g2", "", ""),
    ("g2-legacy-torch1.13.pth", "g2", "", ""),
    ("g4-train.pth", "g4", "", ""),
    ("se-train.pth", "se", "", ""),
  ])
  func `every tensor has the name, place and bytes that NumPy knows`(
    file: String, state: String, path: String, prefix: String
  ) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("PyTorch/\(file)"))
    #expect(checkpoint.family == "pytorch")
    let expected = try! Fixtures.table("PyTorch/states.tsv").filter { $0[0] == state }
    let dict = try Self.stateDict(checkpoint, path)
    try #require(dict.tensors.map(\.name) == expected.map { prefix + $0[1] })
    for (named, row) in zip(dict.tensors, expected) {
      #expect(named.tensor.elementType.rawValue == row[2])
      #expect(named.tensor.shape.description == row[3])
      var hash = SHA256()
      hash.update(try named.tensor.bytes())
      #expect(hash.finalize().hexadecimal == row[4], "\(named.name)")
      try named.tensor.source.verify()
    }
  }

  @Test(arguments: Dictionary(grouping: tables, by: \.[0]).sorted { $0.key < $1.key }.map(\.value))
  func `tensors read as PyTorch reads them`(rows: [[String]]) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("\(rows[0][0])"))
    for (path, rows) in Dictionary(grouping: rows, by: \.[1]) {
      let dict = try Self.stateDict(checkpoint, path)
      try #require(dict.tensors.map(\.name) == rows.map { $0[2] })
      for (named, row) in zip(dict.tensors, rows) {
        #expect(named.tensor.elementType.rawValue == row[3])
        #expect(named.tensor.shape.description == row[4])
        #expect(try named.tensor.bytes().hexadecimal == row[5], "\(named.name)")
        try named.tensor.source.verify()
      }
    }
  }

  /// What the generators of two folders say of their files.
  private static let tables =
    try! Fixtures.table("TorchArchives/tensors.tsv").map {
      ["TorchArchives/" + $0[0]] + $0.dropFirst()
    }
    + ["1.6", "1.13", "2.15"].flatMap { version in
      try! Fixtures.table("TorchFiles/tensors-\(version).tsv").map {
        ["TorchFiles/" + $0[0]] + $0.dropFirst()
      }
    }

  @Test(arguments: try! Fixtures.table("TorchArchives/refusals.tsv"))
  func `a file that contradicts itself or has no weights is refused`(row: [String]) throws {
    let error = #expect(throws: ReadError.self) {
      _ = try readCheckpoint(path: Fixtures.path("TorchArchives/\(row[0])"))
    }
    #expect(
      Fixtures.description(of: try #require(error))
        == "TorchArchives/\(row[0])\(row[1])\n  \(row[2])")
  }

  /// A storage inside a byte string takes as long to find as its pickles are long, and the pickle
  /// around them may refer to it as often as it likes.
  @Test func `a storage inside is looked for once, however many tensors share it`() throws {
    let inside =
      "\u{80}\u{2}\u{8A}\u{A}\u{6C}\u{FC}\u{9C}\u{46}\u{F9}\u{20}\u{6A}\u{A8}\u{50}\u{19}.I1001\n.}."
      + "(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI2\nNtQ.(S'0'\nl.\u{2}"
      + String(repeating: "\u{0}", count: 7) + "\u{0}\u{0}\u{80}?\u{0}\u{0}\u{0}@"
    var stream =
      "\u{80}\u{2}U".latin1 + [UInt8(inside.latin1.count)] + inside.latin1 + "p0\n0(".latin1
    for name in ["a", "b", "c"] {
      stream +=
        """
        S'\(name)'
        ctorch._utils
        _rebuild_tensor
        (ctorch.storage
        _load_from_bytes
        (g0
        tRI0
        (I2
        t(I1
        ttR
        """.latin1
    }
    let file = try TemporaryFile(stream + "d.".latin1)
    let tensors = try readCheckpoint(path: file.path).stateDicts[0].tensors.map(\.tensor)
    #expect(tensors.count == 3)
    for tensor in tensors {
      #expect(try tensor.bytes() == [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
      #expect(tensor.source === tensors[0].source)
    }
  }

  @Test(arguments: [
    ("PyTorch/plain-train.pth", "PyTorch zip"),
    ("TorchFiles/zip-protocol4-2.15.pth", "PyTorch zip (protocol 4)"),
    ("PyTorch/plain-legacy.pth", "PyTorch legacy"),
    ("TorchFiles/legacy-protocol5-1.13.pth", "PyTorch legacy (protocol 5)"),
    ("TorchFiles/plain-protocol3-2.15.pkl", "PyTorch pickle (protocol 3)"),
  ])
  func `the container is named`(file: String, container: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path(file))
    #expect(checkpoint.container == container)
    #expect(checkpoint.notes == [])
    let count = try InputFile(path: Fixtures.path(file)).count
    #expect(checkpoint.byteCount == count)
  }

  @Test(arguments: [
    (
      "sound-legacy-trailing-bytes.pth",
      "9 bytes follow the last storage and were left alone."
    ),
    (
      "sound-legacy-big-endian.pth",
      "The file says that a big-endian machine wrote it; its numbers are little-endian all the same."
    ),
    (
      "sound-module-bound-method.pth",
      "'state_dict' was saved without calling state_dict(): it holds the method, and with it the "
        + "whole module. The module's tensors were taken."
    ),
  ])
  func `what is harmless but odd is noted`(file: String, note: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("TorchArchives/\(file)"))
    #expect(checkpoint.notes == [note])
  }

  @Test func `storages that nothing refers to are noted`() throws {
    let bytes = try InputFile(path: Fixtures.path("TorchArchives/sound-training.pth")).allBytes()
    // The pickle's reference to storage "0" becomes one to "9", in a copy of the archive without CRCs.
    var archive = bytes
    let sound = try ZipArchive(MemoryBytes(bytes, location: Location(path: "a.pth")))
    #expect(try PyTorchZip.read(sound).notes == [])
    let member = try #require(sound.members.last { $0.name == "archive/version" })
    let old = Array("archive/version".utf8)
    let new = Array("archive/data/99".utf8)
    for index in bytes.indices where bytes[index...].starts(with: old) {
      archive.replaceSubrange(index..<index + old.count, with: new)
    }
    #expect(member.size == 2)
    let renamed = try ZipArchive(MemoryBytes(archive, location: Location(path: "a.pth")))
    #expect(
      try PyTorchZip.read(renamed).notes == [
        "1 members hold storages that data.pkl does not refer to."
      ])
  }

  @Test(arguments: [
    "module-1.13.pth", "module-2.15.pth", "module-legacy-1.13.pth", "module-legacy-2.15.pth",
  ])
  func `whole modules tell what state dicts leave out`(file: String) throws {
    let dict = try Self.stateDict(readCheckpoint(path: Fixtures.path("TorchFiles/\(file)")), "")
    #expect(Set(dict.modules.keys) == ["", "conv", "bn", "same", "again"])
    #expect(dict.modules[""]?.className == "__main__.Net")
    let conv = try #require(dict.modules["conv"])
    #expect(conv.className == "torch.nn.modules.conv.Conv2d")
    #expect(conv.stride == [2, 1] && conv.padding == [1, 1] && conv.dilation == [1, 1])
    #expect(conv.groups == 2)
    #expect(dict.modules["again"] == conv)
    #expect(conv.epsilon == nil)
    #expect(dict.modules["bn"]?.epsilon == 1e-3)
    #expect(dict.modules["bn"]?.stride == nil)
    // One-dimensional, and padded as much as it takes.
    #expect(dict.modules["same"]?.stride == nil && dict.modules["same"]?.padding == nil)
    #expect(dict.ignored.isEmpty)
  }

  @Test func `every name in the pickle is reported, and nothing is called`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("TorchArchives/sound-training.pth"))
    let unexpected = checkpoint.globals.filter { !$0.isExpected }
    #expect(unexpected.map(\.name) == ["argparse.Namespace", "os.system", "yacs.config.CfgNode"])
    #expect(unexpected.map(\.calls) == [1, 1, 1])
    let module = try readCheckpoint(
      path: Fixtures.path("TorchArchives/sound-module-bound-method.pth"))
    #expect(module.globals.first { $0.name == "builtins.getattr" }?.isExpected == true)
  }

  @Test func `the oldest known legacy file reads`() throws {
    // By PyTorch 1.3.0: {"w": torch.tensor([1.0, 2.0])}.
    let hex = """
      80028a0a6cfc9c46f9206aa850192e80024de9032e80027d710028581000000070726f746f636f6c5f7665727369\
      6f6e71014de903580d0000006c6974746c655f656e6469616e710288580a000000747970655f73697a657371037d\
      710428580500000073686f727471054b025803000000696e7471064b0458040000006c6f6e6771074b0475752e80\
      027d7100580100000077710163746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a71\
      022828580700000073746f72616765710363746f7263680a466c6f617453746f726167650a7104580e0000003933\
      383238353630363532313736710558030000006370757106\
      4b024e747107514b004b028571084b018571098963636f6c6c656374696f6e730a4f726465726564446963740a71\
      0a2952710b74710c52710d732e80025d7100580e00000039333832383536303635323137367101612e0200000000\
      0000000000803f00000040
      """
    let digits = Array(hex)
    let bytes = stride(from: 0, to: digits.count, by: 2).map {
      UInt8(String(digits[$0..<$0 + 2]), radix: 16)!
    }
    let checkpoint = try PyTorchLegacy.read(MemoryBytes(bytes, location: Location(path: "old.pth")))
    let tensor = try #require(checkpoint.stateDicts.first?.tensors.first).tensor
    #expect(tensor.shape == [2] && tensor.elementType == .float32)
    #expect(try tensor.bytes() == [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])

    for length in 0..<bytes.count {
      #expect(throws: ReadError.self) {
        try PyTorchLegacy.read(
          MemoryBytes(Array(bytes.prefix(length)), location: Location(path: "old.pth")))
      }
    }
  }

  /// All tensors of a file in memory, read and verified.
  private static func contents(_ bytes: [UInt8], isZip: Bool) throws -> [String: [UInt8]] {
    let source = MemoryBytes(bytes, location: Location(path: "memory.pth"))
    let checkpoint = try isZip ? PyTorchZip.read(ZipArchive(source)) : PyTorchLegacy.read(source)
    var contents: [String: [UInt8]] = [:]
    for dict in checkpoint.stateDicts {
      for named in dict.tensors {
        contents[named.name] = try named.tensor.bytes()
        try named.tensor.source.verify()
      }
    }
    return contents
  }

  @Test(arguments: [
    ("zip-protocol2-1.13.pth", true), ("zip-protocol4-2.15.pth", true),
    ("legacy-protocol2-1.13.pth", false), ("legacy-protocol4-2.15.pth", false),
    ("module-legacy-2.15.pth", false),
  ])
  func `a file cut short anywhere is refused`(file: String, isZip: Bool) throws {
    let bytes = try InputFile(path: Fixtures.path("TorchFiles/\(file)")).allBytes()
    for length in 0..<bytes.count {
      #expect(throws: ReadError.self, "\(length) bytes") {
        try Self.contents(Array(bytes.prefix(length)), isZip: isZip)
      }
    }
  }

  @Test(arguments: [
    ("zip-protocol2-1.13.pth", true), ("zip-protocol2-2.15.pth", true),
    ("legacy-protocol2-1.13.pth", false), ("module-legacy-2.15.pth", false),
  ])
  func `damage never traps, and in an archive never changes a tensor`(
    file: String, isZip: Bool
  ) throws {
    let bytes = try InputFile(path: Fixtures.path("TorchFiles/\(file)")).allBytes()
    let sound = try Self.contents(bytes, isZip: isZip)
    var random = SeededGenerator(seed: 1)
    for index in bytes.indices {
      let flip = UInt8.random(in: 1...255, using: &random)
      var damaged = bytes
      damaged[index] ^= flip
      do {
        let contents = try Self.contents(damaged, isZip: isZip)
        #expect(!isZip || contents == sound, "byte \(index), flip \(flip)")
      } catch is ReadError {}
    }
  }
}
