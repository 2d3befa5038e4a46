import Foundation
import TestSupport
import Testing

/// How images become a network's input: what is told, what is kept, and what is said of it.
@Suite struct InputCommandTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static let examples = Fixtures.folder + "/../../examples/"

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  /// The input that a file says, an `.rvd` or a `.pth`, as its reader for Python would find it.
  func input(of file: String) throws -> [String: Any]? {
    let text = String(decoding: try folder.read(file), as: UTF8.self)
    let start = try #require(text.range(of: #""input":{"#)?.upperBound)
    let end = try #require(text[start...].firstIndex(of: "}"))
    return try JSONSerialization.jsonObject(with: Data("{\(text[start..<end])}".utf8))
      as? [String: Any]
  }

  // MARK: The example

  @Test func `the walk-through of the example keeps every answer right`() throws {
    let network = Self.examples + "digits_repvgg.pkl"
    let digits = Self.examples + "digits.npz"
    #expect(try run("import", network, "--input-order", "rgb").status == 0)
    #expect(try run("fuse", "digits_repvgg.pth", "digits_repvgg.rvd", "--size", "32").status == 0)
    // Of the first sixty validation images, as NumPy finds with Expected/plain-fused64.npz.
    for model in ["digits_repvgg.pth", "digits_repvgg.rvd"] {
      let result = try run("eval", model, digits)
      #expect(result.status == 0 && result.errors == "")
      #expect(result.output.contains("  top-1         96.67 %, 58 right\n"), "\(result.output)")
    }
    let whole = try run(
      "run", "digits_repvgg.rvd", "--input", Fixtures.path("Expected/digits-validation.npz"))
    #expect(whole.output.contains("  top-1         93.33 %, 280 right\n"))
  }

  @Test(arguments: ["README.md", "examples/README.md", "scripts/demo"])
  func `nothing that is told of the example reverses its colours`(file: String) throws {
    let text = try String(contentsOfFile: Fixtures.folder + "/../../" + file, encoding: .utf8)
    let lines = text.split(separator: "\n").filter { $0.contains("import digits_repvgg.pkl") }
    #expect(lines.count >= 1)
    for line in lines {
      #expect(line.contains("--input-order rgb") && !line.contains("--channels"))
    }
  }

  @Test func `the README shows what its walk-through prints`() throws {
    for name in ["digits_repvgg.pkl", "digits.npz"] {
      try FileManager.default.copyItem(atPath: Self.examples + name, toPath: folder.file(name))
    }
    let text = try String(contentsOfFile: Fixtures.folder + "/../../README.md", encoding: .utf8)
    let start = try #require(text.range(of: "## A minute with it\n")?.upperBound)
    let end = try #require(text.range(of: "## Commands\n")?.lowerBound)
    // Outside and inside of fences in turn; inside, commands and their output in turn.
    let blocks = text[start..<end].components(separatedBy: "```\n").enumerated()
      .filter { $0.offset % 2 == 1 }.map(\.element)
    #expect(blocks.count == 10)
    // Times, and how logits differ, are those of a machine.
    func lines(_ text: String) -> [Substring] {
      text.split(separator: "\n").filter { line in
        !["  time ", "  float64 ", "  float32 "].contains { line.hasPrefix($0) }
      }
    }
    for (commands, output) in zip(blocks.indices, blocks).filter({ $0.0 % 2 == 0 })
      .map({ ($0.1, blocks[$0.0 + 1]) })
    {
      let command = try #require(commands.split(separator: "\n").last)
      let arguments = command.split(separator: " ").dropFirst().map(String.init)
      let result = try Program.run(arguments, in: folder.path)
      #expect(result.status == 0 && result.errors == "")
      #expect(lines(result.output) == lines(output), "\(command)")
    }
  }

  // MARK: What is told

  @Test func `what is given is stored, and the rest follows from it`() throws {
    let plain = Fixtures.path("PyTorch/plain-train.pth")
    let told = try run(
      "fuse", plain, "a.rvd", "--input-order", "bgr", "--range", "255", "--size", "32")
    #expect(told.status == 0 && told.errors == "")
    #expect(
      told.output.contains(
        """
          input         BGR, values 0…255, mean 103.53 116.28 123.675, deviation 57.375 57.12 58.395, 32x32 pixels
                        order, range, size as given, the rest the default of official

        """), "\(told.output)")
    let stored = try #require(try input(of: "a.rvd"))
    #expect(stored["channelOrder"] as? String == "BGR" && stored["scale"] as? Double == 255)
    #expect(stored["mean"] as? [Double] == [103.53, 116.28, 123.675])
    #expect(stored["standardDeviation"] as? [Double] == [57.375, 57.12, 58.395])
    #expect(stored["size"] as? Int == 32)

    let all = try run(
      "fuse", plain, "b.rvd", "--mean", "0.5,0.25,-1e-3", "--std=1,2,3", "--range", "1",
      "--input-order", "RGB")
    #expect(all.output.contains("mean 0.5 0.25 -0.001, deviation 1.0 2.0 3.0\n"))
    #expect(all.output.contains("                as given\n"))
    #expect(try input(of: "b.rvd")?["mean"] as? [Double] == [0.5, 0.25, -0.001])
  }

  @Test func `without a word it is the dialect's, and that is said`() throws {
    let result = try run("fuse", Fixtures.path("MegEngine/plain-basecls.pkl"), "a.rvd")
    #expect(
      result.output.contains(
        """
          input         BGR, values 0…255, mean 103.53 116.28 123.675, deviation 57.375 57.12 58.395
                        the default of basecls

        """), "\(result.output)")
  }

  @Test func `an rvd file's own input is kept by export, and told`() throws {
    let plain = Fixtures.path("PyTorch/plain-train.pth")
    #expect(try run("fuse", plain, "a.rvd", "--input-order", "bgr", "--size", "32").status == 0)
    let kept = try run("export", "a.rvd", "b.rvd")
    #expect(kept.output.contains("                as the file says\n"), "\(kept.output)")
    #expect(try folder.read("b.rvd") == folder.read("a.rvd"))
    let changed = try run("export", "a.rvd", "c.rvd", "--size", "64")
    #expect(changed.output.contains("                size as given, the rest as the file says\n"))
    #expect(try input(of: "c.rvd")?["size"] as? Int == 64)
    #expect(try input(of: "c.rvd")?["channelOrder"] as? String == "BGR")
  }

  @Test func `the order that a network takes is another thing than the one it is to take`() throws {
    let source = Fixtures.path("MegEngine/plain-basecls.pkl")
    #expect(try run("import", source, "-o", "kept.pth").status == 0)
    let known = try run(
      "import", source, "-o", "a.pth", "--input-order", "rgb", "--channels", "rgb")
    #expect(known.output.contains("  channels      RGB\n"))
    #expect(!known.output.contains("  note  "), "it is what official names stand for")
    // The same tensors, of which the one file says something else.
    let digests = try run("digest", "a.pth", "kept.pth").output.split(separator: "\n")
    #expect(digests.count == 2 && digests[0].prefix(64) == digests[1].prefix(64))
    #expect(try input(of: "a.pth")?["channelOrder"] as? String == "RGB")
    #expect(try input(of: "kept.pth")?["channelOrder"] as? String == "BGR")
    let turned = try run(
      "import", source, "-o", "b.pth", "--input-order", "rgb", "--channels", "bgr")
    #expect(turned.output.contains("  channels      BGR, reversed in the first block\n"))
    #expect(
      turned.output.contains(
        "deviation 57.375 57.12 58.395\n"), "the deviations are reversed with the colours")
  }

  @Test func `an input that the output cannot say is a note`() throws {
    let plain = Fixtures.path("PyTorch/plain-train.pth")
    let said = try run("fuse", plain, "a.pth", "--mean", "0.5,0.5,0.5")
    #expect(!said.output.contains("  note  "), "\(said.output)")
    #expect(
      try run("inspect", "a.pth").output.contains(
        "  input         RGB, values 0…1, mean 0.5 0.5 0.5,"))
    let result = try run("fuse", plain, "a.npz", "--mean", "0.5,0.5,0.5")
    #expect(
      result.output.contains(
        "  note          the input (RGB, values 0…1, mean 0.5 0.5 0.5, deviation 0.229 0.224 0.225) cannot be stored in the output, and files with names of official are taken to have RGB, values 0…1, mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225: fuse it with --input-order rgb, --range, --mean and --std\n"
      ), "\(result.output)")
  }

  @Test func `pictures are prepared as told`() throws {
    let source = Fixtures.path("MegEngine/plain-basecls.pkl")
    let digits = Self.examples + "digits.npz"
    let wrong = try run("eval", source, digits)
    #expect(wrong.output.contains("  input         BGR, values 0…255"))
    #expect(!wrong.output.contains("58 right"))
    let right = try run("eval", source, digits, "--input-order", "rgb")
    #expect(right.output.contains("  input         RGB, values 0…255, mean 123.675 116.28 103.53"))
    #expect(right.output.contains("  top-1         96.67 %, 58 right\n"))
  }

  @Test(arguments: [
    ["--input-order", "hsv"], ["--range", "2"], ["--mean", "1,2"], ["--mean", "1,2,x"],
    ["--std", "1,2,0"], ["--size", "0"], ["--std", "1,inf,1"],
  ])
  func `an input that is none is wrong usage`(arguments: [String]) throws {
    let result = try Program.run(
      ["fuse", Fixtures.path("Cases/one-block.pth"), "a.rvd"] + arguments, in: folder.path)
    #expect(result.status == 64 && result.output == "")
    #expect(try folder.names() == [])
  }

  // MARK: The output is the input

  @Test(arguments: ["fuse", "import", "export"], ["same", "path", "symlink", "hard link"])
  func `an output that is the input is refused, by whatever name and force`(
    command: String, kind: String
  ) throws {
    try folder.write(Fixtures.bytes("Cases/one-block.pth"), to: "a.pth")
    var other = "a.pth"
    switch kind {
    case "path":
      try FileManager.default.createDirectory(
        atPath: folder.file("d"), withIntermediateDirectories: false)
      other = "d/../a.pth"
    case "symlink":
      other = "b.pth"
      try FileManager.default.createSymbolicLink(
        atPath: folder.file(other), withDestinationPath: "a.pth")
    case "hard link":
      other = "b.pth"
      try FileManager.default.linkItem(atPath: folder.file("a.pth"), toPath: folder.file(other))
    default: break
    }
    let before = try folder.names()
    for force in [[], ["--force"]] {
      let names = command == "import" ? ["a.pth", "-o", other] : ["a.pth", other]
      let result = try Program.run([command] + names + force, in: folder.path)
      #expect(result.status == 2 && result.output == "")
      #expect(
        result.errors
          == "repconv: error: \(other): the output would be the input\(other == "a.pth" ? "" : " a.pth").\n  Name another file as the output; --force does not replace an input.\n"
      )
    }
    #expect(try folder.read("a.pth") == Fixtures.bytes("Cases/one-block.pth"))
    #expect(try folder.names() == before)
  }

  @Test func `import without an output does not propose its own input`() throws {
    try folder.write(Fixtures.bytes("Cases/one-block.pth"), to: "a.pth")
    for force in [[], ["--force"]] {
      let result = try Program.run(["import", "a.pth"] + force, in: folder.path)
      #expect(result.status == 2)
      #expect(
        result.errors
          == "repconv: error: a.pth: the output would be the input.\n  Name another with -o: without it, the output has the input's name with .pth.\n"
      )
    }
    #expect(try folder.read("a.pth") == Fixtures.bytes("Cases/one-block.pth"))
    // Looking is free.
    #expect(try run("import", "a.pth", "--dry-run").status == 0)
  }

  @Test func `logits do not replace the images or the network`() throws {
    try folder.write(Fixtures.bytes("Digits/digits.npz"), to: "a.npz")
    let result = try run(
      "run", Fixtures.path("PyTorch/plain-train.pth"), "--input", "a.npz", "-o", "a.npz", "--force")
    #expect(result.status == 2 && result.output == "")
    #expect(result.errors.contains("a.npz: the output would be the input.\n"))
    #expect(try folder.read("a.npz") == Fixtures.bytes("Digits/digits.npz"))
    #expect(
      try run(
        "export", Fixtures.path("PyTorch/plain-train.pth"), "b.npz"
      ).status == 0)
    let network = try run("run", "b.npz", "--input", "a.npz", "-o", "./b.npz", "--force")
    #expect(network.errors.contains("./b.npz: the output would be the input b.npz.\n"))
  }

  @Test func `a table of names is no output either`() throws {
    let table = try run("dialects", "--show", "timm").output
      .replacingOccurrences(of: "name: timm", with: "name: mine")
    try folder.write(Array(table.utf8), to: "mine.pth")
    let result = try run(
      "import", Fixtures.path("PyTorch/plain-train.pth"), "-o", "mine.pth", "--dialect", "mine.pth",
      "--force")
    #expect(result.status == 2)
    #expect(result.errors.contains("mine.pth: the output would be the input.\n"))
  }
}
