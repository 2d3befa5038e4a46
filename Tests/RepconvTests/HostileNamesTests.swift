import Foundation
import TestSupport
import Testing

/// Names in files, and names of files, that would be taken for something else.
@Suite struct HostileNamesTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  @Test func `names in a file move no cursor and begin no line`() throws {
    let name = "x\u{1b}[2K\u{202e}\nrepconv: error: boo"
    let train = Fixtures.path("PyTorch/plain-train.pth")
    let odd = try run(
      "import", train, "-o", "odd.safetensors", "--to", "safetensors",
      "--rename", "linear.*=\(name).*")
    #expect(odd.status == 0)
    for arguments in [
      ["inspect", "odd.safetensors"], ["inspect", "odd.safetensors", "--all"],
      ["check", "odd.safetensors", "--all"], ["fuse", "odd.safetensors", "o.rvd"],
      ["fuse", "odd.safetensors", "p.rvd", "--dry-run"],
      ["fuse", "odd.safetensors", "q.rvd", "-a", "RepVGG-A0"],
      ["fuse", "odd.safetensors", "r.rvd", "--whole"], ["run", "odd.safetensors", train],
      ["verify", "odd.safetensors", "o.rvd"], ["diff", "odd.safetensors", train],
      ["digest", "o.rvd"], ["export", "o.rvd", "o.npz"],
    ] {
      let result = try Program.run(arguments, in: folder.path)
      for text in [odd.output, odd.errors, result.output, result.errors] {
        #expect(!text.unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{202e}" })
        let forged = text.split(separator: "\n").filter { $0.hasPrefix("repconv: error: boo") }
        #expect(forged == [], "\(arguments)")
      }
    }
  }

  @Test func `JSON is JSON whatever characters names have`() throws {
    let train = Fixtures.path("PyTorch/plain-train.pth")
    for scalar in ["\u{7f}", "\u{9b}", "\u{ad}", "\u{202e}", "\u{feff}", "\u{e0001}"] {
      let renamed = try run(
        "import", train, "-o", "odd.pth", "--force", "--json", "--rename", "linear.*=x\(scalar).*")
      let inspected = try run("inspect", "odd.pth", "--all", "--json")
      for text in [renamed.output, inspected.output] {
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
        #expect(!text.unicodeScalars.contains(Unicode.Scalar(scalar)!))
      }
    }
  }

  @Test(arguments: ["-evil.pth", "-h.pth", "-qh/x.pth"])
  func `a name that begins with a dash is not taken for flags`(name: String) throws {
    for command in ["check", "inspect", "fuse"] {
      let result = try run(command, name)
      #expect(result.status == 64 && result.output == "")
      #expect(result.errors.contains("'\(name)' looks like a file"))
    }
    #expect(try run("check", "--", name).status == 2)
    #expect(try run("fuse", "--help").status == 0)
  }

  @Test func `standard output gets the file, and nothing else`() throws {
    let train = Fixtures.path("PyTorch/plain-train.pth")
    #expect(try run("fuse", train, "out.wts").status == 0)
    let streamed = try run("fuse", train, "-", "--to", "wts")
    #expect(streamed.status == 0 && streamed.errors.contains("→ -\n"))
    #expect(try Array(streamed.output.utf8) == folder.read("out.wts"))
    let unnamed = try run("fuse", train, "-")
    #expect(unnamed.status == 2 && unnamed.errors.hasPrefix("repconv: error: -: no format"))
    #expect(try folder.names() == ["out.wts"])
  }
}
