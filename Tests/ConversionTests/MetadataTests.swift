import Checkpoints
import Foundation
import Naming
import RVD
import Tensors
import TestSupport
import Testing

@testable import Conversion

@Suite struct MetadataTests {
  let folder: TemporaryFolder
  let train = Fixtures.path("PyTorch/plain-train.pth")
  init() throws { folder = try TemporaryFolder() }

  static let digits = (0..<10).map { "digit \($0)" }

  func given() throws -> GivenMetadata {
    let text = Self.digits.joined(separator: "\n")
    var given = GivenMetadata()
    given.labels = try LabelsFile(path: try folder.write(Array(text.utf8), to: "labels.txt"))
    given.metadata.license = "Apache-2.0"
    given.metadata.authors = ["Jane Doe"]
    given.metadata.custom = [.init("dataset", "digits")]
    return given
  }

  func fuse(_ source: String, _ output: String, _ metadata: GivenMetadata) throws -> FuseReport {
    var options = FuseOptions()
    options.metadata = metadata
    options.input.size = 32
    return try Conversion.fuse(source, to: folder.file(output), options: options)
  }

  @discardableResult
  func rewrite(
    _ source: String, _ output: String, _ metadata: GivenMetadata = GivenMetadata()
  ) throws -> RewriteReport {
    var options = RewriteOptions()
    options.metadata = metadata
    return try Conversion.rewrite(source, to: folder.file(output), options: options)
  }

  func model(_ name: String) throws -> ModelDescription {
    try #require(try openCheckpoint(folder.file(name)).model)
  }

  @Test func `what is given is stored, kept, replaced and left out`() throws {
    let report = try fuse(train, "a.rvd", given())
    let first = try model("a.rvd")
    #expect(first.metadata == report.metadata && report.notes == [])
    #expect(first.metadata.labels == Self.digits && first.metadata.license == "Apache-2.0")

    // Kept, with the same bytes.
    try rewrite(folder.file("a.rvd"), "b.rvd")
    #expect(try folder.read("a.rvd") == folder.read("b.rvd"))

    var change = GivenMetadata()
    change.metadata.task = "image-classification"
    change.metadata.custom = [.init("dataset", "more digits"), .init("epochs", "9")]
    change.removed = ["authors", "labels", "none"]
    try rewrite(folder.file("a.rvd"), "c.rvd", change)
    let second = try model("c.rvd")
    var expected = ModelMetadata()
    expected.license = "Apache-2.0"
    expected.task = "image-classification"
    expected.custom = [.init("dataset", "more digits"), .init("epochs", "9")]
    #expect(second.metadata == expected)
    #expect(second.contentSHA256 == first.contentSHA256)
    #expect(second.provenance == first.provenance && second.graph == first.graph)
  }

