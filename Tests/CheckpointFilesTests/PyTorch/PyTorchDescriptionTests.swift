import Checkpoints
import RVD
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// What archives say of their network, in a member that anybody may write.
@Suite struct PyTorchDescriptionTests {
  static let sound = #"{"metadata":{"license":"MIT"},"version":1}"#

  /// An archive of one tensor, in a folder of any name, with more members.
  static func archive(
    folder: String = "archive", _ members: [(name: String, bytes: [UInt8])]
  ) throws -> TemporaryFile {
    let tensor = try Tensor(
      .uint8, shape: [1], in: MemoryBytes([7], location: Location(path: "memory")), name: "a")
    let plain = try TemporaryFile {
      try PyTorchZipWriter.write([OutputTensor(name: "a", tensor)], to: $0)
    }
    let source = try ZipArchive(try InputFile(path: plain.path))
    return try TemporaryFile {
      var archive = StoredZipWriter($0)
      for member in source.members {
        let name = folder + member.name.dropFirst("archive".count)
        archive.add(name, try source.contents(of: member).allBytes())
      }
      for (name, bytes) in members { archive.add("\(folder)/\(name)", bytes) }
      try archive.finish()
    }
  }

  static func archive(saying text: [UInt8]) throws -> TemporaryFile {
    try archive([(PyTorchZip.descriptionMember.text, text)])
  }

  /// Reads it, and expects its tensor.
  static func read(_ file: TemporaryFile) throws -> Checkpoint {
    let checkpoint = try readCheckpoint(path: file.path)
    try #require(checkpoint.stateDicts.flatMap(\.tensors).map(\.name) == ["a"])
    #expect(try checkpoint.stateDicts[0].tensors[0].tensor.bytes() == [7])
    return checkpoint
  }

  @Test(arguments: ["archive", "a folder of another name"])
  func `it is found below the top folder`(folder: String) throws {
    let file = try Self.archive(
      folder: folder, [(PyTorchZip.descriptionMember.text, Array(Self.sound.utf8))])
    let checkpoint = try Self.read(file)
    #expect(checkpoint.model?.metadata.license == "MIT" && checkpoint.notes == [])
  }

  @Test(arguments: ["extra/repconv.txt", "extra/deeper/repconv.json", "repconv.json", "extra/x"])
  func `files of other programs are not looked at`(name: String) throws {
    let checkpoint = try Self.read(try Self.archive([(name, Array("{".utf8))]))
    #expect(checkpoint.model == nil && checkpoint.notes == [])
  }

  @Test(
    arguments: [
      ("", "it is not JSON"),
      ("hello", "it is not JSON"),
      (sound + " .", "it is not JSON"),
      (String(sound.dropLast()), "it is not JSON"),
      (String(repeating: "[", count: 100_000), "it is not JSON"),
      ("[]", "the manifest: expected an object, found an array"),
      (#"{"name":"a network of somebody else"}"#, "version: expected a value, found none"),
      (#"{"version":2}"#, "it is of version 2, which is not known"),
      (#"{"version":1,"classes":0}"#, "classes: expected at least 1, found 0"),
      (
        #"{"version":1,"metadata":{"license":""}}"#,
        "metadata.license: expected a text, found an empty one"
      ),
    ])
  func `what is not understood is left alone`(text: String, reason: String) throws {
    let checkpoint = try Self.read(try Self.archive(saying: Array(text.utf8)))
    #expect(checkpoint.model == nil)
    #expect(
      checkpoint.notes == [
        "What 'archive/extra/repconv.json' says of the network was left alone: \(reason)."
      ])
  }

  @Test func `bytes that are no text are not mended`() throws {
    let text = Self.sound.utf8.map { $0 == UInt8(ascii: "T") ? 0xFF : $0 }
    let checkpoint = try Self.read(try Self.archive(saying: text))
    #expect(checkpoint.model == nil)
    #expect(
      checkpoint.notes == [
        "What 'archive/extra/repconv.json' says of the network was left alone: it is not UTF-8."
      ])
  }

  @Test func `no more is read than a limit`() throws {
    let limit = ModelDescription.maximumPortableLength
    let blanks = [UInt8](repeating: UInt8(ascii: " "), count: limit + 1 - Self.sound.utf8.count)
    let checkpoint = try Self.read(try Self.archive(saying: Array(Self.sound.utf8) + blanks))
    #expect(checkpoint.model == nil)
    #expect(
      checkpoint.notes == [
        "What 'archive/extra/repconv.json' says of the network was left alone: it takes more than 16777216 bytes."
      ])
  }

  /// Nothing but the name and the sizes of a member has any bearing on where tensors are.
  @Test func `damage to it is a note, and never another description`() throws {
    let file = try Self.archive(saying: Array(Self.sound.utf8))
    let bytes = try InputFile(path: file.path).allBytes()
    let archive = try ZipArchive(MemoryBytes(bytes, location: Location(path: "a.pth")))
    let member = try #require(archive.member("archive/" + PyTorchZip.descriptionMember))
    for offset in member.payloadOffset..<member.payloadOffset + member.size {
      var damaged = bytes
      damaged[offset] ^= 1
      let checkpoint = try PyTorchZip.read(
        ZipArchive(MemoryBytes(damaged, location: Location(path: "a.pth"))))
      #expect(checkpoint.model == nil)
      #expect(
        checkpoint.notes == [
          "What 'archive/extra/repconv.json' says of the network was left alone: it is damaged."
        ])
    }
  }
}
