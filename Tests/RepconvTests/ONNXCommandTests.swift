import Foundation
import TestSupport
import Testing

/// `.onnx` files from the command line: what is said of them, and what is refused. What is in them is the
/// matter of `ONNXWriterTests`, and of the runtimes that `make interop` asks.
@Suite struct ONNXCommandTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  let train = Fixtures.path("PyTorch/se-train.pth")
  let chain = Fixtures.vectorPath("chain")

  @Test func `a network fused and one exported are the same file`() throws {
    let fused = try run("fuse", train, "a.onnx", "--size", "32")
    #expect(fused.status == 0 && fused.errors == "")
    #expect(fused.output.contains("  wrote         ONNX, "))
    let digest = try #require(fused.output.firstMatch(of: /content       sha256 (\w{64})/)?.1)
    #expect(try run("fuse", "-q", train, "b.rvd").status == 0)
    #expect(try run("digest", "b.rvd").output.hasPrefix("\(digest)  "))
    let exported = try run("export", "b.rvd", "b.onnx", "--size", "32", "--threads", "1")
    #expect(exported.status == 0 && exported.output.contains("sha256 \(digest)"))
    #expect(try run("fuse", "-q", train, "c.pth").status == 0)
    // The .rvd says where it comes from, and the input without a size.
    #expect(try folder.read("a.onnx").count == folder.read("b.onnx").count)
    #expect(
      try run("export", "-q", "c.pth", "c.onnx", "--size", "32", "--batch", "dynamic").status == 0)
    #expect(try run("fuse", "-q", train, "again.onnx", "--size", "32").status == 0)
    #expect(try folder.read("again.onnx") == folder.read("a.onnx"))
  }

  @Test func `the training form is asked for, and says its epsilon`() throws {
    let result = try run(
      "export", train, "a.onnx", "--form", "train", "--bn-eps", "1e-3", "--size", "32")
    #expect(result.status == 0 && result.errors == "")
    #expect(result.output.contains("  epsilon       0.001, as given\n"))
    #expect(result.output.contains("  dropped       19 BatchNorm step counters\n"))
    let json = try run(
      "export", train, "b.onnx", "--form", "train", "--size", "32", "--json")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    #expect(object["epsilons"] as? [Double] == [1e-5])
    #expect(object["epsilonSource"] as? String == "dialect")
    let output = try #require(object["output"] as? [String: Any])
    #expect(output["format"] as? String == "ONNX" && output["externalData"] is NSNull)
    #expect(try output["bytes"] as? Int == folder.read("b.onnx").count)
    // In other formats it is what is written anyway.
    #expect(try run("export", "-q", train, "c.pth", "--form", "train").status == 0)
  }

  @Test func `what cannot be is refused, and nothing is left behind`() throws {
    let unknown = Fixtures.path("Cases/one-block.pth")
    #expect(try run("fuse", "-q", train, "deploy.rvd").status == 0)
    let table: [([String], Int32, String)] = [
      (
        ["export", train, "x.onnx"], 2,
        "repconv: error: \(train): it is in train form, and ONNX files hold deploy networks only.\n  'repconv fuse' makes one from it.\n"
      ),
      (
        ["export", "deploy.rvd", "x.onnx", "--form", "train"], 2,
        "repconv: error: deploy.rvd: it is in deploy form, not in train form.\n  Name its training checkpoint, or leave --form out.\n"
      ),
      (
        ["export", train, "x.pth", "--form", "deploy"], 2,
        "repconv: error: \(train): it is in train form, not in deploy form.\n  'repconv fuse' makes one from it; or leave --form out.\n"
      ),
      (
        ["fuse", train, "x.rvd", "--opset", "13"], 2,
        "repconv: error: x.rvd: RVD 1 has no operator version or batch size to choose.\n  --opset and --batch are for .onnx: leave them out.\n"
      ),
      (
        ["fuse", train, "x.onnx", "--dtype", "int8", "--opset", "12"], 2,
        "repconv: error: x.onnx: 'stage0.rbr_reparam.weight' is int8 with a scale for each channel, which operator set 12 has no place for.\n  Choose operator set 13 or a later one, or another type.\n"
      ),
      (
        ["fuse", train, "x.onnx", "--dtype", "bfloat16"], 2,
        "repconv: error: x.onnx: convolutions of operator set 13 are not of bfloat16.\n  Choose operator set 22 or a later one, or another type.\n"
      ),
      (
        ["fuse", unknown, "x.onnx"], 2,
        "repconv: error: \(unknown): ONNX files say how the network computes, and that is not known of this one: "
      ),
      (
        ["fuse", train, "x.onnx", "--opset", "10"], 64,
        "repconv: error: --opset takes a number from 11 to 25, not 10.\n"
      ),
      (["fuse", train, "x.onnx", "--batch", "0"], 64, "repconv: error: "),
      (["export", train, "x.onnx", "--form", "mixed"], 64, "repconv: error: "),
      (
        ["export", train, "x.pth", "--bn-eps", "1e-3"], 64,
        "repconv: error: --bn-eps is for --form train, which keeps BatchNorms.\n"
      ),
    ]
    for (arguments, status, message) in table {
      let result = try Program.run(arguments, in: folder.path)
      #expect(result.status == status, "\(arguments)")
      #expect(result.errors.hasPrefix(message), "\(result.errors)")
      #expect(result.output == "")
    }
    #expect(try folder.names() == ["deploy.rvd"])
  }
}
