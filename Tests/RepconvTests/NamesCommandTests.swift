import Blocks
import Foundation
import Naming
import TestSupport
import Testing

/// Names as a user gives them on the command line: rules, tables of their own, names of the output.
@Suite struct NamesCommandTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static let plain = Fixtures.path("PyTorch/plain-train.pth")

  func run(_ arguments: [String]) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  /// timm's table under another name, with another stem.
  func writeTable(_ change: (String) -> String = { $0 }) throws {
    let table = try run(["dialects", "--show", "timm"]).output
      .replacingOccurrences(of: "name: timm", with: "name: mine")
      .replacingOccurrences(of: "stem", with: "entry")
    try folder.write(Array(change(table).utf8), to: "mine.dialect")
  }

  struct Refusal: CustomTestStringConvertible, Sendable {
    var arguments: [String]
    var status: Int32 = 2
    /// All of stderr.
    var errors: String
    var testDescription: String { arguments.joined(separator: " ") }
  }

  // MARK: --rename

  static let badRules = [
    Refusal(
      arguments: ["nothing.*=*"],
      errors: """
        repconv: error: the rule 'nothing.*=*': it matches no name, or an earlier rule matches all that it would.
          Rules are as in 'encoder.*=*' or 'layer{s}.{b}.*=stage{s}.{b}.*'.

        """),
    Refusal(
      arguments: ["stage1.*=stage1.*", "stage1.0.*=stage9.0.*"],
      errors: """
        repconv: error: the rule 'stage1.0.*=stage9.0.*': it matches no name, or an earlier rule matches all that it would.
          Rules are as in 'encoder.*=*' or 'layer{s}.{b}.*=stage{s}.{b}.*'.

        """),
    Refusal(
      arguments: ["stage1.0.*=stage1.1.*"],
      errors: """
        repconv: error: \(plain): by the rules, 'stage1.0.rbr_dense.conv.weight' and 'stage1.1.rbr_dense.conv.weight' are both called 'stage1.1.rbr_dense.conv.weight'.
          Change the rules so that every tensor keeps a name of its own.

        """),
    // Two names for one parameter, of which only the prefix shows it.
    Refusal(
      arguments: ["linear.bias=_orig_mod.linear.weight"],
      errors: """
        repconv: error: \(plain): 'linear.weight' and 'linear.bias' are the same parameter once prefixes are taken off.
          Save the state dict of one network only.

        """),
  ]

  @Test(arguments: ["import", "export", "fuse", "inspect", "check"], badRules)
  func `a rule that changes nothing, and one that makes two names one, are errors`(
    command: String, refusal: Refusal
  ) throws {
    let output =
      ["import": ["-o", "x.pth"], "export": ["x.pth"], "fuse": ["x.pth"]][command] ?? []
    let rules = refusal.arguments.flatMap { ["--rename", $0] }
    let result = try run([command, Self.plain] + output + rules)
    if ["inspect", "check"].contains(command) {
      // They tell of the file what they can, the error among it.
      let message = refusal.errors.replacingOccurrences(of: "\(Self.plain): ", with: "")
        .dropFirst("repconv: error: ".count).prefix { $0 != "\n" }
      #expect(result.output.contains(message) && result.errors == "")
      #expect(result.status == (command == "check" ? 1 : 0))
    } else {
      #expect(result.status == 2 && result.output == "")
      #expect(result.errors == refusal.errors)
    }
    #expect(try folder.names() == [])
  }

  @Test(arguments: [
    ("x", "'x' has no '=' between two patterns"), ("=", "an empty pattern"),
    ("a=", "an empty pattern"), ("{=a", "'{' without '}' in '{'"),
    ("}=a", "'}' without '{' in '}'"),
    ("{1}=a", "'{1}' in '{1}' is not a number's name, as {s} or {s-1}"),
    ("*=a", "'*=a' does not have the same places on both sides"),
    ("{s}=*", "'{s}=*' does not have the same places on both sides"),
  ])
  func `a rule that is none is wrong usage`(rule: String, reason: String) throws {
    let result = try run(["import", Self.plain, "--rename", rule])
    #expect(result.status == 64 && result.output == "")
    #expect(
      result.errors.split(separator: "\n").first
        == "repconv: error: --rename: \(reason).")
  }

  @Test func `rules give a foreign file the names it needs, each name by the first that matches`()
    throws
  {
    // Under names of no dialect a file is no network; other tensors keep the names that rules give.
    try writeTable {
      $0.replacingOccurrences(of: "block: stage0 = entry", with: "block: stage0 = encoder.entry")
        .replacingOccurrences(of: "= stages.{s-1}.{b}", with: "= encoder.layer{s}-{b}")
        .replacingOccurrences(of: "classifier: head.fc", with: "classifier: top")
    }
    let foreign = [
      "import", Self.plain, "-o", "foreign.npz", "--dialect", "mine.dialect", "--names", "mine",
    ]
    #expect(try run(foreign).status == 0)
    let rules = [
      "encoder.entry.*=stem.*", "encoder.layer{s}-{b}.*=stages.{s-1}.{b}.*", "encoder.*=*",
      "top.*=head.fc.*",
    ]
    let unused = try run(["fuse", "foreign.npz", "a.rvd"] + rules.flatMap { ["--rename", $0] })
    #expect(
      unused.errors.hasPrefix("repconv: error: the rule 'encoder.*=*': it matches no name, or an"))
    let result = try run(
      ["fuse", "foreign.npz", "a.rvd"]
        + rules.filter { $0 != "encoder.*=*" }.flatMap { ["--rename", $0] })
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("names of timm\n"))
    #expect(
      result.output.contains(
        "  fused         8 blocks, 3 with identity; 2 other tensors passed through\n"))
    #expect(result.output.contains("  note          renamed 113 tensors by rule\n"))
  }

  // MARK: --dialect

  @Test func `a table of one's own is read and written`() throws {
    try writeTable()
    let written = try run(
      [
        "import", Self.plain, "-o", "mine.safetensors", "--dialect", "mine.dialect", "--names",
        "mine",
      ])
    #expect(written.status == 0 && written.errors == "")
    #expect(written.output.contains("  tensors       113, 113 renamed to mine\n"))
    let fused = try run(["fuse", "mine.safetensors", "a.rvd", "--dialect", "mine.dialect"])
    #expect(fused.output.contains("names of mine\n"))
    #expect(try run(["fuse", Self.plain, "b.rvd"]).status == 0)
    let contents = try ["a.rvd", "b.rvd"].map { file in
      try run(["inspect", file]).output.split(separator: "\n").first { $0.contains("content") }
    }
    #expect(contents[0] != nil && contents[0] == contents[1])
    // timm's own table knows all but the stem.
    #expect(
      try run(["fuse", "mine.safetensors", "c.rvd"]).output.contains(
        "blocks inside a larger network"))
  }

  @Test func `the table that the documentation shows is one, and has its keys`() throws {
    let path = Fixtures.folder + "/../../formats/dialects.md"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let example = lines.drop { !$0.hasPrefix("    ") }.prefix { $0.hasPrefix("    ") }
    try folder.write(Array(example.joined(separator: "\n").utf8), to: "mine.dialect")
    let written = try run(
      [
        "import", Self.plain, "--dialect", "mine.dialect", "--names", "mine", "--dry-run",
      ])
    #expect(written.status == 0 && written.errors == "")
    #expect(written.output.contains("  stage1.0.main.bn.running_var  "))
    #expect(written.output.contains("  stage1.1.rbr_identity.weight  "))

    // Every key of every built-in table is told of, those of layers by their kinds.
    let documented = Set(text.split(separator: "`").map(String.init))
    for dialect in Dialect.all {
      for line in dialect.text.split(separator: "\n") {
        let key = String(line.prefix { $0 != ":" })
        let kind = key.split(separator: " ").last.map { "LAYER \($0)" }
        #expect(documented.contains(key) || documented.contains(kind ?? key), "\(key)")
      }
      for table in dialect.tables {
        #expect(documented.contains(table.family.name), "\(table.family.name)")
        for layer in table.family.layers {
          #expect(documented.contains(layer.name), "\(table.family.name) \(layer.name)")
        }
      }
    }
  }

  @Test(
    arguments: [
      ("name: mine", "name: timm", "mine.dialect: a built-in dialect is called 'timm' already."),
      (
        "epsilon: 1e-5", "epsilon: -1",
        "mine.dialect at line 4: 'epsilon' is a number of at least 0, not '-1'."
      ),
      ("epsilon: 1e-5", "", "mine.dialect: 'epsilon' is missing."),
      (
        "pointwise batchnorm: conv_1x1.bn", "pointwise batchnorm:",
        "mine.dialect: 'pointwise batchnorm' is missing from the part on RepVGG."
      ),
      (
        "family: RepVGG", "",
        "mine.dialect at line 14: 'block' is not a key that stands before the first 'family'."
      ),
      (
        "family: RepVGG", "family: ResNet",
        "mine.dialect at line 13: 'family' is one of \(BlockFamily.all.map(\.name).joined(separator: ", ")), not 'ResNet'."
      ),
      (
        "family: RepVGG", "family: RepVGG\nseparator: _",
        "mine.dialect at line 14: 'separator' is not a key of the part on RepVGG."
      ),
      (
        "family: RepVGG", "family: MobileOne",
        "mine.dialect: 'conv convolution' is missing from the part on MobileOne."
      ),
      (
        "input: RGB", "input: HSV",
        "mine.dialect at line 5: 'input' is as in 'RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225', not 'HSV 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225'."
      ),
      (
        "/ 0.229 0.224 0.225", "/ 0 0 0",
        "mine.dialect at line 5: 'input' has three means and three deviations."
      ),
      (
        "block: stage0 = entry", "block: stage0 = entry{s}",
        "mine.dialect at line 14: 'stage0 = entry{s}' does not have the same places on both sides."
      ),
      (
        "block: stage0 = entry", "block stage0 = entry",
        "mine.dialect at line 14: expected 'key: value', found 'block stage0 = entry'."
      ),
      (
        "epsilon: 1e-5", "epsilon: 1e-5\nkernel layout: IOHW",
        "mine.dialect at line 5: 'kernel layout' is one of OIHW, HWIO, GOIHW, not 'IOHW'."
      ),
      (
        "block: stage0 = entry", "colour: red",
        "mine.dialect at line 14: 'colour' is not a key of the part on RepVGG."
      ),
      (
        "pointwise convolution: conv_1x1", "pointwise convolution: conv_kxk",
        "mine.dialect: two parameters of a block are called 'conv_kxk.conv.weight'."
      ),
      (
        "batchnorm beta: bias", "batchnorm beta: weight",
        "mine.dialect: two parameters of a block are called 'identity.weight'."
      ),
      ("name: mine", "name: mine\nname: yours", "mine.dialect at line 2: 'name' is there twice."),
      ("name: mine", "name: mine\u{0}\u{FFFD}", nil),
    ] as [(String, String, String?)])
  func `a table that is none is refused, with its line`(
    part: String, change: String, message: String?
  ) throws {
    try writeTable { $0.replacingOccurrences(of: part, with: change) }
    if message == nil { try folder.write(Array("name: mine\n".utf8) + [0xFF], to: "mine.dialect") }
    let result = try run(["import", Self.plain, "-o", "x.pth", "--dialect", "mine.dialect"])
    #expect(result.status == 2 && result.output == "")
    #expect(
      result.errors == """
        repconv: error: \(message ?? "mine.dialect: it is not UTF-8 text.")
          'repconv dialects --show NAME' prints a built-in table to begin with.

        """)
    #expect(try folder.names() == ["mine.dialect"])
  }

  @Test func `a table that is not there is missing as any file`() throws {
    let result = try run(["fuse", Self.plain, "x.rvd", "--dialect", "mine.dialect"])
    #expect(result.status == 2)
    #expect(
      result.errors
        == "repconv: error: mine.dialect: no such file or directory.\n  Check the spelling and the current folder.\n"
    )
  }

  // MARK: --names

  @Test(arguments: ["import", "export", "fuse"])
  func `names that nobody has are wrong usage, on every command that writes`(command: String) throws
  {
    let output = command == "import" ? ["-o", "x.pth"] : ["x.pth"]
    let result = try run([command, Self.plain] + output + ["--names", "klingon"])
    #expect(result.status == 64 && result.output == "")
    #expect(
      result.errors.split(separator: "\n").first
        == "repconv: error: --names does not know 'klingon'. 'repconv dialects' lists them all."
    )
    #expect(try folder.names() == [])
  }

  @Test(arguments: [
    ("import", "stem.conv_kxk.conv.weight"), ("export", "stem.conv_kxk.conv.weight"),
    ("fuse", "stem.reparam_conv.weight"),
  ])
  func `every command that writes takes names of the output`(command: String, name: String) throws {
    let output = command == "import" ? ["-o", "x.safetensors"] : ["x.safetensors"]
    #expect(try run([command, Self.plain] + output + ["--names", "TIMM"]).status == 0)
    #expect(try run(["inspect", "x.safetensors", "--all"]).output.contains(" \(name) "))
  }

  @Test(arguments: [false, true])
  func `two tensors that would have one name are an error, also in a dry run`(isDry: Bool) throws {
    // timm calls the classifier's weight as the other tensor is called.
    let arguments =
      ["--rename", "linear.bias=head.fc.weight", "--names", "timm"] + (isDry ? ["--dry-run"] : [])
    for command in [
      ["import", Self.plain, "-o", "x.npz"], ["export", Self.plain, "x.npz"],
      ["fuse", Self.plain, "x.npz"],
    ] {
      let result = try run(command + arguments)
      #expect(result.status == 2 && result.output == "")
      #expect(
        result.errors == """
          repconv: error: x.npz: two tensors are called 'head.fc.weight'.
            Rename one of them.

          """)
    }
    #expect(try folder.names() == [])
  }

  @Test(arguments: [("se", "objax"), ("plus", "timm"), ("plus", "paddleclas")])
  func `what a dialect has no name for is an error`(model: String, names: String) throws {
    let path = Fixtures.path("PyTorch/\(model)-train.pth")
    let result = try run(["import", path, "-o", "x.pth", "--names", names, "--dry-run"])
    #expect(result.status == 2 && result.output == "")
    #expect(result.errors.hasPrefix("repconv: error: the dialect '\(names)' has no name for '"))
    #expect(
      result.errors.hasSuffix(
        "'.\n  Its networks have no such parameter; choose another with --names.\n"))
  }

  // MARK: --dry-run

  static let one = Fixtures.path("Cases/one-block.pth")

  @Test(arguments: ["import", "export"])
  func `a dry run is a table of names and shapes`(command: String) throws {
    let output = command == "import" ? [] : ["x.safetensors"]
    let result = try run(
      [command, Self.one] + output + ["--dry-run", "--names", "repvgg-megengine"])
    #expect(result.status == 0 && result.errors == "")
    let lines = result.output.split(separator: "\n").map {
      $0.split(separator: " ").joined(separator: " ")
    }
    #expect(lines[0] == "official names shape repvgg-megengine names shape")
    #expect(lines.contains("body.0.rbr_dense.conv.weight 2x2x3x3 body.0.dense.conv.weight 2x2x3x3"))
    #expect(lines.contains("body.0.rbr_1x1.bn.running_var 2 body.0.pointwise.bn.running_var 2"))
    #expect(lines.contains("body.0.rbr_identity.weight 2 body.0.identity.weight 2"))
    #expect(
      lines.contains {
        $0 == "dropped 3 BatchNorm step counters"
      })
    #expect(try folder.names() == [])
  }

  @Test(arguments: ["import", "export", "fuse"])
  func `the JSON of a dry run has what scripts need`(command: String) throws {
    let output = command == "import" ? [] : ["x.h5"]
    let path = Fixtures.path("HDF5/g2-keras-legacy.h5")
    let result = try run(
      [command, path] + output + ["--dry-run", "--json", "--names", "basecls", "--force"])
    #expect(result.status == 0 && result.errors == "")
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    let mapping = try #require(json["mapping"] as? [String: Any])
    #expect(mapping["dialect"] as? String == "keras" && mapping["names"] as? String == "basecls")
    #expect(mapping["dropped"] is [[String: Any]] && json["notes"] is [[String: Any]])
    #expect((json["output"] as? [String: Any])?["bytes"] is NSNull, "nothing was written")
    let tensors = try #require(mapping["tensors"] as? [[String: Any]])
    let kernel = try #require(
      tensors.first { $0["from"] as? String == "stage1_1_rbr_dense_conv.kernel" })
    #expect(kernel["fromShape"] as? [Int] == [3, 3, 8, 16])
    #expect(kernel["toShape"] as? [Int] == [2, 8, 8, 3, 3])
    #expect(
      kernel["to"] as? String
        == (command == "fuse" ? "stage1.1.rbr_reparam.weight" : "stage1.1.rbr_dense.conv.weight"))
    #expect(try folder.names() == [])
  }

  // MARK: --to

  @Test(arguments: ["rvd", "pth", "safetensors", "npz", "h5", "pkl", "wts"])
  func `the format can be named apart from the file`(format: String) throws {
    let deployed = Fixtures.path("Cases/deploy-only.pth")
    for command in [["fuse", Self.one, "a.bin"], ["export", deployed, "a.bin", "--force"]] {
      let result = try run(command + ["--to", format.uppercased(), "--names", "official"])
      #expect(result.status == 0, "\(result.errors)")
      #expect(try run(["inspect", "a.bin"]).output.contains("deploy: 1 block"))
      #expect(
        try run(Array(command[..<2]) + ["b.\(format)", "--force", "--names", "official"]).status
          == 0)
      #expect(try folder.read("a.bin") == folder.read("b.\(format)"))
    }
    // Without a name for the output, it gets the format's extension.
    #expect(try run(["import", deployed, "--to", format, "--names", "official"]).status == 0)
    #expect(try folder.read("deploy-only.\(format)") == folder.read("a.bin"))
  }

  @Test(
    arguments: [
      (
        ["export", one, "x.bin"], 2,
        "repconv: error: x.bin: no format that can be written has this extension.\n  Use one of .rvd, .pth, .safetensors, .npz, .h5, .pkl, .wts, .onnx, .mlpackage, .param, or name the format with --to.\n"
      ),
      (
        ["export", one, "x.bin", "--to", "coreml"], 64,
        "repconv: error: --to takes one of rvd, pth, safetensors, npz, h5, pkl, wts, onnx, mlpackage, param, not 'coreml'.\n"
      ),
      (
        ["export", one, "x.wts"], 2,
        "repconv: error: \(one): it is in train form, and TensorRT .wts text files hold deploy networks only.\n  'repconv fuse' makes one from it.\n"
      ),
      (
        ["export", one, "x.pth", "--to", "rvd"], 2,
        "repconv: error: \(one): it is in train form, and RVD 1 files hold deploy networks only.\n  'repconv fuse' makes one from it.\n"
      ),
      (
        ["export", Fixtures.path("PyTorch/plain-bfloat16.pth"), "x.npz"], 2,
        "repconv: error: x.npz: 'stage0.rbr_dense.conv.weight' is bfloat16, which NumPy has no type for.\n  Write it as float32, or use .safetensors.\n"
      ),
    ] as [([String], Int32, String)])
  func `what a format cannot carry is said`(arguments: [String], status: Int32, errors: String)
    throws
  {
    let result = try run(arguments)
    #expect(result.status == status && result.output == "")
    #expect(result.errors.hasPrefix(errors), "\(result.errors)")
    #expect(try folder.names() == [])
  }
}
