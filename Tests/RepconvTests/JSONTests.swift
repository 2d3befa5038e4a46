import Foundation
import Naming
import TestSupport
import Testing
import Topologies

/// The objects that `--json` prints: every key is there, whatever is known, as formats/json.md lists them.
@Suite struct JSONTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static let train = Fixtures.path("PyTorch/plain-train.pth")
  static let g2 = Fixtures.path("PyTorch/g2-train.pth")
  static let digits = Fixtures.path("Digits/digits.npz")

  func json(_ arguments: [String], status: Int32 = 0) throws -> [String: Any] {
    let result = try Program.run(arguments + ["--json"], in: folder.path)
    #expect(result.status == status && result.errors == "", "\(arguments) \(result.errors)")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  /// The keys of objects by name, as formats/json.md lists them: a heading, and a table of keys.
  static let documented: [String: Set<String>] = {
    let path = Fixtures.folder + "/../../formats/json.md"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [:] }
    var keys: [String: Set<String>] = [:]
    var names: [String] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("#") {
        names = line.split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }
          .map { String($0.element) }
      } else if line.hasPrefix("| `") {
        let cell = line.dropFirst(2).prefix { $0 != "|" }
        for (index, key) in cell.split(separator: "`").enumerated() where index % 2 == 0 {
          if key.contains(where: \.isLetter) {
            for name in names { keys[name, default: []].insert(String(key)) }
          }
        }
      }
    }
    return keys
  }()

  static let common: Set<String> = ["schema", "tool", "command"]

  /// Files that are known very differently well.
  static let commands: [(String, [String], Int32)] = [
    ("inspect", [train], 0), ("inspect", [train, "--quantization"], 0),
    ("quantize", [train, "q.onnx", "--calibrate", digits], 0),
    ("inspect", [Fixtures.path("Cases/no-blocks.pth")], 0),
    ("inspect", [Fixtures.path("PyTorch/plain-swin-style.pth")], 0),
    ("inspect", [Fixtures.path("Cases/one-block.pkl")], 0),
    ("check", [train], 0), ("check", [Fixtures.path("Cases/no-blocks.pth")], 0),
    ("check", [Fixtures.path("Cases/nan-weight.pth")], 1),
    ("fuse", [train, "a.rvd"], 0), ("fuse", [train, "b.pth", "--verify"], 0),
    ("fuse", [train, "a.pth", "--dry-run"], 0),
    ("fuse", [Fixtures.path("Cases/larger-network.pth"), "c.rvd"], 0),
    ("import", [train, "-o", "d.pth"], 0), ("import", [train, "--dry-run"], 0),
    ("export", [train, "e.npz"], 0),
    (
      "verify",
      [
        Fixtures.path("ONNX/repvgg-train.pth"), "--key", "state_dict",
        Fixtures.path("ONNX/repvgg-qdq.onnx"),
      ], 0
    ),
    ("verify", [train, "plain.rvd"], 0), ("verify", [train, "other.pth", "--algebra-only"], 1),
    ("diff", [train, "plain.rvd"], 0),
    ("diff", [train, train], 0), ("diff", [train, Fixtures.path("Cases/no-blocks.pth")], 1),
    ("run", [train, "--input", digits], 0), ("run", [train, "--input", digits, "-o", "f.npz"], 0),
    ("eval", [train, digits], 0),
    ("digest", [train, Fixtures.path("Cases/no-blocks.pth")], 0),
    ("fuse", [train, "m.rvd", "--license", "Foo", "--meta", "task=a", "--meta", "mine=b"], 0),
    ("export", ["plain.rvd", "n.safetensors", "--meta", "mine=b"], 0),
    ("eval", [train, Fixtures.path("Digits"), "--size", "32"], 0),
    ("report", [train], 0), ("report", ["plain.rvd", train], 0),
    ("report", [train, "-o", "g.html"], 0), ("report", ["other.pth", train], 1),
    ("report", [Fixtures.path("Cases/no-blocks.pth")], 0),
    ("report", [Fixtures.path("ONNX/repvgg-qdq.onnx")], 0),
    ("release", [train, "-o", "r", "--eval", digits, "--size", "32"], 0),
    ("release", [train, "-o", "r", "--dry-run"], 0),
    ("archs", [], 0), ("families", [], 0), ("dialects", [], 0),
    ("dialects", ["--show", "timm"], 0),
  ]

  @Test(arguments: commands)
  func `every key that is documented is there, and no other`(
    command: String, arguments: [String], status: Int32
  ) throws {
    for (file, name) in [(JSONTests.train, "plain.rvd"), (JSONTests.g2, "other.pth")]
    where arguments.contains(name) {
      _ = try json(["fuse", file, name])
    }
    let object = try json([command] + arguments, status: status)
    let expected = try #require(JSONTests.documented[command])
    #expect(Set(object.keys) == expected.union(JSONTests.common))
    #expect(object["schema"] as? Int == 1)
    #expect((object["tool"] as? String)?.hasPrefix("repconv ") == true)
    #expect(object["command"] as? String == command)
    check(object, as: command)
  }

  /// Compares the objects in an object with what is documented of their kind.
  func check(_ object: [String: Any], as name: String) {
    for (key, value) in object {
      let members: [[String: Any]] =
        (value as? [String: Any]).map { [$0] } ?? value as? [[String: Any]] ?? []
      guard let expected = JSONTests.documented["\(name).\(key)"] ?? JSONTests.documented[key]
      else {
        #expect(members.isEmpty, "\(name).\(key) is not documented")
        continue
      }
      for member in members {
        #expect(Set(member.keys) == expected, "\(name).\(key)")
        check(member, as: key)
      }
    }
  }

  @Test func `what a fusion did is told`() throws {
    let object = try json(["fuse", JSONTests.train, "a.rvd", "--size", "32", "--verify"])
    let source = try #require(object["source"] as? [String: Any])
    #expect(source["architecture"] is String && source["form"] as? String == "train")
    let structure = try #require(source["structure"] as? [String: Any])
    #expect(structure["depths"] as? [Int] == [2, 2, 2, 1])
    #expect(structure["widths"] as? [Int] == [16, 16, 32, 64, 64])
    #expect(structure["groups"] as? [Int] == [1] && structure["classes"] as? Int == 10)
    #expect(structure["squeezeExcitation"] is NSNull)
    let output = try #require(object["output"] as? [String: Any])
    #expect(output["bytes"] as? Int == (try folder.read("a.rvd").count))
    #expect(output["tensors"] as? Int == 18 && output["format"] as? String == "RVD 1")
    let inspected = try json(["inspect", "a.rvd"])
    #expect(output["content"] as? String == inspected["content"] as? String)
    #expect(object["blocks"] as? Int == 8 && object["blocksWithIdentity"] as? Int == 3)
    #expect(object["trainParameters"] as? Int == 125_450)
    #expect(object["deployParameters"] as? Int == 111_978)
    #expect(object["epsilons"] as? [Double] == [1e-5])
    #expect(object["epsilonSource"] as? String == "dialect")
    let input = try #require(object["input"] as? [String: Any])
    let sources = try #require(input["sources"] as? [String: Any])
    #expect(input["size"] as? Int == 32 && sources["size"] as? String == "given")
    #expect(sources["mean"] as? String == "dialect")
    #expect((object["algebra"] as? [String: Any])?["grade"] as? String == "exact")
    let given = try json(["fuse", JSONTests.train, "b.rvd", "--bn-eps", "1e-3"])
    #expect(given["epsilonSource"] as? String == "given")
  }

  @Test func `numbers are whole where they are, and shortest`() throws {
    let text = try Program.run(["fuse", JSONTests.train, "a.rvd", "--json"], in: folder.path).output
    #expect(text.contains("\"epsilons\": [0.00001],"))
    #expect(text.contains("\"magnitude\": 4.885442\n"), "as float32, not 4.885441780090332")
    #expect(text.contains("\"schema\": 1,\n"))
  }

  @Test func `what JSON has no number for is null`() throws {
    let object = try json(["check", Fixtures.path("Cases/nan-weight.pth")], status: 1)
    let tensors = try #require(object["tensors"] as? [[String: Any]])
    let damaged = try #require(tensors.first { ($0["nan"] as? Int ?? 0) > 0 })
    #expect(damaged["name"] as? String == "body.0.rbr_dense.conv.weight")
    #expect(object["sound"] as? Bool == false)
  }

  @Test func `a file cut short is not sound, which is an answer`() throws {
    let bytes = try Fixtures.bytes("PyTorch/plain-train.pth")
    try folder.write(Array(bytes.prefix(bytes.count / 2)), to: "cut.pth")
    let object = try json(["check", "cut.pth"], status: 1)
    #expect(object["sound"] as? Bool == false && object["format"] as? String == "unknown")
    #expect(object["bytes"] as? Int == bytes.count / 2)
    let findings = try #require(object["findings"] as? [[String: Any]])
    #expect(findings.count == 1 && findings[0]["kind"] as? String == "container")
    let text = try Program.run(["check", "cut.pth"], in: folder.path)
    #expect(text.status == 1 && text.output.hasPrefix("cut.pth: NOT sound: 1 failure\n"))
  }

  @Test func `strictness is part of the answer`() throws {
    let path = Fixtures.path("Cases/os-system.pth")
    let lax = try json(["check", path], status: 1)
    #expect(lax["strict"] as? Bool == false)
    let warned = try json(["check", Fixtures.path("PyTorch/plain-swin-style.pth"), "--strict"])
    #expect(warned["strict"] as? Bool == true && warned["stateDicts"] as? Int == 2)
    #expect(warned["sound"] as? Bool == true)
  }

  @Test func `buffers are no parameters, whichever state dict is meant`() throws {
    // Of either of its two state dicts, as of the file that has one.
    for file in ["plain-swin-style.pth", "plain-train.pth"] {
      let object = try json(["inspect", Fixtures.path("PyTorch/\(file)")])
      #expect(object["parameters"] as? Int == 125_450, "\(file)")
    }
  }

  @Test func `archs and dialects list what there is`() throws {
    let archs = try #require(try json(["archs"])["architectures"] as? [[String: Any]])
    #expect(archs.count == Architecture.all.count && archs[0]["name"] as? String == "RepVGG-A0")
    #expect(archs.map { $0["topology"] as? String }.firstIndex(of: "MobileOne") == 15)
    #expect(archs[0]["deployParameters"] as? Int == 8_309_384)
    let structure = try #require(archs[0]["structure"] as? [String: Any])
    #expect(structure["widths"] as? [Int] == [48, 48, 96, 192, 1280])
    let families = try #require(try json(["families"])["families"] as? [[String: Any]])
    #expect(
      Set(families.flatMap { $0["architectures"] as? [String] ?? [] })
        == Set(Architecture.all.map(\.name)))
    let all = try #require(try json(["dialects"])["dialects"] as? [[String: Any]])
    #expect(all.compactMap { $0["name"] as? String } == Dialect.all.map(\.name))
    let yolo = try #require(all.first { $0["name"] as? String == "yolov6" })
    #expect(yolo["blockFamilies"] as? [String] == ["RepVGG", "AuxiliaryHead", "ConvBN"])
    let one = try #require(
      try json(["dialects", "--show", "timm"])["dialects"] as? [[String: Any]])
    #expect(one.count == 1 && one[0]["name"] as? String == "timm")
    let table = try Program.run(["dialects", "--show", "timm"], in: folder.path).output
    #expect(table == (one[0]["table"] as? String).map { $0 + "\n" })
  }

  @Test(arguments: [
    ["inspect", train], ["inspect", train, "--json"], ["archs"], ["check", train],
    ["dialects", "--show", "timm"],
  ])
  func `output that is lost is an error`(arguments: [String]) throws {
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = arguments
    process.standardOutput = try FileHandle(
      forWritingTo: URL(fileURLWithPath: "/dev/full"))
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let errors = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 2)
    #expect(
      errors
        == "repconv: error: standard output: no space left on device.\n  What it should have shown is lost; the rest was done.\n"
    )
  }
}
