import Blocks
import Foundation
import TestSupport
import Testing
import Topologies

/// The program as a user runs it: what it prints, where, how it exits and what it leaves behind.
@Suite struct CommandTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result { try run(arguments) }

  func run(_ arguments: [String]) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  func fixture(_ name: String) -> String { Fixtures.path(name) }

  @Test func `the main job works with the defaults`() throws {
    let imported = try run("import", fixture("MegEngine/plain-basecls.pkl"), "--from", "megengine")
    #expect(imported.status == 0 && imported.errors == "")
    #expect(imported.output.contains("plain-basecls.pkl → plain-basecls.pth"))
    let fused = try run("fuse", "plain-basecls.pth", "out.rvd")
    #expect(fused.status == 0 && fused.errors == "")
    #expect(
      fused.output.contains(
        "  fused         8 blocks, 3 with identity; 2 other tensors passed through\n"))
    #expect(fused.output.contains("  epsilon       1e-05, the default of official\n"))
    let inspected = try run("inspect", "out.rvd")
    #expect(inspected.status == 0 && inspected.errors == "")
    #expect(inspected.output.contains("  form          deploy: 8 blocks\n"))
    #expect(try folder.names() == ["out.rvd", "plain-basecls.pth"])
  }

  @Test func `quiet prints nothing`() throws {
    let result = try run("fuse", "-q", fixture("Cases/one-block.pth"), "out.rvd")
    #expect(result.status == 0 && result.output == "" && result.errors == "")
  }

  @Test func `a compressed file says what it gained, and becomes the raw one again`() throws {
    let train = fixture("MegEngine/plain-basecls.pkl")
    func bytes(_ name: String) throws -> Data {
      try Data(contentsOf: URL(filePath: folder.path + "/" + name))
    }
    #expect(try run("fuse", "-q", train, "raw.rvd").status == 0)
    // An option without a value takes none of the arguments behind it.
    let fused = try run("fuse", "--compress", train, "small.rvd")
    #expect(fused.status == 0 && fused.errors == "")
    let gain = try #require(fused.output.firstMatch(of: /tensors compressed to (\d+\.\d\d) %\n/)?.1)
    #expect(try #require(Double(gain)) < 95)
    #expect(try bytes("small.rvd").count < bytes("raw.rvd").count)
    #expect(try run("inspect", "small.rvd").output.contains(", compressed to "))
    let listed = try run("inspect", "small.rvd", "--all").output
    #expect(listed.contains("  bytes") && listed.contains("planes-zstd\n"))
    #expect(try run("inspect", "raw.rvd", "--all").output.contains("  raw\n"))

    #expect(try run("export", "-q", "small.rvd", "again.rvd").status == 0)
    #expect(try bytes("again.rvd") == bytes("raw.rvd"))
    #expect(try run("export", "raw.rvd", "-q", "again.rvd", "--force", "--compress").status == 0)
    #expect(try bytes("again.rvd") == bytes("small.rvd"))
    #expect(try run("export", "-q", "--compress=max", "raw.rvd", "max.rvd").status == 0)
    #expect(try bytes("max.rvd").count <= bytes("small.rvd").count)
    #expect(try run("diff", "max.rvd", "raw.rvd").status == 0)
    #expect(try run("verify", train, "small.rvd").status == 0)

    let wrong = try run("export", "raw.rvd", "out.pth", "--compress")
    #expect(wrong.status == 2)
    #expect(
      wrong.errors
        == "repconv: error: out.pth: PyTorch zip is not compressed.\n  --compress is for .rvd: leave it out.\n"
    )
    let unknown = try run("export", "raw.rvd", "out.rvd", "--compress=9")
    #expect(
      unknown.status == 64 && unknown.errors.contains("--compress takes max or nothing, not '9'."))
    #expect(try folder.names() == ["again.rvd", "max.rvd", "raw.rvd", "small.rvd"])
  }

  // MARK: What is wrong with a file

  struct Refusal: Sendable, CustomTestStringConvertible {
    var file: String
    var status: Int32
    /// The message after the path, up to the end of its first line.
    var message: String
    var testDescription: String { file }
  }

  static let refusals: [Refusal] = [
    Refusal(
      file: "deploy-only.pth", status: 2,
      message: "already fused: its only block is in deploy form, without branches."),
    Refusal(
      file: "no-pointwise-branch.pth", status: 2,
      message: "block 'body.0' lacks its pointwise branch: body.0.rbr_1x1.conv.weight, "
        + "body.0.rbr_1x1.bn.weight, body.0.rbr_1x1.bn.bias, body.0.rbr_1x1.bn.running_mean, "
        + "body.0.rbr_1x1.bn.running_var."),
    Refusal(
      file: "no-variance.pth", status: 2,
      message: "block 'body.0' lacks body.0.rbr_dense.bn.running_var."),
    Refusal(
      file: "part-of-identity.pth", status: 2,
      message: "block 'body.0' lacks body.0.rbr_identity.bias."),
    Refusal(
      file: "misspelt.pth", status: 2,
      message: "block 'body.0' has parameters that a RepVGG block does not have: "
        + "body.0.rbr_dense.bn.runing_var."),
    Refusal(
      file: "qarepvgg.pth", status: 2,
      message: "block 'body.0': its shapes allow an identity, which no tensor shows, and nothing "
        + "in the file tells whether a QARepVGG block has it here."),
    Refusal(
      file: "negative-variance.pth", status: 1,
      message: "'body.0.rbr_1x1.bn.running_var' of channel 1: BatchNorm gives no finite number "
        + "(a negative variance, or an infinite or NaN parameter)."),
    Refusal(
      file: "nan-weight.pth", status: 1,
      message: "'body.0.rbr_reparam.weight' would hold 1 value that is infinite or not a number."),
    Refusal(
      file: "shapes-differ.pth", status: 2,
      message: "block 'body.0': layer 'pointwise': its kernel is 2x1x1x1, but beside the block's "
        + "others it has to be 2x2x1x1."),
    Refusal(
      file: "int8-kernel.pth", status: 2,
      message: "'body.0.rbr_dense.conv.weight' should be a tensor of float32, float16, bfloat16 or "
        + "float64, but is int8 2x2x3x3."),
    Refusal(
      file: "no-blocks.pth", status: 2,
      message: "no re-parameterizable block of a known dialect in it."),
  ]

  @Test(arguments: refusals)
  func `what cannot be fused is diagnosed, and nothing is written`(refusal: Refusal) throws {
    let path = fixture("Cases/\(refusal.file)")
    let result = try run("fuse", path, "out.rvd")
    #expect(result.status == refusal.status)
    #expect(result.output == "")
    #expect(
      result.errors.split(separator: "\n").first == "repconv: error: \(path): \(refusal.message)")
    #expect(result.errors.split(separator: "\n").count >= 2, "the message says what to do")
    #expect(try folder.names() == [])
  }

  @Test func `the nearest names come with a misspelt one`() throws {
    let result = try run("fuse", fixture("Cases/misspelt.pth"), "out.rvd")
    #expect(result.errors.contains("Nearest that it has: rbr_dense.bn.running_var,"))
  }

  @Test func `a checkpoint without tensors says so`() throws {
    let result = try run("fuse", fixture("Cases/no-tensors.pth"), "out.rvd")
    #expect(result.status == 2)
    #expect(result.errors.contains("holds no named tensors"))
  }

  @Test(arguments: ["import", "fuse", "inspect"])
  func `files that are no checkpoints are named`(command: String) throws {
    try folder.write([], to: "empty.pth")
    try folder.write(Array("hello, this is a text\n".utf8), to: "text.pth")
    try folder.write(Array("<!DOCTYPE html><html></html>".utf8), to: "page.pth")
    try folder.write(
      Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".utf8),
      to: "lfs.pth")
    for (file, text) in [
      ("missing.pth", "no such file or directory"), (".", "it is a folder"),
      ("empty.pth", "the file is empty"), ("text.pth", "text"), ("page.pth", "web page"),
      ("lfs.pth", "Git LFS"),
    ] {
      let before = try folder.names()
      let result = try Program.run(
        command == "fuse"
          ? ["fuse", file, "out.rvd"]
          : command == "import" ? ["import", file, "-o", "o.pth"] : ["inspect", file],
        in: folder.path)
      #expect(result.status == 2, "\(file)")
      #expect(result.output == "")
      #expect(result.errors.hasPrefix("repconv: error: \(file): "), "\(result.errors)")
      #expect(result.errors.contains(text), "\(result.errors)")
      #expect(try folder.names() == before)
    }
  }

  // MARK: Choices

  @Test func `two state dicts of equal standing are listed, and chosen by key`() throws {
    let path = fixture("PyTorch/plain-swin-style.pth")
    let refused = try run("fuse", path, "out.rvd")
    #expect(refused.status == 2)
    #expect(
      refused.errors.contains(
        "2 state dicts, none of which is the obvious one: model (113 tensors), model_ema (113 tensors)"
      ))
    #expect(try run("fuse", path, "out.rvd", "--key", "model_ema").status == 0)
    let wrong = try run("fuse", path, "other.rvd", "--key", "emma")
    #expect(wrong.status == 2)
    #expect(wrong.errors.contains("no state dict 'emma'"))
  }

  @Test func `from asserts the kind of file`() throws {
    let result = try run("import", fixture("PyTorch/plain-train.pth"), "--from", "megengine")
    #expect(result.status == 2)
    #expect(result.errors.contains("it is not a megengine file: it is PyTorch zip."))
    #expect(try folder.names() == [])
  }

  @Test func `an architecture that does not fit is told apart from the one that would`() throws {
    let result = try run("fuse", fixture("PyTorch/plain-train.pth"), "out.rvd", "-a", "repvgg_a0")
    #expect(result.status == 1)
    #expect(
      result.errors.contains(
        "it is not a RepVGG-A0: 'stage0.rbr_dense.conv.weight' is 16x3x3x3, not 48x3x3x3;"))
    #expect(
      result.errors.contains(
        "By its shapes it is a custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels)."))
    #expect(try folder.names() == [])
  }

  @Test func `names of another dialect are written on demand, and read back`() throws {
    let path = fixture("PyTorch/se-train.pth")
    #expect(try run("fuse", path, "a.rvd").status == 0)
    for dialect in ["basecls", "repvgg-megengine"] {
      #expect(try run("import", path, "-o", "\(dialect).pth", "--names", dialect).status == 0)
      let back = try run("fuse", "\(dialect).pth", "\(dialect).rvd")
      #expect(back.output.contains("names of \(dialect)"))
      let contents = try ["a.rvd", "\(dialect).rvd"].map { file in
        try run("inspect", file).output.split(separator: "\n").first { $0.contains("content") }
      }
      #expect(contents[0] != nil && contents[0] == contents[1])
    }
  }

  @Test func `a deploy kernel beside live branches is compared, and the branches are used`() throws
  {
    #expect(try run("fuse", fixture("Cases/one-block.pth"), "one.rvd").status == 0)
    let equal = try run("fuse", fixture("Cases/branches-and-equal-kernel.pth"), "equal.rvd")
    #expect(equal.status == 0 && equal.errors == "")
    #expect(
      equal.output.contains("1 deploy kernel beside live branches: equal within float32 rounding"))
    let other = try run("fuse", fixture("Cases/branches-and-other-kernel.pth"), "other.rvd")
    #expect(other.status == 0)
    #expect(
      other.errors.hasPrefix(
        "repconv: warning: the deploy kernel beside the branches of 'body.0' differs by up to 1, where "
      ))
    #expect(other.errors.contains("the branches were trusted"))
    let contents = try ["one.rvd", "equal.rvd", "other.rvd"].map { file in
      try run("inspect", file).output.split(separator: "\n").first { $0.contains("content") }
    }
    #expect(Set(contents).count == 1)
  }

  @Test func `a file that is fused in part is fused in the rest`() throws {
    let result = try run("fuse", fixture("Cases/half-fused.pth"), "out.rvd")
    #expect(result.status == 0)
    #expect(result.output.contains("1 block is in deploy form already and passed through"))
  }

  @Test func `channels are reversed in both branches of the first block`() throws {
    let source = fixture("MegEngine/plain-basecls.pkl")
    #expect(try run("import", source, "-o", "kept.pth").output.contains("channels      BGR\n"))
    let turned = try run("import", source, "-o", "rgb.pth", "--channels", "rgb")
    #expect(turned.output.contains("channels      RGB, reversed in the first block\n"))
    // Official files are RGB, so asking for BGR turns the turned one back.
    #expect(try run("import", "rgb.pth", "-o", "back.pth", "--channels", "bgr").status == 0)
    #expect(try folder.read("back.pth") == folder.read("kept.pth"))
    #expect(try folder.read("rgb.pth") != folder.read("kept.pth"))
  }

  // MARK: Output

  @Test func `an existing file is kept without --force`() throws {
    try folder.write([1, 2, 3], to: "out.rvd")
    let path = fixture("Cases/one-block.pth")
    let refused = try run("fuse", path, "out.rvd")
    #expect(refused.status == 2)
    #expect(
      refused.errors == "repconv: error: out.rvd: the file exists.\n  Use --force to replace it.\n")
    #expect(try folder.read("out.rvd") == [1, 2, 3])
    #expect(try run("fuse", path, "out.rvd", "--force").status == 0)
    #expect(try folder.read("out.rvd").count > 3)
  }

  @Test func `a file that is replaced keeps its permissions`() throws {
    let path = try folder.write([1], to: "out.rvd")
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    #expect(try run("fuse", fixture("Cases/one-block.pth"), "out.rvd", "--force").status == 0)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o640)
    #expect(try folder.read("out.rvd").count > 1)
  }

  @Test func `a folder that cannot be written to is an error`() throws {
    let result = try run("fuse", fixture("Cases/one-block.pth"), "no/such/folder/out.rvd")
    #expect(result.status == 2)
    #expect(
      result.errors.contains(
        "no/such/folder/out.rvd: there is no folder 'no/such/folder'."))
  }

  @Test(arguments: [("/dev/null", "what is not a regular file"), (".", "a folder")])
  func `a link to what is no file is not replaced`(target: String, what: String) throws {
    let path = folder.path + "/out.rvd"
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    let result = try run("fuse", fixture("Cases/one-block.pth"), "out.rvd", "--force")
    #expect(result.status == 2)
    #expect(
      result.errors
        == "repconv: error: out.rvd: it is a link to \(what).\n  Name a file to write.\n")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == target)
  }

  @Test func `a folder as the output gets a file with the input's name`() throws {
    let one = fixture("Cases/one-block.pth")
    for (arguments, name) in [
      (["fuse", one, "."], "one-block.rvd"), (["fuse", one, "-o", "./"], "one-block.rvd"),
      (["fuse", one, ".", "--to", "npz"], "one-block.npz"),
      (["import", one, "."], "one-block.pth"),
      (["export", one, ".", "--to", "safetensors"], "one-block.safetensors"),
    ] {
      let result = try Program.run(arguments + ["-q"], in: folder.path)
      #expect(result.status == 0 && result.errors == "", "\(arguments): \(result.errors)")
      #expect(try folder.names() == [name])
      try FileManager.default.removeItem(atPath: folder.path + "/" + name)
    }
    #expect(
      try run("export", one, ".").errors.hasPrefix(
        "repconv: error: '.' is a folder: name the format of the file in it with --to"))
    #expect(try run("fuse", one, "nowhere/").errors.contains("there is no folder 'nowhere'"))
    #expect(
      try run("fuse", one, "a.rvd", "-o", "b.rvd").errors.hasPrefix(
        "repconv: error: Name the output once"))
    #expect(try folder.names() == [])
  }

  @Test func `extensions that people use for a format are taken for it`() throws {
    let one = fixture("Cases/one-block.pth")
    for (name, magic) in [
      ("a.pt", "PK"), ("a.ckpt", "PK"), ("a.pth.tar", "PK"), ("a.hdf5", "\u{89}HDF"),
    ] {
      #expect(try run("fuse", one, name, "-q").status == 0)
      #expect(
        try folder.read(name).prefix(2)
          == [UInt8](magic.unicodeScalars.prefix(2).map { UInt8($0.value) })[...])
    }
  }

  @Test
  func `several files are looked at one after the other, and one that fails does not stop it`()
    throws
  {
    let (one, plain) = (fixture("Cases/one-block.pth"), fixture("PyTorch/plain-half.pth"))
    let both = try run("check", one, plain)
    #expect(both.status == 0)
    #expect(
      try both.output == run("check", one).output + "\n" + run("check", plain).output)
    let result = try run("check", "--json", one, "missing.pth", plain)
    #expect(result.status == 2)
    #expect(result.output.components(separatedBy: "\n}\n{\n").count == 2)
    #expect(result.errors.hasPrefix("repconv: error: missing.pth: no such file"))
    #expect(try run("inspect", "missing.pth", one).output == run("inspect", one).output)
    #expect(try run("inspect", one, plain, "-q").output == "")
  }

  @Test(arguments: [
    (["insepct", "x"], "there is no command 'insepct'; did you mean 'inspect'?"),
    (["help", "nonsense"], "there is no command 'nonsense'."),
    (["archs", "--jsn"], "Unknown option '--jsn'. Did you mean '--json'?"),
    (["fuse", "a.pth", "b.rvd", "--names", "tim"], "--names does not know 'tim'; nearest: timm."),
    (
      ["fuse", "a.pth", "b.rvd", "--family", "RepVG"],
      "--family does not know 'RepVG'; nearest: RepVGG"
    ),
    (
      ["fuse", "a.pth", "b.rvd", "--bn-eps", "-1"],
      "--bn-eps takes a number above 0, or none, not '-1'."
    ),
    (
      ["fuse", "a.pth", "b.rvd", "--bn-eps", "0"],
      "--bn-eps takes a number above 0, or none, not '0'."
    ),
    (
      ["fuse", "a.pth", "b.rvd", "--map-ratio", "2"],
      "The value '2' is invalid for '--map-ratio <h:w>': expected height and width"
    ),
  ])
  func `wrong usage is told in one way, with what may be meant`(
    arguments: [String], message: String
  ) throws {
    let result = try Program.run(arguments, in: folder.path)
    #expect(result.status == 64 && result.output == "")
    #expect(result.errors.hasPrefix("repconv: error: \(message)"), "\(result.errors)")
  }

  @Test func `help says what it is asked for, on standard output`() throws {
    let help = try run("help")
    #expect(try help.output == run("--help").output)
    let bare = try Program.run([], in: folder.path)
    #expect(bare.status == 64)
    #expect(bare.output == "")
    #expect(bare.errors == help.output)
    #expect(try run("-V").output == run("--version").output)
    for word in ["train form", "deploy form", "family", "dialect"] {
      #expect(help.output.contains("  \(word) "))
    }
  }

  // MARK: Inspection

  @Test(arguments: ["os-system.pth", "os-system.pkl"])
  func `what a pickle would have run is named, and not run`(name: String) throws {
    let path = fixture("Cases/\(name)")
    let result = try run("inspect", path)
    #expect(result.status == 0)
    #expect(result.output.contains("posix.system (os.system): would be called 1 time, unusual"))
    let fused = try run("fuse", path, "out.rvd")
    #expect(fused.status == 0)
    let warning = "repconv: warning: loading the pickle in Python would run "
    #expect(fused.errors.hasPrefix(warning) && fused.errors.contains("posix.system"))
    #expect(try run("fuse", path, "out.rvd", "--force", "-q").errors.hasPrefix(warning))
    let strict = try run("fuse", path, "strict.rvd", "--strict")
    #expect(strict.status == 1 && strict.errors.contains("posix.system"))
    #expect(try run("verify", path, "out.rvd").errors.contains(warning))
    #expect(try folder.names() == ["out.rvd"])
  }

  @Test func `the JSON of inspect has what scripts need`() throws {
    let result = try run("inspect", fixture("PyTorch/g2-train.pth"), "--json")
    #expect(result.status == 0 && result.errors == "")
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(json["format"] as? String == "PyTorch zip")
    #expect(json["dialect"] as? String == "official")
    #expect(json["form"] as? String == "train")
    #expect((json["architecture"] as? String)?.hasPrefix("custom RepVGG") == true)
    let tensors = try #require(json["tensors"] as? [[String: Any]])
    #expect(tensors.count == 113)
    let dense = try #require(
      tensors.first { $0["name"] as? String == "stage1.1.rbr_dense.conv.weight" })
    #expect(dense["shape"] as? [Int] == [16, 8, 3, 3])
    #expect(dense["dtype"] as? String == "float32")
    #expect(dense["bytes"] as? Int == 16 * 8 * 9 * 4)
  }

  @Test func `a damaged byte of an rvd file is found, and its tensor named`() throws {
    #expect(try run("fuse", fixture("Cases/one-block.pth"), "out.rvd").status == 0)
    var bytes = try folder.read("out.rvd")
    // The second tensor lies behind the 144 bytes of the first, at a multiple of 64.
    bytes[64 + 192 + 2] ^= 1
    try folder.write(bytes, to: "damaged.rvd")
    let result = try run("inspect", "damaged.rvd")
    #expect(result.status == 1)
    #expect(result.output == "")
    #expect(result.errors.contains("body.0.rbr_reparam.bias"), "\(result.errors)")
    #expect(try run("inspect", "damaged.rvd", "--no-verify").status == 0)
  }

  @Test func `any file can be inspected, even one without blocks`() throws {
    let result = try run("inspect", fixture("Cases/no-blocks.pth"), "--all")
    #expect(result.status == 0)
    #expect(result.output.contains("no re-parameterizable block of a known dialect in it"))
    #expect(result.output.contains("conv1.weight  2x3x7x7  float32"))
  }

  @Test func `a network is inspected as far as it is known`() throws {
    let train = fixture("PyTorch/plain-train.pth")
    let renames = [
      "--rename", "linear.bias=stage1.0.extra.bias",
      "--rename", "linear.weight=stage2.0.extra.weight",
    ]
    let unknown = try run(["inspect", train] + renames).output
    for line in [
      "  form          not known: 8 blocks, with parameters that RepVGG blocks do not have\n",
      "  architecture  not known as a whole: 'linear.bias' is not part of a RepVGG block\n",
      "  unknown       in block 'stage2.0': linear.weight\n",
    ] {
      #expect(unknown.contains(line), "\(unknown)")
    }
    let refused = try run(["verify", train, fixture("Cases/deploy-only.pth")] + renames)
    #expect(refused.status == 2)
    #expect(refused.errors.contains("block 'stage1.0' has parameters that a RepVGG block does not"))

    let dbb = fixture("Families/dbb/resnet-basic/train.pth.tar")
    let inspected = try run("inspect", dbb).output
    #expect(
      inspected.contains("  form          train: 12 blocks\n  blocks        8 DBB, 4 ConvBN\n"))
    #expect(
      inspected.contains(
        "  architecture  custom DBB ResNet (1,1,1,1 blocks; 2,2,4,8,16 channels), 10 classes\n"))
    let acb = try run("inspect", fixture("Families/acnet/blocks-odd/train.hdf5")).output
    #expect(
      acb.contains(
        "  architecture  not known as a whole: no tensor tells how blocks of ACB at such paths are put together\n"
      ))
    let fused = try run("fuse", dbb, "out.rvd")
    #expect(fused.status == 0)
    #expect(
      fused.output.contains(
        "  fused         12 blocks, 0 with identity; 2 other tensors passed through\n"))
  }

  @Test func `where several families have the same names, one can be asked for`() throws {
    // A copy has no list of modules any more.
    let train = fixture("Families/yolov6/block-qarepvggv2/blocks.pth")
    #expect(try run("export", train, "copy.safetensors").status == 0)
    let undecided = try run("fuse", "copy.safetensors", "out.rvd")
    #expect(undecided.status == 2 && undecided.output == "")
    #expect(
      undecided.errors.hasSuffix(
        """
        block 'ERBlock_2.1': its shapes allow an average, which no tensor shows, and nothing in the file tells whether a YOLOv6-QARepVGG block has it here.
          Use the file that model.state_dict() was saved to as it was, which lists all modules; or say which it is with --family YOLOv6-QARepVGGBlock or --family YOLOv6-QARepVGGBlockV2.

        """), "\(undecided.errors)")
    let family = ["--family", "yolov6-qarepvggblockv2"]
    #expect(try run(["fuse", "copy.safetensors", "out.safetensors"] + family).status == 0)
    #expect(try run("verify", train, "out.safetensors").status == 0)
    #expect(try run(["verify", "copy.safetensors", "out.safetensors"] + family).status == 0)
    let other = ["--family", "YOLOv6-QARepVGGBlock"]
    #expect(try run(["verify", "copy.safetensors", "out.safetensors"] + other).status == 1)
    let contradicted = try run(["fuse", train, "no.rvd"] + other)
    #expect(contradicted.status == 2)
    #expect(
      contradicted.errors.contains(
        "block 'ERBlock_2.1': the block has an average by the modules that the file lists"),
      "\(contradicted.errors)")

    let unknown = try run("inspect", train, "--family", "ResNet")
    #expect(unknown.status == 64)
    #expect(
      unknown.errors.contains("--family does not know 'ResNet'; nearest: "), "\(unknown.errors)")
    let without = try run("fuse", train, "no.rvd", "--family", "DBB")
    #expect(without.status == 2)
  }

  @Test func `kernels of several sizes cannot be read back from a file without shapes`() throws {
    let train = fixture("Families/mobileone/apple-s0-like/mobileone_unfused.pth.tar")
    #expect(try run("fuse", train, "out.wts").status == 0)
    let result = try run("export", "out.wts", "out.pth")
    #expect(result.status == 2)
    #expect(
      result.errors
        == "repconv: error: out.wts: it has no shapes, and that of 'stage0.reparam_conv.weight' cannot be found again: kernels of MobileOne are of several sizes.\n  Use the file that it was written from.\n"
    )
  }

  @Test func `what no tensor shows can be said`() throws {
    let wide = fixture("Families/repmlpnet/wide-map-k3/ckpt_epoch_299.pth")
    let refused = try run("fuse", wide, "a.rvd")
    #expect(refused.status == 2)
    #expect(
      refused.errors
        == "repconv: error: \(wide): block 'stages.0.0.repmlp_block' works on maps of 24 values, and no tensor says their height and width: they are not square.\n  Say the ratio of height to width, as in --map-ratio 2:3.\n"
    )
    #expect(try run("fuse", wide, "a.rvd", "--map-ratio", "2:3", "--verify").status == 0)
    #expect(try run("verify", wide, "a.rvd", "--map-ratio", "4:6").status == 0)
    #expect(try run("verify", wide, "a.rvd", "--map-ratio", "3:2").status == 1)

    let filters = fixture("Families/ecbsr/x2-tiny/model_best.pt")
    let warned = try run("fuse", filters, "b.rvd", "--bn-eps", "none", "-q")
    #expect(warned.status == 0)
    #expect(
      warned.errors.hasPrefix("repconv: warning: blocks of ECBSR are taken to have an identity")
        && warned.errors.hasSuffix("say whether they have, with --identity yes or no\n"))
    let said = try run("fuse", filters, "c.rvd", "--bn-eps", "none", "--identity", "yes")
    #expect(said.status == 0 && said.errors == "")
    #expect(said.output.contains("none: no block has BatchNorm"))

    let pruned = fixture("Families/resrep/vgg/finish.hdf5")
    let unknown = try run("fuse", pruned, "d.rvd", "--rename", "stem.conv13.*=last.*")
    #expect(unknown.status == 2)
    #expect(
      unknown.errors.hasSuffix(
        "\n  --prune-below 0 fuses it and keeps all channels; the project's own code prunes it.\n"))
    #expect(
      try run("fuse", pruned, "d.rvd", "--rename", "stem.conv13.*=last.*", "--prune-below", "0")
        .status == 0)
    let norms = fixture("Families/orepa/blocks/train.pth")
    let contradicted = try run("fuse", norms, "e.rvd", "--bn-eps", "none")
    #expect(contradicted.status == 2)
    #expect(
      contradicted.errors
        == "repconv: error: \(norms): block 'blocks.0' has BatchNorm, though none was said to be there.\n  Give its epsilon with --bn-eps, or leave that out.\n"
    )
  }

  // MARK: Usage

  @Test(
    arguments: [
      ([], 64), (["--help"], 0), (["--version"], 0), (["fuse", "--help"], 0), (["archs"], 0),
      (["nonsense"], 64), (["fuse"], 64), (["fuse", "a.pth"], 64), (["inspect", "a", "b"], 2),
      (["fuse", "a.pth", "b.rvd", "--bn-eps", "-1"], 64),
      (["fuse", "a.pth", "b.rvd", "--bn-eps", "nan"], 64),
      (["fuse", "a.pth", "b.rvd", "--bn-eps", "nothing"], 64),
      (["fuse", "a.pth", "b.rvd", "--identity", "maybe"], 64),
      (["fuse", "a.pth", "b.rvd", "--map-ratio", "2:0"], 64),
      (["verify", "a.pth", "b.rvd", "--map-ratio", "2"], 64),
      (["fuse", "a.pth", "b.rvd", "--prune-below", "-1e-5"], 64),
      (["fuse", "a.pth", "b.rvd", "-a", "ResNet-50"], 64),
      (["import", Fixtures.path("Cases/one-block.pth"), "--names", "klingon"], 64),
      (["import", "a", "--channels", "hsv"], 64), (["import", "a", "--from", "tape"], 64),
      (["fuse", "a.pth", "b.txt"], 2), (["dialects"], 0), (["dialects", "--show", "timm"], 0),
      (["dialects", "--show", "x"], 64), (["import", "a", "--rename", "x"], 64),
      (["import", "a", "--json", "-q"], 64),
      (["verify", "a", "b", "--seed", "9007199254740992"], 64),
      (["eval", "a", "b", "--at-least", "0.95"], 64),
      (["export", "a.pth"], 64), (["export", "a.pth", "b.pth", "--to", "zip"], 64),
      (["quantize", "a.pth", "b.onnx"], 64), (["insert-bn", "a.pth", "b.pth"], 64),
      (["quantize", "a.pth", "b.onnx", "--calibrate", "c.npz", "--opset", "12"], 64),
      (["quantize", "a.pth", "b.onnx", "--calibrate", "c.npz", "--for", "gpu"], 64),
      (["quantize", "a.pth", "b.onnx", "--calibrate", "c.npz", "--keep-float", "-1"], 64),
      (["quantize", "a.pth", "b.rvd", "--calibrate", "c.npz", "--for", "cpu"], 64),
      (["quantize", "a.pth", "b.rvd", "--calibrate", "c.npz", "--per-tensor"], 64),
    ] as [([String], Int32)])
  func `usage has its own status`(arguments: [String], status: Int32) throws {
    let result = try Program.run(arguments, in: folder.path)
    #expect(result.status == status, "\(result.output)\(result.errors)")
    #expect((status == 0) == (result.errors == ""))
    #expect(try folder.names() == [])
  }

  @Test func `every command's help has examples`() throws {
    for command in ["import", "fuse", "quantize", "insert-bn", "export", "inspect", "dialects"] {
      #expect(try run(command, "--help").output.contains("repconv \(command)"), "\(command)")
    }
  }

  @Test func `families lists every family and what its kernels are called`() throws {
    let lines = try run("families").output.split(separator: "\n")
    #expect(lines.count == 1 + BlockFamily.all.count)
    let acb = try #require(lines.first { $0.hasPrefix("  ACB ") })
    #expect(acb.contains("arXiv:1908.03930"))
    #expect(
      acb.contains("acnet"))
    let details = try run("families", "acb").output
    #expect(
      details.contains("blocks.0.square_conv.weight")
        && details.contains("blocks.0.fused_conv.weight"))
  }

  @Test func `archs lists all architectures`() throws {
    let lines = try run("archs").output.split(separator: "\n")
    #expect(lines.count == 1 + Architecture.all.count)
    let names = lines.dropFirst().map { $0.split(separator: " ")[0] }
    #expect(names.first == "RepVGG-A0" && names.count { $0.hasPrefix("RepVGG") } == 15)
    #expect(names.dropFirst(15).prefix(5).elementsEqual((0...4).map { "MobileOne-S\($0)" }))
    #expect(lines[1].contains("9.11 M") && lines[1].hasSuffix("8.31 M"))
  }
}
