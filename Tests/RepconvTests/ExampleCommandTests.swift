import Foundation
import TestSupport
import Testing

/// The script of `examples/` and what its pipelines run, on the network beside them.
@Suite struct ExampleCommandTests {
  static let root = URL(filePath: Fixtures.folder).appending(path: "../..").standardized.path
  static let hasPython = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")
  /// Of the network's tensors, fused.
  static let content = "3abac020f9dc5dfb1ec51e3b4cf413b58ec6d87db16c83243a2b73d8a7f08f14"

  let folder: TemporaryFolder
  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: Self.root + "/examples/digits_repvgg.pkl", toPath: folder.path + "/model.pth")
  }

  /// Runs a script in bash as GitHub and GitLab do, with the built program on `PATH`.
  func bash(_ script: String, _ variables: [String]) throws -> Program.Result {
    let programs = URL(filePath: Program.path).deletingLastPathComponent().path
    return try Program.run(
      variables + [
        "PATH=\(programs):/usr/local/bin:/usr/bin:/bin", "bash", "-e", "-o", "pipefail", "-c",
        script,
      ],
      in: folder.path, program: "/usr/bin/env")
  }

  /// The script of a step of `action.yml`: what is indented below the last `run: |` behind `marker`.
  func step(behind marker: String) throws -> String {
    let text = try String(contentsOfFile: Self.root + "/action.yml", encoding: .utf8)
    let start = try #require(text.range(of: marker)?.upperBound)
    let script = try #require(text[start...].range(of: "run: |\n")?.upperBound)
    return text[script...].split(separator: "\n", omittingEmptySubsequences: false)
      .prefix { $0.hasPrefix("        ") }.joined(separator: "\n")
  }

  @Test(.enabled(if: hasPython, "there is no /usr/bin/python3"))
  func `the Python script fuses, proves and tells who it is`() throws {
    func ship(_ arguments: String...) throws -> Program.Result {
      try Program.run(
        ["REPCONV=" + Program.path, "/usr/bin/python3", "-B", Self.root + "/examples/ship.py"]
          + arguments,
        in: folder.path, program: "/usr/bin/env")
    }
    let shipped = try ship("model.pth", "model.rvd", "--input-order", "rgb", "--size", "32")
    #expect(shipped.status == 0 && shipped.errors == "")
    #expect(
      shipped.output == """
        network     custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels)
        parameters  125450 before, 111978 after
        bytes       453142
        digest      \(Self.content)
        proof       the same network

        """)
    let missing = try ship("none.pth", "none.rvd")
    #expect(missing.status == 2 && missing.output == "")
    #expect(missing.errors.hasPrefix("repconv: error: none.pth: "))
  }

  @Test func `the action for GitHub fuses, proves and tells the digest`() throws {
    let variables = ["CHECKPOINT=model.pth", "OUTPUT=a model.rvd", "GITHUB_OUTPUT=outputs"]
    let fuse = try step(behind: "- id: fuse")
    let result = try bash(fuse, variables + ["ARCH="])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("a model.rvd is model.pth, fused"))
    let outputs = try String(contentsOfFile: folder.path + "/outputs", encoding: .utf8)
    #expect(outputs == "content=\(Self.content)\n")

    try FileManager.default.removeItem(atPath: folder.path + "/a model.rvd")
    let another = try bash(fuse, variables + ["ARCH=RepVGG-A0"])
    #expect(another.status == 1 && another.errors.contains("RepVGG-A0"))

    let command = try step(behind: "inputs.command != ''")
    let inspected = try bash(command, ["COMMAND=inspect 'model.pth' --json $(touch harm)"])
    // Nothing of it is run: all are names of files.
    #expect(inspected.status == 2)
    let told = try bash(command, ["COMMAND=inspect \"model.pth\" --json"])
    #expect(told.status == 0 && told.output.hasPrefix("{"))
    #expect(try folder.names() == ["model.pth", "outputs"])
  }

  @Test func `what the job for GitLab runs can be run`() throws {
    let text = try String(contentsOfFile: Self.root + "/examples/gitlab-ci.yml", encoding: .utf8)
    let commands = text.split(separator: "\n").compactMap { line in
      line.hasPrefix("    - repconv ") ? String(line.dropFirst(6)) : nil
    }
    #expect(commands.map { $0.split(separator: " ")[1] } == ["check", "fuse", "verify", "inspect"])
    // The network of the examples has no name.
    let script = commands.joined(separator: "\n").replacing(" -a \"$ARCHITECTURE\"", with: "")
    let result = try bash(script, [])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("model.rvd is model.pth, fused"))
  }
}
