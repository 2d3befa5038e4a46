import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct FileFormatTests {
  /// A header of a tar archive, and the contents of the member.
  private static func tar(_ name: String, _ contents: [UInt8] = []) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    header.replaceSubrange(0..<name.utf8.count, with: name.utf8)
    let size = String(contents.count, radix: 8)
    header.replaceSubrange(124..<124 + size.utf8.count, with: size.utf8)
    header.replaceSubrange(257..<262, with: "ustar".utf8)
    return header + contents + [UInt8](repeating: 0, count: (512 - contents.count % 512) % 512)
  }

  @Test(
    arguments: [
      ([], "the file is empty"),
      (
        Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 493000000\n".utf8),
        "the file is a Git LFS pointer to a file of 493000000 bytes, not the file itself"
      ),
      (Array("<!DOCTYPE html><html><body>Quota exceeded".utf8), "the file is a web page"),
      (Array("\n <html>".utf8), "the file is a web page"),
      (Array("{\"error\": \"not found\"}".utf8), "the file is JSON text"),
      (Array("404: Not Found\n".utf8), "the file is text"),
      (Array("cannot find\nthe file\nyou named".utf8), "the file is text"),
      ([0x1F, 0x8B, 0x08, 0x00], "the file is compressed with gzip"),
      ([0x78, 0x9C, 0x01], "the file is compressed with zlib, as joblib.dump(compress=...) does"),
      (Array("BZh91AY".utf8), "the file is compressed with bzip2"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "the file is compressed with xz"),
      ([0x28, 0xB5, 0x2F, 0xFD], "the file is compressed with Zstandard"),
      ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "the file is compressed with 7-Zip"),
      (
        [UInt8](repeating: 0, count: 100) + [0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB],
        "the file is the index of a TensorFlow checkpoint, whose weights are in files beside it"
      ),
      (
        Array("PYTORCH1".utf8),
        "the file is in a preview of PyTorch's zip format that no release reads"
      ),
      ([8, 0, 0, 0] + Array("PTMF".utf8), "the file is a TorchScript module for mobile devices"),
      ([28, 0, 0, 0] + Array("TFL3".utf8), "the file is a TensorFlow Lite model"),
      (Array("GGUF".utf8) + [3, 0, 0, 0], "the file is a GGUF model"),
      ([0x50, 0x4B, 0x05, 0x06] + [UInt8](repeating: 0, count: 18), "the zip archive is empty"),
      (
        tar("./@PaxHeader", [1, 2, 3]) + tar("./storages"),
        "the file is in the tar format of PyTorch before 0.1.11"
      ),
      (tar("checkpoint.pth"), "the file is a tar archive"),
      (
        [0xDE, 0xAD, 0xBE, 0xEF, 0, 1, 2, 3, 4],
        "the file is of no known kind (it starts with the bytes de ad be ef 00 01 02 03)"
      ),
    ] as [([UInt8], String)])
  func `a file that is no checkpoint is called what it is`(bytes: [UInt8], what: String) throws {
    let file = try TemporaryFile(bytes)
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: file.path) }
    switch try #require(error) {
    case .notACheckpoint(let place, let found, _), .unsupported(let place, let found, _):
      #expect(place == Location(path: file.path))
      #expect(found == what)
    case let other: Issue.record("\(other)")
    }
  }

  @Test(arguments: [
    (["a/data.pkl", "a/constants.pkl"], "the file is a TorchScript program, not a checkpoint"),
    (["a/data.pkl", "a/code/__torch__.py"], "the file is a TorchScript program, not a checkpoint"),
    (
      ["a/model.json", "a/tensors/0"],
      "the file is a TorchScript program of PyTorch 1.0 or 1.1, not a checkpoint"
    ),
    (
      ["a/archive_format", "a/models/model.json"],
      "the file is a program saved by torch.export, not a checkpoint"
    ),
    (
      ["a/.data/version", "a/net.pkl"],
      "the file is a package made by torch.package, not a checkpoint"
    ),
    (
      ["config.json", "metadata.json", "model.weights.npz"],
      "the .keras archive has its weights in several files, or as .npz"
    ),
    (["vgg.pth"], "the file is a zip archive around a checkpoint"),
    (
      ["a.txt", "b.txt", "c.txt", "d.txt"],
      "the file is a zip archive without a checkpoint's data.pkl ('a.txt', 'b.txt', 'c.txt', ...)"
    ),
  ])
  func `an archive that is no checkpoint is called what it is`(
    members: [String], what: String
  ) throws {
    let file = try TemporaryFile { file in
      var archive = StoredZipWriter(file)
      for member in members { archive.add(member, [0x2E]) }
      try archive.finish()
    }
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: file.path) }
    switch try #require(error) {
    case .notACheckpoint(_, let found, _), .unsupported(_, let found, _): #expect(found == what)
    case let other: Issue.record("\(other)")
    }
  }

  @Test func `TorchScript by PyTorch itself is refused`() throws {
    let path = Fixtures.path("PyTorch/not-a-checkpoint-torchscript.pt")
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: path) }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        PyTorch/not-a-checkpoint-torchscript.pt: the file is a TorchScript program, not a checkpoint.
          In Python: torch.save(torch.jit.load(file, map_location="cpu").state_dict(), "weights.pth"), \
        and convert that.
        """)
  }

  @Test(arguments: [
    "PyTorch/plain-train.pth", "PyTorch/plain-legacy.pth", "TorchFiles/plain-protocol2-1.13.pkl",
    "MegEngine/plain-training-checkpoint.pkl",
  ])
  func `the framework is told by the content, not by the name`(file: String) throws {
    let copy = try TemporaryFile(try InputFile(path: Fixtures.path(file)).allBytes())
    let family = try readCheckpoint(path: copy.path).family
    #expect(family == (file.hasPrefix("MegEngine") ? "megengine" : "pytorch"))
  }

  @Test func `formats can be added, and come first if they are`() throws {
    let own = FileFormat(name: "own") { (opened) throws(ReadError) in
      guard opened.has("own format") else { return nil }
      return Checkpoint(
        path: opened.file.path, container: "own", family: "own", byteCount: opened.file.count,
        stateDicts: [])
    }
    let file = try TemporaryFile(Array("own format".utf8))
    #expect(throws: ReadError.self) { try readCheckpoint(path: file.path) }
    let checkpoint = try readCheckpoint(path: file.path, formats: [own] + FileFormat.all)
    #expect(checkpoint.family == "own")
  }
}
