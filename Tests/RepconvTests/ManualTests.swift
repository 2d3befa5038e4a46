import Foundation
import TestSupport
import Testing

/// What 'repconv manual' writes, against what 'repconv help' prints.
@Suite struct ManualTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> String {
    let result = try Program.run(arguments, in: folder.path)
    #expect(result.status == 0 && result.errors == "")
    return result.output
  }

  func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8)
  }

  /// The labels in the first column of a section of the help: `-a, --arch <arch>`.
  func labels(_ help: String, in section: (String) -> Bool) -> [String] {
    var labels: [String] = []
    var isInside = false
    for line in help.split(separator: "\n") {
      if line.hasSuffix(":"), line == line.uppercased() {
        isInside = section(String(line.dropLast()))
      } else if isInside, let match = line.firstMatch(of: #/^  (\S.*?)(  |> |$)/#) {
        labels.append(String(match.1) + (match.2 == "> " ? ">" : ""))
      }
    }
    return labels
  }

  func commands() throws -> [String] {
    labels(try run("help")) { $0.hasSuffix("SUBCOMMANDS") }.filter { !$0.hasPrefix("See ") }
  }

  @Test func `there is a page for man for the program and for each of its commands`() throws {
    _ = try run("manual", ".", "--format", "man", "--date", "2026-01-31")
    let commands = try commands()
    #expect(commands.contains("fuse") && !commands.contains("manual"))
    #expect(
      try folder.names() == (commands.map { "repconv-\($0).1" } + ["repconv.1"]).sorted())
    for command in commands {
      let page = try text("repconv-\(command).1")
      #expect(
        page.contains(
          ".TH REPCONV\\-\(command.uppercased().replacing("-", with: "\\-")) 1 2026-01-31 "))
      let sections = page.split(separator: "\n").filter { $0.hasPrefix(".SH ") }
      #expect(sections.starts(with: [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"]))
      #expect(sections.contains(".SH EXIT STATUS") && sections.last == ".SH SEE ALSO")
    }
    let page = try text("repconv-fuse.1")
    #expect(
      page.contains(
        ".SH EXAMPLES\n.nf\n.RS 2\n\\fBrepconv fuse in.pth out.rvd \\-a RepVGG\\-A0\\fR\n"))
    #expect(page.contains("\\fB\\-\\-compress\\fR[=\\fImax\\fR]\n"))
  }

  @Test func `every argument that the help tells of is in both manuals`() throws {
    _ = try run("manual", ".", "--format", "man")
    _ = try run("manual", ".", "--format", "html")
    let sections = try text("repconv.html").split(separator: "<section id=\"").dropFirst()
    let commands = try commands()
    #expect(sections.count == commands.count + 1)
    for (command, section) in zip(["repconv"] + commands, sections) {
      #expect(section.hasPrefix(command + "\""))
      let help = command == "repconv" ? try run("help") : try run("help", command)
      let name = command == "repconv" ? "repconv.1" : "repconv-\(command).1"
      let page = try text(name).replacing("\\-", with: "-")
      let labels = labels(help) { !$0.hasSuffix("SUBCOMMANDS") }
      #expect(labels.contains { $0.contains("--help") })
      for label in labels {
        // `-a, --arch <arch>`, `--compress [<max>]`, `--verify/--no-verify`, `<in>`
        let words = label.split(separator: " ").map { $0.trimmingPrefix("[") }
        let names = words.filter { $0.hasPrefix("-") }.flatMap { $0.split { ",/".contains($0) } }
        let value = words.last.flatMap { $0.firstMatch(of: #/^<(.+)>/#)?.1 }
        let inMan =
          names.isEmpty
          ? "\\fI\(value!)\\fR" : names.map { "\\fB\($0)\\fR" }.joined(separator: ", ")
        #expect(page.contains("\n.TP\n\(inMan)"), "\(name): \(label)")
        let inHTML =
          names.isEmpty
          ? "<var>\(value!)</var>" : names.map { "<code>\($0)</code>" }.joined(separator: ", ")
        #expect(section.contains("<dt>\(inHTML)"), "\(command): \(label)")
        if let value {
          #expect(page.contains("\\fI\(value)\\fR") && section.contains("<var>\(value)</var>"))
        }
      }
    }
  }

  @Test func `the same program writes the same manual`() throws {
    for format in ["man", "html"] { _ = try run("manual", ".", "--format", format) }
    let names = try folder.names()
    let first = try names.map(text)
    for format in ["man", "html"] { _ = try run("manual", ".", "--format", format) }
    #expect(try names.map(text) == first)
  }

  @Test(arguments: ["31.1.2026", "2026-1-31", "today"])
  func `a date is a date`(date: String) throws {
    let result = try Program.run(
      ["manual", ".", "--format", "man", "--date", date], in: folder.path)
    #expect(result.status == 64)
    #expect(result.errors.contains("--date takes a day as 2026-01-31, not '\(date)'."))
    #expect(try folder.names() == [])
  }

  static let mandoc = ["/usr/bin/mandoc", "/usr/local/bin/mandoc", "/opt/homebrew/bin/mandoc"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(.enabled(if: mandoc != nil, "mandoc is not installed"))
  func `mandoc finds nothing to say of the pages`() throws {
    _ = try run("manual", ".", "--format", "man", "--date", "2026-01-31")
    let result = try Program.run(
      ["-T", "lint", "-W", "style"] + folder.names(), in: folder.path, program: Self.mandoc!)
    #expect(result.status == 0 && result.output == "", "\(result.output)")
  }
}