  /// Foundation reads the header, and knows nothing of ours.
  @Test func `safetensors say it in their metadata, and it comes back`() throws {
    _ = try fuse(train, "a.rvd", given())
    let report = try rewrite(folder.file("a.rvd"), "a.safetensors")
    #expect(report.notes == [.leftOut(format: "safetensors", parts: ["graph"])])
    let bytes = try folder.read("a.safetensors")
    let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try #require(
      try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length])) as? [String: Any])
    let metadata = try #require(header["__metadata__"] as? [String: String])
    #expect(Set(metadata.keys) == ["format", "repconv"] && metadata["format"] == "pt")
    let text = try #require(metadata["repconv"])
    let said = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(Set(said.keys) == ["version", "classes", "input", "metadata", "provenance"])
    #expect(said["version"] as? Int == 1 && said["classes"] as? Int == 10)
    let forPeople = try #require(said["metadata"] as? [String: Any])
    #expect(forPeople["labels"] as? [String] == Self.digits)
    #expect(forPeople["authors"] as? [String] == ["Jane Doe"])
    #expect(forPeople["custom"] as? [String: String] == ["dataset": "digits"])
    #expect((said["input"] as? [String: Any])?["size"] as? Int == 32)

    try rewrite(folder.file("a.safetensors"), "b.rvd")
    #expect(try folder.read("a.rvd") == folder.read("b.rvd"))
  }

  @Test func `a pth says the same in a member of its own, and it comes back`() throws {
    _ = try fuse(train, "a.rvd", given())
    let report = try rewrite(folder.file("a.rvd"), "a.pth")
    #expect(report.notes == [.leftOut(format: "PyTorch zip", parts: ["graph"])])
    #expect(try model("a.pth").metadata == report.metadata)
    try rewrite(folder.file("a.rvd"), "a.safetensors")
    #expect(try model("a.pth") == model("a.safetensors"))
    #expect(try model("a.pth").input?.size == 32)

    try rewrite(folder.file("a.pth"), "b.rvd")
    #expect(try folder.read("a.rvd") == folder.read("b.rvd"))
  }

  @Test func `a pth of which nothing is known says nothing`() throws {
    let source = Fixtures.path("Cases/larger-network.pth")
    try rewrite(source, "plain.pth")
    #expect(try openCheckpoint(folder.file("plain.pth")).model == nil)
    let member = Array("extra/".utf8)
    let plain = try folder.read("plain.pth")
    #expect(!plain.indices.contains { plain[$0...].starts(with: member) })

    // What was said and is taken back leaves nothing behind.
    var change = GivenMetadata()
    change.metadata.license = "MIT"
    try rewrite(source, "said.pth", change)
    #expect(try model("said.pth") == ModelDescription(metadata: change.metadata))
    change = GivenMetadata()
    change.removed = ["license"]
    try rewrite(folder.file("said.pth"), "unsaid.pth", change)
    #expect(try folder.read("unsaid.pth") == plain)
  }

  @Test(arguments: [("pth", "PyTorch zip"), ("safetensors", "safetensors")])
  func `a training checkpoint keeps it on the way to its deploy form`(
    format: String, container: String
  ) throws {
    var options = RewriteOptions()
    options.metadata = try given()
    options.input.channelOrder = .bgr
    options.input.size = 48
    let report = try Conversion.rewrite(
      train, to: folder.file("train.\(format)"), options: options)
    #expect(report.source.form == .train)
    #expect(try model("train.\(format)").provenance == nil)
    let fused = try fuse(folder.file("train.\(format)"), "a.rvd", GivenMetadata())
    #expect(fused.input?.sources[.channelOrder] == .file)
    let model = try model("a.rvd")
    #expect(model.metadata.labels == Self.digits && model.input?.channelOrder == .bgr)
    #expect(model.provenance?.container == container)
  }

  @Test func `labels that are not one for each class are refused, and nothing is written`() throws {
    var given = GivenMetadata()
    given.labels = try LabelsFile(path: try folder.write(Array("a\nb\n".utf8), to: "labels.txt"))
    let wrong = ConversionError.labelsDiffer(
      path: folder.file("labels.txt"), labels: 2, classes: 10)
    #expect(throws: wrong) { try fuse(train, "a.rvd", given) }
    #expect(throws: wrong) { try rewrite(train, "a.safetensors", given) }
    #expect(throws: wrong) { try rewrite(train, "a.pth", given) }
    // How many classes blocks inside a larger network tell apart is not known.
    let report = try fuse(Fixtures.path("Cases/larger-network.pth"), "b.rvd", given)
    #expect(report.metadata?.labels == ["a", "b"])
    #expect(try folder.names() == ["b.rvd", "labels.txt"])
  }

  @Test(arguments: ["a.npz", "a.h5", "a.pkl", "a.wts"])
  func `formats without a place for it say so`(output: String) throws {
    let report = try fuse(train, output, given())
    #expect(report.metadata == nil)
    #expect(
      report.notes.last?.description
        .hasSuffix(" has no place for: labels, license, authors, dataset") == true)
    _ = try fuse(train, "a.rvd", given())
    let again = try rewrite(folder.file("a.rvd"), "b" + output)
    #expect(
      again.notes.contains {
        $0.description.hasSuffix(" graph, input, origin, labels, license, authors, dataset")
      })
  }

  @Test func `an uncommon license is told`() throws {
    var given = GivenMetadata()
    given.metadata.license = "MIT OR Mine-1.0"
    #expect(try fuse(train, "a.rvd", given).notes == [.uncommonLicense("Mine-1.0")])
    given.metadata.license = "MIT/Mine"
    #expect(
      try fuse(train, "b.rvd", given).notes.map(\.description)
        == ["'MIT/Mine' is not an SPDX license expression: expected a license, found 'MIT/Mine'"])
    // Only when it is new.
    #expect(try rewrite(folder.file("a.rvd"), "c.rvd").notes == [])
  }

  /// Of a header with this as its metadata.
  @Test(
    arguments: [
      (#"{"repconv":"hello"}"#, "it is not JSON"),
      (#"{"repconv":"[]"}"#, "the manifest: expected an object, found an array"),
      (#"{"repconv":"{}"}"#, "version: expected a value, found none"),
      (#"{"repconv":"{\"version\":2}"}"#, "it is of version 2, which is not known"),
      (
        #"{"repconv":"{\"version\":1,\"classes\":0}"}"#, "classes: expected at least 1, found 0"
      ),
      (
        #"{"repconv":"{\"version\":1,\"metadata\":{\"license\":\"\"}}"}"#,
        "metadata.license: expected a text, found an empty one"
      ),
      (#"{"license":"MIT","labels":"[]"}"#, nil),
    ] as [(String, String?)])
  func `what others say in it is left alone`(metadata: String, reason: String?) throws {
    var header = Array(
      #"{"__metadata__":\#(metadata),"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    try folder.write(length + header + [0], to: "a.safetensors")
    let checkpoint = try openCheckpoint(folder.file("a.safetensors"))
    #expect(checkpoint.model == nil && checkpoint.stateDicts[0].tensors.count == 1)
    #expect(
      checkpoint.notes
        == (reason.map {
          ["What 'repconv' in the metadata says of the network was left alone: \($0)."]
        } ?? []))
  }
}
