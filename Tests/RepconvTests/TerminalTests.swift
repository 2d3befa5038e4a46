#if os(Linux)
  import Foundation
  import TestSupport
  import Testing

  /// What a terminal shows: `script` of util-linux is one.
  @Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
  struct TerminalTests {
    /// What the program writes to a terminal of this width, and what it writes to a file.
    private func run(
      _ arguments: String, columns: Int, environment: String = "TERM=xterm"
    ) throws -> (terminal: String, file: String) {
      func output(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
      }
      let command =
        "stty cols \(columns); exec env -u NO_COLOR \(environment) '\(Program.path)' \(arguments)"
      let shown = try output("/usr/bin/script", ["-qec", command, "/dev/null"])
      return (
        shown.replacing("\r\n", with: "\n"),
        try output("/bin/sh", ["-c", "exec '\(Program.path)' \(arguments) 2>&1"])
      )
    }

    private func withoutColors(_ text: String) -> String {
      text.replacing(#/\u{1B}\[[0-9;]*m/#, with: "")
    }

    @Test(
      arguments: [
        "families", "families RepVGG RepViT", "archs", "dialects", "help", "help fuse",
        "inspect '\(Fixtures.path("PyTorch/plain-half.pth"))'",
        "check --all '\(Fixtures.path("Cases/one-block.pth"))'",
      ], [60, 80])
    func `nothing is wider than the terminal, and nothing is lost`(
      arguments: String, columns: Int
    ) throws {
      let (terminal, file) = try run(arguments, columns: columns)
      let shown = withoutColors(terminal)
      // A digest of 64 digits and a path have no place to be broken at.
      for line in shown.split(separator: "\n")
      where !line.contains(#/[0-9a-f]{64}|Fixtures/#) {
        #expect(line.count <= columns, "\(line)")
      }
      func letters(_ text: String) -> [Character: Int] {
        text.filter { !$0.isWhitespace }.reduce(into: [:]) { $0[$1, default: 0] += 1 }
      }
      #expect(letters(shown) == letters(file))
    }

    @Test func `colours are for terminals that want them`() throws {
      let one = "check '\(Fixtures.path("Cases/one-block.pth"))'"
      let (terminal, file) = try run(one, columns: 200)
      #expect(terminal.hasPrefix("\u{1B}[32m") && withoutColors(terminal) == file)
      #expect(!file.contains("\u{1B}"))
      for environment in ["NO_COLOR=1", "TERM=dumb", "-u TERM"] {
        #expect(try run(one, columns: 200, environment: environment).terminal == file)
      }
      #expect(try run(one + " --color never", columns: 200).terminal == file)
      #expect(try run(one + " --color always", columns: 200).file == terminal)
      let missing = try run("check missing.pth", columns: 200)
      #expect(missing.terminal.hasPrefix("repconv: \u{1B}[1;31merror:\u{1B}[0m missing.pth"))
      #expect(withoutColors(missing.terminal) == missing.file)
    }
  }
#endif
