import Foundation
import TestSupport
import Testing

/// Core ML packages and ncnn's files from the command line: what is said of them, and what is refused.
@Suite struct RuntimeCommandTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  let train = Fixtures.path("PyTorch/se-train.pth")

  /// What `--json` says of the output.
  func output(_ arguments: String...) throws -> [String: Any] {
    let result = try Program.run(arguments + ["--json"], in: folder.path)
    #expect(result.status == 0 && result.errors == "")
    let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    return try #require((object as? [String: Any])?["output"] as? [String: Any])
  }

  @Test func `a package is a folder, the same on every run`() throws {
    let first = try output("fuse", train, "a.mlpackage", "--size", "32")
    #expect(first["format"] as? String == "Core ML")
    let files = try #require(first["files"] as? [[String: Any]])
    #expect(
      files.map { $0["file"] as? String } == [
        "a.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
        "a.mlpackage/Data/com.apple.CoreML/model.mlmodel", "a.mlpackage/Manifest.json",
      ])
    for file in files {
      #expect(try folder.read(file["file"] as! String).count == file["bytes"] as? Int)
    }
    #expect(
      first["bytes"] as? Int == files.reduce(0) { $0 + ($1["bytes"] as! Int) })
    #expect(try run("fuse", "-q", train, "b.rvd").status == 0)
    let digest = try #require(first["content"] as? String)
    #expect(try run("digest", "b.rvd").output.hasPrefix("\(digest)  "))

    _ = try output("fuse", train, "b.mlpackage", "--size", "32", "--threads", "1")
    for file in files {
      let name = String((file["file"] as! String).dropFirst("a.mlpackage/".count))
      #expect(try folder.read("a.mlpackage/\(name)") == folder.read("b.mlpackage/\(name)"))
    }
    #expect(try run("fuse", train, "a.mlpackage", "--size", "32").status == 2)
    #expect(try run("export", "-q", "b.rvd", "a.mlpackage", "--size", "64", "--force").status == 0)
    let weights = "Data/com.apple.CoreML/weights/weight.bin"
    #expect(try folder.read("a.mlpackage/\(weights)") == folder.read("b.mlpackage/\(weights)"))
    #expect(try folder.names() == ["a.mlpackage", "b.mlpackage", "b.rvd"])
  }

  @Test func `ncnn's are two files, which are told`() throws {
    let report = try output("fuse", train, "a.param", "--size", "32")
    #expect(report["format"] as? String == "ncnn" && report["content"] is NSNull)
    let second = try #require(report["externalData"] as? [String: Any])
    #expect(
      try second["file"] as? String == "a.bin"
        && second["bytes"] as? Int == folder.read("a.bin").count)
    #expect(try run("export", train, "b.param", "--form", "train", "--size", "32").status == 0)
    #expect(try folder.names() == ["a.bin", "a.param", "b.bin", "b.param"])
  }

  @Test func `what cannot be is refused, and nothing is left behind`() throws {
    let table: [([String], String)] = [
      (
        ["fuse", train, "x.mlpackage", "--verify"],
        "repconv: error: x.mlpackage: repconv writes Core ML, but does not read it, so what was written cannot be proven.\n  Leave --verify out; or fuse to an .rvd with it, and 'repconv export' that as Core ML.\n"
      ),
      (
        ["fuse", train, "x.mlpackage", "--dtype", "bfloat16"],
        "repconv: error: x.mlpackage: its tensors are bfloat16, in which Core ML has no weights.\n  Choose another type for them, such as float32 or float16.\n"
      ),
      (
        ["fuse", train, "x.mlpackage", "--batch", "2"],
        "repconv: error: x.mlpackage: Core ML has no operator version or batch size to choose.\n  --opset and --batch are for .onnx: leave them out.\n"
      ),
      (
        ["fuse", train, "x.param", "--dtype", "int8"],
        "repconv: error: x.param: ncnn has no place for int8 weights and their scales.\n  Write one of .rvd, .onnx, .mlpackage, or choose another --dtype.\n"
      ),
      (
        ["export", train, "x.mlpackage"],
        "repconv: error: \(train): it is in train form, and Core ML files hold deploy networks only.\n  'repconv fuse' makes one from it.\n"
      ),
    ]
    for (arguments, message) in table {
      let result = try Program.run(arguments, in: folder.path)
      #expect(result.status == 2 && result.errors == message, "\(result.errors)")
    }
    #expect(try folder.names() == [])
  }
}
