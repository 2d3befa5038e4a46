import Foundation
import TestSupport
import Testing

/// What shells offer where the tabulator is pressed.
@Suite struct CompletionTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// A command line up to the cursor, and some of the words that can stand there.
  static let lines: [(line: String, offered: Set<String>)] = [
    ("repconv ", ["import", "fuse", "verify", "dialects", "help", "--version"]),
    ("repconv f", ["fuse", "families"]),
    ("repconv help ", ["import", "fuse", "insert-bn", "dialects"]),
    ("repconv help f", ["fuse", "families"]),
    ("repconv fuse --dty", ["--dtype"]),
    ("repconv fuse in.pth out.rvd -a RepVGG-A", ["RepVGG-A0", "RepVGG-A1", "RepVGG-A2"]),
    ("repconv verify in.pth out.rvd --arch MobileOne-", ["MobileOne-S0", "MobileOne-S4"]),
    ("repconv export model.rvd out --to s", ["safetensors"]),
    ("repconv import in.pth --from p", ["pytorch", "paddle"]),
    ("repconv import in.pth --names mobileone", ["mobileone", "mobileone-timm"]),
    ("repconv fuse in.pth out.rvd --family RepGhost", ["RepGhost", "RepGhost-identity"]),
    ("repconv dialects --show ti", ["timm"]),
    ("repconv inspect tr", ["train.pth"]),
    ("repconv fuse --compress tr", ["train.pth"]),
    ("repconv run train.pth digits/", ["digits/7-0.png"]),
  ]

  /// What the program prints for each shell.
  static let scripts = Dictionary(
    uniqueKeysWithValues: ["bash", "fish"].map { shell in
      (shell, Result { try Program.run(["--generate-completion-script", shell], in: "/") })
    })

  /// All that `shell` offers for a line, by a script of its own.
  func offered(_ shell: String, _ script: String, _ line: String) throws -> Set<String> {
    let completions = try Self.scripts[shell]!.get()
    #expect(completions.status == 0 && completions.errors == "")
    for file in ["train.pth", "digits/7-0.png"] {
      let url = URL(filePath: folder.path + "/" + file)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data().write(to: url)
    }
    try completions.output.write(
      toFile: folder.path + "/completions", atomically: true, encoding: .utf8)
    let result = try Program.run(
      ["-c", script, line], in: folder.path, program: Self.path(of: shell)!)
    #expect(result.status == 0 && result.errors == "", "\(result.errors)")
    return Set(result.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) })
  }

  static func path(of shell: String) -> String? {
    ["/bin/", "/usr/bin/", "/usr/local/bin/", "/opt/homebrew/bin/"].map { $0 + shell }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  func check(_ offered: Set<String>, _ expected: Set<String>, _ line: String) {
    #expect(offered.isSuperset(of: expected), "'\(line)' offers \(offered.sorted())")
    let word = line.split(separator: " ", omittingEmptySubsequences: false).last!
    #expect(offered.allSatisfy { $0.hasPrefix(word) }, "'\(line)' offers \(offered.sorted())")
    #expect(!offered.contains("manual"))
  }

  /// Bash calls the function with the words in `COMP_WORDS`, and takes what it leaves in `COMPREPLY`.
  @Test(.enabled(if: path(of: "bash") != nil, "bash is not installed"), arguments: lines)
  func `bash offers what can stand there`(line: String, expected: Set<String>) throws {
    let script = """
      source ./completions
      COMP_LINE=$0 COMP_POINT=${#0}
      read -r -a COMP_WORDS <<<"$0"
      [[ $0 == *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
      _repconv repconv "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    check(try offered("bash", script, line), expected, line)
  }

  @Test(.enabled(if: path(of: "fish") != nil, "fish is not installed"), arguments: lines)
  func `fish offers what can stand there`(line: String, expected: Set<String>) throws {
    let script = "source ./completions; complete --do-complete \"$argv[1]\""
    check(try offered("fish", script, line), expected.filter { !$0.hasPrefix("--v") }, line)
  }
}
