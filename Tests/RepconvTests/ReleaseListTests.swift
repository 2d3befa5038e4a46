import Foundation
import TestSupport
import Testing

/// Releases of many models by a list.
@Suite struct ReleaseListTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["plain-train.pth", "g2-train.pth", "g4-train.pth"] {
      try folder.write(Fixtures.bytes("PyTorch/\(name)"), to: "in/\(name)", makingFolders: true)
    }
    try folder.write(Fixtures.bytes("Digits/digits.npz"), to: "in/digits.npz")
  }

  func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Program.Result {
    // A workflow that runs the tests has a summary of its own.
    let variables = ["GITHUB_STEP_SUMMARY": ""].merging(environment) { $1 }
    return try Program.run(
      ["release", "--manifest"] + arguments, in: folder.path, environment: variables)
  }

  func list(_ text: String, as name: String = "in/list.toml") throws {
    try folder.write(Array(text.utf8), to: name)
  }

  func statuses(_ result: Program.Result) throws -> [String: String] {
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    let releases = try #require(object["releases"] as? [[String: Any]])
    return Dictionary(
      uniqueKeysWithValues: releases.map { ($0["name"] as! String, $0["status"] as! String) })
  }

  func names(in name: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.file(name)).sorted()
  }

  static let list = """
    # Three networks, one of them twice.
    [defaults]
    license = 'MIT' # of all
    size = 32
    formats = [
      "rvd", # first
      "safetensors",
    ]

    [[model]]
    path = "plain-train.pth"
    eval = "digits.npz"
    at-least = 97

    [[model]]
    path = "g2-train.pth"
    formats = "rvd"
    strict = true

    [[model]]
    path = "g4-train.pth"
    license = "Apache-2.0"

    [[model]]
    name = "plain-half"
    path = "plain-train.pth"
    dtype = "float16"
    """

  @Test func `each model has a folder, and what is there is not made again`() throws {
    try list(Self.list)
    let first = try run(["in/list.toml", "-o", "out/all", "--json"])
    #expect(first.status == 0, "\(first.errors)")
    let names = ["g2-train", "g4-train", "plain-half", "plain-train"]
    #expect(try statuses(first) == Dictionary(uniqueKeysWithValues: names.map { ($0, "released") }))
    #expect(try self.names(in: "out/all") == names)
    #expect(try self.names(in: "out/all/g2-train").contains("g2-train.safetensors") == false)
    let card = String(decoding: try folder.read("out/all/g4-train/README.md"), as: UTF8.self)
    #expect(card.hasPrefix("---\nlicense: apache-2.0\n"))

    // One is damaged, of one a file is missing, of one the training checkpoint is another; one is asked for
    // with other options.
    let sums = try folder.read("out/all/plain-train/SHA256SUMS")
    var bytes = try folder.read("out/all/plain-train/plain-train.rvd")
    bytes[bytes.count / 2] ^= 1
    try folder.write(bytes, to: "out/all/plain-train/plain-train.rvd")
    try FileManager.default.removeItem(atPath: folder.file("out/all/g4-train/README.md"))
    let again = try run(["in/list.toml", "-o", "out/all", "--json"])
    #expect(again.status == 0, "\(again.errors)")
    #expect(
      try statuses(again) == [
        "g2-train": "unchanged", "plain-half": "unchanged", "plain-train": "released",
        "g4-train": "released",
      ])
    #expect(try folder.read("out/all/plain-train/SHA256SUMS") == sums)
    let table = try run(["in/list.toml", "-o", "out/all"])
    #expect(table.output.hasSuffix("\n\n  4 unchanged\n"), "\(table.output)")
    #expect(table.output.contains(#/plain-train +custom RepVGG .* unchanged +7 +.* 97.50 %\n/#))

    try list(Self.list.replacing("Apache-2.0", with: "Zlib"))
    let other = try run(["in/list.toml", "-o", "out/all", "--json"])
    #expect(other.status == 2)
    #expect(try statuses(other)["g4-train"] == "not done")
    #expect(
      other.errors
        == "repconv: error: g4-train: out/all/g4-train: it is another release: of another file, with other options or by another version.\n  Use --force to replace it.\n"
    )
    let forced = try run(["in/list.toml", "-o", "out/all", "--json", "--force"])
    #expect(
      try statuses(forced) == [
        "g2-train": "unchanged", "plain-half": "unchanged", "plain-train": "unchanged",
        "g4-train": "released",
      ])
  }

  @Test func `one that fails does not stop the others, and the summary tells of all`() throws {
    try list(
      Self.list.replacing("at-least = 97", with: "at-least = 99.5")
        .replacing("\"g4-train.pth\"", with: "'missing|.pth'"))
    let summary = folder.file("summary.md")
    try folder.write(Array("# Before\n".utf8), to: "summary.md")
    let result = try run(
      ["in/list.toml", "-o", "out"], environment: ["GITHUB_STEP_SUMMARY": summary])
    #expect(result.status == 1)
    #expect(result.output.hasSuffix("\n\n  2 released, 1 failed, 1 not done\n"), "\(result.output)")
    #expect(result.errors.contains("top-1 is 97.50 %, below the 99.50 % asked for."))
    #expect(try names(in: "out") == ["g2-train", "plain-half"])
    let text = String(decoding: try folder.read("summary.md"), as: UTF8.self)
    #expect(text.hasPrefix("# Before\n## Released weights\n\n| model | network | status |"))
    #expect(text.hasSuffix("\n\n2 released, 1 failed, 1 not done\n"))
    #expect(text.contains("| missing- | - | not done | 0 | 0 bytes | - | "))
    #expect(text.contains(#"missing\|\.pth"#))
  }

  @Test func `parts of a list are all of it, once each`() throws {
    try list(Self.list, as: "in/list.toml")
    var seen: [String] = []
    for part in 1...3 {
      let result = try run([
        "in/list.toml", "-o", "out", "--shard", "\(part)/3", "--dry-run", "--json",
      ])
      #expect(result.status == 0)
      seen += try statuses(result).keys
    }
    #expect(seen.sorted() == ["g2-train", "g4-train", "plain-half", "plain-train"])
    #expect(try folder.names() == ["in"])
    for shard in ["0/3", "4/3", "1", "a/b", "1/0"] {
      #expect(try run(["in/list.toml", "-o", "out", "--shard", shard]).status == 64)
    }
  }

  @Test func `a list may be JSON`() throws {
    try list(
      #"{"defaults": {"formats": ["rvd"]}, "model": [{"path": "g2-train.pth", "size": 32}]}"#,
      as: "in/list.json")
    #expect(try run(["in/list.json", "-o", "out"]).status == 0)
    #expect(try names(in: "out") == ["g2-train"])
  }

  /// Lists that are wrong, and what is said of them.
  static let wrong: [(String, String)] = [
    (
      "[[model]]\npath = 'a.pth'\nlabel = 'x'",
      "at line 3: there is no key 'label'.\n  Nearest: labels"
    ),
    ("[[model]]\nname = 'a'", "at line 1: this model has no 'path'."),
    ("[defaults]\nlicense = 'MIT'", ": it names no model.\n  Begin each with a line [[model]]."),
    (
      "[[model]]\npath = 'a.pth'\n[[model]]\npath = 'b/A.pth'",
      "at line 3: this model is called 'A', as that at line 1, and so is another."
    ),
    ("[[model]]\npath = 'a'\nsize = 'big'", "at line 1: "),
    (
      "[[model]]\npath = 'a'\nstrict = 'yes'",
      "at line 3: 'strict' is a string.\n  It takes true or false."
    ),
    ("[[model]]\npath = ['a']", "at line 2: 'path' is an array.\n  It takes a path."),
    ("[[model]]\npath = 'a'\nat-least = 72", "at line 1: --at-least is only for --eval."),
    ("[[model]]\npath = 'a'\npath = 'b'", "at line 3: 'path' is said twice."),
    ("path = 'a'", "at line 1: 'path' stands in front of [defaults] and [[model]]."),
    ("[model]\npath = 'a'", "at line 1: expected [defaults] or [[model]], found '[model]'."),
    ("[[model]]\npath = \"a", "at line 2: a string does not end."),
    ("[[model]]\npath = \"a\nb\"", "at line 2: a string does not end on its line."),
    ("[[model]]\npath = \"\\q\"", "at line 2: a string has the unknown escape \\q."),
    ("[[model]]\npath = 'a' x", "at line 2: expected the end of the line, found 'x'."),
    ("[[model]]\na.b = 'a'", "at line 2: expected '=' behind 'a', found '.b = 'a''."),
    ("[[model]]\nsize = 0x20", "at line 2: expected a string, a number, true, false or an array"),
    ("[[model]]\nformats = ['a' 'b']", "at line 2: expected ',' or ']', found ''b']'."),
    ("[[model]]\nx = {a = 1}", "at line 2: expected a string, a number"),
    (#"{"models": []}"#, ": 'models' is neither 'defaults' nor 'model'."),
    (#"{"model": [1]}"#, ": model 0 is a number, not an object."),
  ]

  @Test(arguments: wrong)
  func `a list that is wrong is refused as a whole, with the line`(
    text: String, message: String
  ) throws {
    try list(text)
    let result = try run(["in/list.toml", "-o", "out"])
    #expect(result.status == 2 && result.output == "")
    #expect(
      result.errors.contains(
        "repconv: error: in/list.toml\(message.hasPrefix(":") ? "" : " ")\(message)"),
      "\(result.errors)")
    #expect(try folder.names() == ["in"])
  }

  @Test func `options of a model belong to the list`() throws {
    try list(Self.list)
    let result = try run(["in/list.toml", "-o", "out", "--license", "MIT"])
    #expect(result.status == 64)
    #expect(
      result.errors.contains("--license is said in the list, of a model or under [defaults]."))
  }
}
