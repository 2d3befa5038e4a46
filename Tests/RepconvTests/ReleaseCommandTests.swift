import Foundation
import TestSupport
import Testing

/// What `release` writes, and when it writes nothing.
@Suite struct ReleaseCommandTests {
  let folder: TemporaryFolder
  static let train = Fixtures.path("PyTorch/plain-train.pth")
  static let digits = Fixtures.path("Digits/digits.npz")
  static let documents = [
    "README.md", "SHA256SUMS", "bom.cdx.json", "provenance.intoto.json", "report.html",
  ]

  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(["release"] + arguments, in: folder.path)
  }

  func names(in name: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.file(name)).sorted()
  }

  func text(_ name: String) throws -> String {
    String(decoding: try folder.read(name), as: UTF8.self)
  }

  func json(_ name: String) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(folder.read(name))) as? [String: Any])
  }

  /// Whether the system's own program finds every file as SHA256SUMS has it.
  func isSound(_ name: String) throws -> Bool {
    let process = Process()
    let sha256sum = "/usr/bin/sha256sum"
    let isThere = FileManager.default.isExecutableFile(atPath: sha256sum)
    process.executableURL = URL(fileURLWithPath: isThere ? sha256sum : "/usr/bin/shasum")
    process.arguments =
      isThere ? ["-c", "--strict", "SHA256SUMS"] : ["-a", "256", "-c", "SHA256SUMS"]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.file(name))
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test func `a folder has the model, its documents and their digests, always the same`() throws {
    let options = [
      "--formats", "rvd,onnx,mlpackage,param", "--license", "apache-2.0", "--size", "32", "--eval",
      Self.digits, "--at-least", "97",
    ]
    for (name, threads) in [("ä", "1"), ("b", "2")] {
      let result = try Program.run(
        ["release", Self.train, "-o", name, "--threads", threads] + options, in: folder.path)
      #expect(result.status == 0 && result.errors == "", "\(result.errors)")
      #expect(result.output.contains("\n  top-1         97.50 %, 39 right\n"))
    }
    #expect(try folder.names() == ["b", "ä"])
    let models = ["bin", "mlpackage", "onnx", "param", "rvd"].map { "plain-train.\($0)" }
    #expect(try names(in: "ä") == (Self.documents + models).sorted())
    #expect(try isSound("ä"))
    let lines = try text("ä/SHA256SUMS").split(separator: "\n")
    #expect(lines.count == 2 + 3 + 2 + 4)
    for line in lines {
      let name = String(line.dropFirst(66))
      #expect(try folder.read("ä/\(name)") == folder.read("b/\(name)"), "\(name)")
    }
    #expect(try folder.read("ä/SHA256SUMS") == folder.read("b/SHA256SUMS"))

    // The documents have the digests of the list.
    let digests = Dictionary(
      uniqueKeysWithValues: lines.map { (String($0.dropFirst(66)), String($0.prefix(64))) })
    let statement = try json("ä/provenance.intoto.json")
    #expect(statement["_type"] as? String == "https://in-toto.io/Statement/v1")
    #expect(statement["predicateType"] as? String == "https://slsa.dev/provenance/v1")
    let subjects = try #require(statement["subject"] as? [[String: Any]])
    #expect(subjects.count == lines.count - 1)
    for subject in subjects {
      let name = try #require(subject["name"] as? String)
      #expect((subject["digest"] as? [String: String])?["sha256"] == digests[name])
    }
    let definition = try #require(
      (statement["predicate"] as? [String: Any])?["buildDefinition"] as? [String: Any])
    let parameters = try #require(definition["externalParameters"] as? [String: Any])
    #expect(
      parameters["license"] as? String == "apache-2.0" && parameters["at-least"] as? Int == 97)
    #expect(parameters["eval"] as? String == "digits.npz" && parameters["threads"] == nil)
    let sources = try #require(definition["resolvedDependencies"] as? [[String: Any]])
    #expect(sources.map { $0["name"] as? String } == ["plain-train.pth", "digits.npz"])

    let bill = try json("ä/bom.cdx.json")
    #expect(bill["specVersion"] as? String == "1.6")
    #expect(
      (bill["serialNumber"] as? String)?.wholeMatch(
        of: #/urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/#) != nil
    )
    let model = try #require((bill["metadata"] as? [String: Any])?["component"] as? [String: Any])
    #expect(model["type"] as? String == "machine-learning-model")
    let files = try #require(model["components"] as? [[String: Any]])
    #expect(files.count == 2 + 3 + 2)
    for file in files {
      let hash = (file["hashes"] as? [[String: String]])?.first
      #expect(try hash?["content"] == digests[#require(file["name"] as? String)])
    }

    let card = try text("ä/README.md")
    #expect(card.hasPrefix("---\nlicense: apache-2.0\nlibrary_name: repconv\n"))
    #expect(card.contains("    - type: accuracy\n      name: Top-1 accuracy\n      value: 0.975\n"))
    #expect(card.contains("| `plain-train.onnx` | 8 | exact | 2 | logits differ by less than"))
    #expect(card.contains("Not read back") && card.contains("`plain-train.param`, made of"))
    for (name, digest) in digests where name.hasPrefix("plain-train") {
      #expect(card.contains("| `\(name)` | ") && card.contains("`\(digest)`"))
    }
    #expect(!card.contains(folder.path) && !card.contains("partial"))
  }

  @Test func `a card without an evaluation has no results`() throws {
    #expect(
      try run(Self.train, "-o", "a", "--formats", "rvd", "--size", "32", "--license", "MIT OR Zlib")
        .status == 0)
    let card = try text("a/README.md")
    #expect(card.hasPrefix("---\nlicense: other\nlicense_name: \"MIT OR Zlib\"\n"))
    #expect(!card.contains("model-index") && !card.contains("## Evaluation"))
  }

  @Test(arguments: [
    (["--eval", digits, "--at-least", "98"], 1, "top-1 is 97.50 %, below the 98.00 % asked for."),
    (["-a", "RepVGG-A0"], 1, "RepVGG-A0"),
    (["--formats", "wts,safetensors", "--dtype", "int8"], 2, "int8"),
    (["--dtype", "bfloat16"], 2, "a/plain-train.onnx: convolutions of operator set 13"),
    (["--formats", "param"], 2, "a: of ncnn nothing can be read back and proven."),
    (["--formats", "rvd,rvd"], 64, "--formats names one twice"),
    (["--formats", "zip"], 64, "--formats takes some of"),
    (["--at-least", "98"], 64, "--at-least is only for --eval."),
    (["--name", "../a"], 64, "--name takes letters"),
    (["--shard", "1/2"], 64, "--shard is only for --manifest."),
    (["--builder", "me"], 64, "--builder takes a URI"),
  ])
  func `what fails leaves no folder`(options: [String], status: Int32, message: String) throws {
    let result = try Program.run(
      ["release", Self.train, "-o", "a", "--size", "32"] + options, in: folder.path)
    #expect(result.status == status && result.output == "")
    #expect(result.errors.contains(message), "\(result.errors)")
    #expect(try folder.names() == [])
  }

  @Test func `what is there is left alone, or replaced as a whole`() throws {
    func release(_ options: String...) throws -> Program.Result {
      try Program.run(
        ["release", Self.train, "-o", "a", "--formats", "rvd", "--size", "32"] + options,
        in: folder.path)
    }
    #expect(try release().status == 0)
    let before = try folder.read("a/SHA256SUMS")
    try folder.write([1], to: "a/mine")
    let refused = try release("--license", "MIT")
    #expect(refused.status == 2)
    #expect(refused.errors == "repconv: error: a: the file exists.\n  Use --force to replace it.\n")
    #expect(try folder.read("a/SHA256SUMS") == before)
    // A check that fails leaves it, too.
    #expect(try release("--force", "--eval", Self.digits, "--at-least", "99").status == 1)
    #expect(try folder.read("a/SHA256SUMS") == before && folder.read("a/mine") == [1])

    #expect(try release("--force", "--license", "MIT").status == 0)
    #expect(try names(in: "a") == (Self.documents + ["plain-train.rvd"]).sorted())
    #expect(try folder.read("a/SHA256SUMS") != before && isSound("a"))

    // Of another kind.
    try folder.write([1], to: "b/mine", makingFolders: true)
    let other = try run(Self.train, "-o", "b", "--force")
    #expect(other.status == 2 && other.errors.contains("without 'SHA256SUMS'"))
    #expect(try names(in: "b") == ["mine"] && folder.names() == ["a", "b"])
  }

  @Test func `a dry run says what would be there`() throws {
    let result = try run(Self.train, "-o", "a", "--dry-run", "--name", "net")
    #expect(result.status == 0 && result.output.contains("\n  would write   net.safetensors"))
    #expect(try folder.names() == [])
  }

  @Test func `text from files is text in the card, whatever it is`() throws {
    let hostile = "x](javascript:1) <b>|`a`\u{1B}[31m &lt; \u{202E}# *b* @me ![](//e.org) \\"
    let train = "mo|del<i>\u{1B}.pth"
    try folder.write(Fixtures.bytes("PyTorch/plain-train.pth"), to: train)
    try folder.write(
      Array(([hostile] + (1..<10).map { "\($0)" }).joined(separator: "\n").utf8), to: "names.txt")
    let result = try run(
      train, "-o", "a", "--formats", "rvd", "--size", "32", "--labels", "names.txt", "--meta",
      "authors=\(hostile)", "--meta", "task=a\"\n---\nlicense: x", "--meta",
      "k|\(hostile)=a\n---\n# b", "--meta", "homepage=https://e.org/<b>|x")
    #expect(result.status == 0, "\(result.errors)")
    #expect(try names(in: "a").contains("mo-del-i--.rvd"))
    let card = try text("a/README.md")
    let lines = card.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.filter { $0 == "---" }.count == 2)
    #expect(!lines.contains { $0.hasPrefix("license") || $0.hasPrefix("# b") })
    #expect(
      card.contains(
        ##"| 0 | x\](javascript\:1) \<b\>\|\`a\`\\u\{1b\}\[31m \&lt; \\u\{202e\}\# \*b\* \@me \!\[\](//e\.org) \\ |"##
      ))
    #expect(lines.contains(#"pipeline_tag: "a\"\u000a---\u000alicense: x""#))
    for scalar in card.unicodeScalars where scalar != "\n" {
      #expect(![.control, .format].contains(scalar.properties.generalCategory))
    }
    // In tables a cell is a cell.
    for line in lines where line.hasPrefix("| authors") || line.hasPrefix("| homepage") {
      #expect(line.replacing("\\|", with: "").split(separator: "|").count == 2)
    }
    let bill = try json("a/bom.cdx.json")
    let model = try #require((bill["metadata"] as? [String: Any])?["component"] as? [String: Any])
    #expect((model["authors"] as? [[String: String]]) == [["name": hostile]])
    #expect(model["externalReferences"] == nil, "this is no address")
  }

  @Test func `a signal leaves nothing`() throws {
    // Threads that tests run on may let no signal through, and programs inherit that.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGTERM)
    unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    var interrupted = 0
    for _ in 0..<5 where interrupted == 0 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = ["release", Self.train, "-o", "a", "--formats", "onnx,mlpackage,rvd"]
      process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      func isUnderWay() -> Bool {
        let names = (try? folder.names()) ?? []
        return names.contains { hidden in
          hidden.hasPrefix(".a.")
            && (try? self.names(in: hidden))?.contains("plain-train.mlpackage") == true
        }
      }
      while process.isRunning, !isUnderWay() { usleep(1000) }
      process.terminate()
      process.waitUntilExit()
      if process.terminationReason == .uncaughtSignal {
        interrupted += 1
        #expect(try folder.names() == [])
      }
      try? FileManager.default.removeItem(atPath: folder.file("a"))
    }
    #expect(interrupted == 1)
  }
}
