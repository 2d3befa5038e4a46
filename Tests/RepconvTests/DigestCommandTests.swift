import Foundation
import TestSupport
import Testing

/// `repconv digest` as a user runs it.
@Suite struct DigestCommandTests {
  let folder: TemporaryFolder
  static let train = Fixtures.path("PyTorch/plain-train.pth")
  /// Of what `plain-train.pth` fuses to.
  static let plain = "3abac020f9dc5dfb1ec51e3b4cf413b58ec6d87db16c83243a2b73d8a7f08f14"

  init() throws {
    folder = try TemporaryFolder()
    _ = try Program.run(["fuse", "-q", Self.train, "a.rvd"], in: folder.path)
  }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  @Test func `a model has one digest in all formats, whatever it says of itself`() throws {
    let files = ["a.pth", "a.safetensors", "a.npz", "b.rvd"]
    for file in files {
      #expect(try run("export", "-q", "a.rvd", file, "--license", "MIT").status == 0)
    }
    let result = try Program.run(["digest", "a.rvd"] + files, in: folder.path)
    #expect(result.status == 0 && result.errors == "")
    #expect(
      result.output == (["a.rvd"] + files).map { "\(Self.plain)  \($0)\n" }.joined())
    try folder.write(Array(result.output.utf8), to: "list")
    let checked = try run("digest", "-c", "list")
    #expect(checked.status == 0 && checked.errors == "")
    #expect(checked.output == (["a.rvd"] + files).map { "\($0): OK\n" }.joined())
  }

  @Test func `sha256sum's way with odd names is ours`() throws {
    let names = ["a\\b\n.rvd", "c\rd.rvd", " *e.rvd", "ü.rvd"]
    for name in names { try folder.write(try folder.read("a.rvd"), to: name) }
    let result = try Program.run(["digest"] + names, in: folder.path)
    #expect(
      result.output
        == "\\\(Self.plain)  a\\\\b\\n.rvd\n\\\(Self.plain)  c\\rd.rvd\n\(Self.plain)   *e.rvd\n\(Self.plain)  ü.rvd\n"
    )
    try folder.write(Array(result.output.utf8), to: "list")
    let checked = try run("digest", "--check", "list")
    #expect(checked.status == 0 && checked.errors == "")
    #expect(
      checked.output == "\\a\\\\b\\n.rvd: OK\n\\c\\rd.rvd: OK\n *e.rvd: OK\nü.rvd: OK\n")
  }

  @Test func `what differs, cannot be read or is no line is told`() throws {
    let bytes = try folder.read("a.rvd")
    try folder.write(bytes.enumerated().map { $0 == 100 ? $1 ^ 1 : $1 }, to: "damaged.rvd")
    let zeros = String(repeating: "0", count: 64)
    func check(_ lines: String...) throws -> Program.Result {
      try folder.write(Array(lines.joined(separator: "\n").utf8), to: "list")
      return try run("digest", "--check", "list")
    }
    let wrong = try check("# models", "\(zeros)  a.rvd", "", "\(Self.plain.uppercased()) *a.rvd\r")
    #expect(wrong.status == 1 && wrong.output == "a.rvd: FAILED\na.rvd: OK\n")
    #expect(wrong.errors == "repconv: error: 1 of 2 files did not match.\n")

    let damaged = try check("\(Self.plain)  damaged.rvd")
    #expect(damaged.status == 1 && damaged.output == "damaged.rvd: FAILED\n")
    #expect(damaged.errors.hasPrefix("repconv: error: damaged.rvd(stage0.rbr_reparam.weight): "))

    let missing = try check("\(Self.plain)  none.rvd", "\(Self.plain)  a.rvd")
    #expect(missing.status == 2 && missing.output == "none.rvd: FAILED\na.rvd: OK\n")
    #expect(missing.errors.hasPrefix("repconv: error: none.rvd: no such file or directory.\n"))

    let malformed = try check(
      "\(Self.plain)  a.rvd", "\(Self.plain) a.rvd", "hello", "\(Self.plain)  ",
      "\\\(Self.plain)  a\\x.rvd", "\(Self.plain.dropLast())  a.rvd")
    #expect(malformed.status == 2 && malformed.output == "a.rvd: OK\n")
    #expect(
      malformed.errors
        == (2...6).map {
          "repconv: error: list at line \($0): it is not a digest and a file name.\n"
        }.joined())
    #expect(try check("\(zeros)  a.rvd", "hello").status == 1)
    #expect(try run("digest", "--check", "none").status == 2)
    #expect(try check("").status == 2, "a list of nothing shows nothing")
  }

  @Test func `which state dict is meant is said by its key`() throws {
    let path = Fixtures.path("PyTorch/plain-swin-style.pth")
    let several = try run("digest", path)
    #expect(several.status == 2 && several.output == "")
    #expect(several.errors.contains("Choose one with --key NAME."))
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(run("inspect", path, "--json").output.utf8))
        as? [String: Any])
    let dicts = try #require(object["stateDicts"] as? [[String: Any]])
    let key = try #require(dicts.first?["path"] as? String)
    #expect(try run("digest", path, "--key", key).status == 0)
  }

  @Test func `JSON has what was found and what was expected`() throws {
    try folder.write(Array("\(Self.plain)  none.rvd\n\(Self.plain)  a.rvd\nx\n".utf8), to: "list")
    let result = try run("digest", "--check", "list", "--json")
    #expect(result.status == 2)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(object["list"] as? String == "list" && object["malformedLines"] as? [Int] == [3])
    let files = try #require(object["files"] as? [[String: Any]])
    #expect(files[0]["content"] is NSNull && files[0]["same"] is NSNull)
    #expect((files[0]["error"] as? String)?.hasPrefix("none.rvd: no such file") == true)
    #expect(files[1]["content"] as? String == Self.plain && files[1]["same"] as? Bool == true)
    #expect(files[1]["expected"] as? String == Self.plain && files[1]["error"] is NSNull)
    #expect(files[1]["format"] as? String == "RVD 1" && files[1]["tensors"] as? Int == 18)
  }

  @Test(arguments: [
    ["digest"], ["digest", "a.rvd", "--check", "list"], ["digest", "a.rvd", "--threads", "0"],
  ])
  func `wrong usage exits with 64`(arguments: [String]) throws {
    let result = try Program.run(arguments, in: folder.path)
    #expect(result.status == 64 && result.output == "" && result.errors.contains("Usage: "))
  }
}
