import Checkpoints
import Foundation
import JSON
import RVD
import Tensors
import Testing

@Suite struct MetadataTests {
  static var all: ModelMetadata {
    var metadata = ModelMetadata()
    metadata.labels = ["cat", "", "dög"]
    metadata.license = "Apache-2.0"
    metadata.authors = ["Jane Doe", "Roe, John"]
    metadata.homepage = "https://example.org/a0"
    metadata.task = "image-classification"
    metadata.custom = [.init("dataset", ""), .init("e\u{301}", "1"), .init("é", "2")]
    return metadata
  }

  func model(_ metadata: ModelMetadata, classes: Int? = nil) throws -> DeployModel {
    DeployModel(
      tensors: [try zeros("a", [2])], ModelDescription(classes: classes, metadata: metadata))
  }

  /// The manifest of a file, by Foundation.
  func manifest(_ bytes: [UInt8]) throws -> [String: Any] {
    let start = Int(bytes[24..<32].reversed().reduce(0) { $0 << 8 | UInt64($1) })
    return try #require(
      try JSONSerialization.jsonObject(with: Data(bytes[start...])) as? [String: Any])
  }

  @Test func `metadata are in the manifest as specified, and come back`() throws {
    let (bytes, summary) = try write(model(Self.all, classes: 3))
    let written = try #require(try manifest(bytes)["metadata"] as? [String: Any])
    #expect(written["labels"] as? [String] == ["cat", "", "dög"])
    #expect(written["license"] as? String == "Apache-2.0")
    #expect(written["authors"] as? [String] == ["Jane Doe", "Roe, John"])
    #expect(written["homepage"] as? String == "https://example.org/a0")
    #expect(written["task"] as? String == "image-classification")
    // Keys are told apart by their bytes.
    #expect((written["custom"] as? NSDictionary)?["dataset"] as? String == "")
    #expect(String(decoding: bytes, as: UTF8.self).contains(#""e\#u{301}":"1","é":"2"}"#))
    let file = try open(bytes)
    #expect(file.model.metadata == Self.all)
    #expect(try write(file.deployModel).bytes == bytes)

    let (plain, other) = try write(model(ModelMetadata(), classes: 3))
    #expect(other.contentSHA256 == summary.contentSHA256)
    #expect(try manifest(plain)["metadata"] == nil)
  }

  @Test func `what the format cannot hold is not written`() throws {
    func message(_ classes: Int? = nil, _ change: (inout ModelMetadata) -> Void) throws -> String {
      var metadata = ModelMetadata()
      change(&metadata)
      let error = #expect(throws: WriteError.self) {
        try write(model(metadata, classes: classes))
      }
      guard case .cannotExpress(_, let what, _)? = error else { return "\(error as Any)" }
      return what.replacingOccurrences(of: "an RVD file cannot hold this model: metadata", with: "")
    }
    #expect(try message { $0.license = "" } == ".license: expected a text, found an empty one")
    #expect(try message { $0.homepage = "" } == ".homepage: expected a text, found an empty one")
    #expect(try message { $0.task = "" } == ".task: expected a text, found an empty one")
    #expect(
      try message { $0.authors = ["a", ""] } == ".authors: expected names, found an empty one")
    #expect(
      try message { $0.custom = [.init("", "a")] } == ".custom: expected keys, found an empty one")
    #expect(
      try message { $0.custom = [.init("a", "1"), .init("a", "2")] }
        == ".custom: expected each key once, found 'a' twice")
    #expect(
      try message(3) { $0.labels = ["a", "b"] }
        == ".labels: expected 3, as many as there are classes, found 2")
  }

  /// A sound file with this as its metadata.
  func file(saying metadata: JSONValue) throws -> [UInt8] {
    let manifest: JSONValue = [
      "classes": 2, "metadata": metadata, "tensors": [],
      "content": ["sha256": .string(String(repeating: "0", count: 64))],
    ]
    return RVDTests.file(try manifest.canonical(), [])
  }

  @Test(
    arguments: [
      (["license": "MIT", "later": [1]], nil),
      (["later": 1], nil),
      (["labels": ["a", "b"]], nil),
      ([:], "members of metadata in the manifest to be at least one, found none"),
      (1, "metadata in the manifest to be an object, found a number"),
      (["labels": []], "metadata.labels in the manifest to be at least one, found none"),
      (
        ["labels": ["a"]],
        "metadata.labels in the manifest to be 2, as many as there are classes, found 1"
      ),
      (
        ["labels": ["a", 1]],
        "metadata.labels in the manifest to be an array of strings, found an array"
      ),
      (["license": ""], "metadata.license in the manifest to be a text, found an empty one"),
      (["license": 1], "metadata.license in the manifest to be a string, found 1"),
      (["authors": []], "metadata.authors in the manifest to be at least one, found none"),
      (["authors": [""]], "metadata.authors in the manifest to be names, found an empty one"),
      (
        ["authors": "Jane"],
        "metadata.authors in the manifest to be an array of strings, found a string"
      ),
      (["homepage": ""], "metadata.homepage in the manifest to be a text, found an empty one"),
      (["task": ""], "metadata.task in the manifest to be a text, found an empty one"),
      (["custom": [:]], "metadata.custom in the manifest to be at least one, found none"),
      (["custom": ["": "a"]], "metadata.custom in the manifest to be keys, found an empty one"),
      (["custom": ["a": 1]], "metadata.custom.a in the manifest to be a string, found a number"),
      (["custom": []], "metadata.custom in the manifest to be an object, found an array"),
    ] as [(JSONValue, String?)])
  func `files that break the rules are refused`(metadata: JSONValue, expected: String?) throws {
    let bytes = try file(saying: metadata)
    func read() throws {
      _ = try RVDFile(source: MemoryBytes(bytes, location: Location(path: "m")))
    }
    guard let expected else { return try read() }
    let error = #expect(throws: ReadError.self) { try read() }
    #expect(error?.description.contains("expected \(expected).\n") == true, "\(error as Any)")
  }
}
