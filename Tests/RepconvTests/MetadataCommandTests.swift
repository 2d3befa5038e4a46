import Foundation
import TestSupport
import Testing

/// What `--labels`, `--license` and `--meta` do for a user.
@Suite struct MetadataCommandTests {
  let folder: TemporaryFolder
  static let train = Fixtures.path("PyTorch/plain-train.pth")
  static let digits = Fixtures.path("Digits/digits.npz")
  static let names = "zero one two three four five six seven eight nine".split(separator: " ")

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(Array(Self.names.joined(separator: "\n").utf8), to: "names.txt")
  }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  func json(_ arguments: String...) throws -> [String: Any] {
    let result = try Program.run(arguments + ["--json"], in: folder.path)
    return try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  @Test func `what is said is shown, kept and changed`() throws {
    let rows = """
        labels        10: zero, one, two, …
        license       CC-BY-4.0
        authors       Jane Doe; Roe, John
        homepage      https://example.org/a?b=c
        about         data set: \\u{1b}[31mdigits

      """
    let fused = try run(
      "fuse", Self.train, "a.rvd", "--labels", "names.txt", "--license", "cc-by-4.0", "--meta",
      "authors=Jane Doe", "--meta", "author=Roe, John", "--meta",
      "homepage=https://example.org/a?b=c", "--meta", "data set=\u{1B}[31mdigits")
    #expect(fused.status == 0 && fused.errors == "" && fused.output.contains(rows))
    #expect(try run("inspect", "a.rvd").output.contains(rows))
    #expect(try run("export", "a.rvd", "b.safetensors").output.contains(rows))
    #expect(try run("inspect", "b.safetensors").output.contains(rows))

    let changed = try run(
      "export", "b.safetensors", "c.rvd", "--meta", "homepage=", "--meta", "labels=", "--meta",
      "task=image-classification", "--license", "LicenseRef-ours", "--meta", "data set=")
    #expect(
      changed.status == 0
        && changed.output.contains(
          "  license       LicenseRef-ours\n  authors       Jane Doe; Roe, John\n  task          image-classification\n"
        ))
    let (first, last) = (try json("inspect", "a.rvd"), try json("inspect", "c.rvd"))
    #expect(first["content"] as? String == last["content"] as? String)
    let metadata = try #require(last["metadata"] as? [String: Any])
    #expect(metadata["labels"] is NSNull && metadata["custom"] is NSNull)
    #expect(metadata["authors"] as? [String] == ["Jane Doe", "Roe, John"])
    let custom = try #require(
      (first["metadata"] as? [String: Any])?["custom"] as? [[String: String]])
    #expect(custom == [["key": "data set", "value": "\u{1B}[31mdigits"]])
  }

  @Test func `run and eval know the classes by the labels in the file`() throws {
    #expect(try run("fuse", "-q", Self.train, "a.rvd", "--labels", "names.txt").status == 0)
    #expect(try run("fuse", "-q", Self.train, "plain.rvd").status == 0)
    for other in ["a.safetensors", "a.pth"] {
      #expect(try run("export", "-q", "a.rvd", other).status == 0)
    }
    for model in ["a.rvd", "a.safetensors", "a.pth"] {
      let result = try run("run", model, "--input", Self.digits, "--topk", "2")
      #expect(result.status == 0 && result.output.contains("\n     12  3      three 100.0 %"))
    }
    // Others take their place.
    try folder.write(
      Array(
        #"{"0":"A","1":"B","2":"C","3":"D","4":"E","5":"F","6":"G","7":"H","8":"I","9":"J"}"#.utf8),
      to: "names.json")
    let renamed = try run("run", "a.rvd", "--input", Self.digits, "--labels", "names.json")
    #expect(renamed.status == 0 && renamed.output.contains("\n     12  3      D 100.0 %"))

    // Not a folder for each class, and not in their order.
    for (digit, name) in [(3, "three"), (8, "eight")] {
      try folder.write(
        try Fixtures.bytes("Digits/\(digit)/0.png"), to: "val/\(name)/0.png", makingFolders: true)
    }
    let known = try run("eval", "a.rvd", "val", "--size", "32")
    #expect(known.status == 0 && known.output.contains("  top-1         100.00 %, 2 right\n"))
    #expect(
      known.output.contains("  classes       folders by the labels in the model's file\n"))
    let unknown = try run("eval", "plain.rvd", "val", "--size", "32")
    #expect(unknown.status == 2 && unknown.errors.contains("val: it has 2 folders, the network 10"))
    // Folders that are not called so count in their order.
    let counted = try run("eval", "a.rvd", Fixtures.path("Digits"), "--size", "32")
    #expect(counted.output.contains("  top-1         97.50 %, 39 right\n"))
    #expect(counted.output.contains("  classes       folders in the order of their names\n"))
  }

  @Test func `labels that do not fit are refused with both numbers`() throws {
    try folder.write(Array("a\nb\n".utf8), to: "two.txt")
    try folder.write(Array("a\n\nb\n".utf8), to: "gap.txt")
    #expect(try run("fuse", "-q", Self.train, "a.rvd").status == 0)
    for command in [["fuse", Self.train], ["export", "a.rvd"], ["import", Self.train, "-o"]] {
      let result = try Program.run(command + ["b.rvd", "--labels", "two.txt"], in: folder.path)
      #expect(result.status == 2 && result.output == "")
      if command[0] != "import" {
        #expect(
          result.errors
            == "repconv: error: two.txt: it has 2 labels, the network 10 classes.\n  Give a name to each class, in their order, with --labels FILE.\n"
        )
      }
    }
    let gap = try run("fuse", Self.train, "b.rvd", "--labels", "gap.txt")
    #expect(gap.status == 2)
    #expect(gap.errors.hasPrefix("repconv: error: gap.txt at line 2: the line is empty.\n  "))
    let over = try run(
      "export", "a.rvd", "names.txt", "--labels", "names.txt", "--to", "rvd", "--force")
    #expect(over.status == 2 && over.errors.contains("--force does not replace an input"))
    #expect(try folder.names() == ["a.rvd", "gap.txt", "names.txt", "two.txt"])
  }

  @Test(arguments: [
    (
      ["--license", "MIT/X"], "'MIT/X' is not an SPDX license expression: expected a license, found"
    ),
    (
      ["--license", ""], "'' is not an SPDX license expression: expected a license, found the end."
    ),
    (["--meta", "license=(MIT"], "expected ')', found the end"),
    (["--license", "MIT", "--meta", "license=MIT"], "Say license once."),
    (["--meta", "a=1", "--meta", "a=2"], "Say a once."),
    (["--meta", "homepage=example.org"], "--meta homepage takes a URL"),
    (["--meta", "labels=a,b"], "--labels FILE gives the names of the classes."),
    (["--meta", "nothing"], "expected KEY=VALUE"), (["--meta", "=a"], "expected KEY=VALUE"),
  ])
  func `what cannot be said is wrong usage`(arguments: [String], message: String) throws {
    for command in [
      ["fuse", Self.train, "b.rvd"], ["import", Self.train], ["export", Self.train, "b.npz"],
    ] {
      let result = try Program.run(command + arguments, in: folder.path)
      #expect(result.status == 64 && result.output == "", "\(result.errors)")
      #expect(result.errors.contains(message), "\(result.errors)")
    }
    #expect(try folder.names() == ["names.txt"])
  }

  @Test func `an uncommon license is written, and told`() throws {
    let result = try run("fuse", Self.train, "a.rvd", "--license", "Apache2")
    #expect(result.status == 0 && result.errors == "")
    #expect(
      result.output.contains(
        "  note          'Apache2' is not among the common licenses of SPDX's list: check the spelling;"
      ))
    #expect(try run("inspect", "a.rvd").output.contains("  license       Apache2\n"))
  }
}
