import ArgumentParser
import Conversion
import Tensors

struct Digest: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a model's identity: a SHA-256 over its tensors, whatever file they are in.",
    discussion: """
      The same names, types, shapes and values have the same digest in any format, compressed or not, in \
      any order and with any metadata: 'content sha256' is the same number. It is computed from the \
      tensors; an .rvd file that records another is damaged. Lines are as those of sha256sum; --check \
      reads them again.

      EXAMPLES
        repconv digest model.rvd model.safetensors
        repconv digest *.rvd > models.sha256
        repconv digest --check models.sha256
        repconv digest checkpoint.pth --key model_ema

      EXIT STATUS
        0  done; with --check, all are as they were
        1  a digest is another one, or a file is damaged
        2  a file cannot be read, or a line of the list
      """)

  @Argument(help: "Any files that can be read.", completion: .file())
  var files: [String] = []

  @Option(
    name: [.customShort("c"), .customLong("check")],
    help: ArgumentHelp("Compare files with the digests in this list.", valueName: "list"),
    completion: .file())
  var list: String?

  @Option(help: "Use this state dict, where a file has several (as 'model_ema').")
  var key: String?

  @OptionGroup var limits: LimitOptions
  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws {
    if files.isEmpty && list == nil {
      throw ValidationError("Name files, or a list of digests with --check LIST.")
    }
    if !files.isEmpty && list != nil {
      throw ValidationError("--check takes the files from LIST: name none beside it.")
    }
  }

  func run() throws {
    var malformed: [Int] = []
    var wanted = files.map { DigestLine(digest: nil, path: $0) }
    if let list {
      (wanted, malformed) = try DigestLine.list(in: list)
      guard !wanted.isEmpty || !malformed.isEmpty else { throw EmptyList(path: list) }
    }
    var report = DigestsReport(list: list, malformedLines: malformed)
    for line in wanted {
      let answer = self.answer(to: line)
      if !print.json, !print.quiet, let text = answer.line {
        try printOutput(harmless(text) + "\n")
      }
      if let error = answer.failure { printError(.error, repconv.message(of: error)) }
      report.files.append(answer)
    }
    if print.json { try printReport(report, of: Digest.self, print) { "" } }
    for line in malformed {
      printError(.error, "\(list!) at line \(line): it is not a digest and a file name.")
    }
    let wrong = report.files.count { $0.isSame == false }
    if wrong > 0 {
      printError(.error, "\(wrong) of \(count(wanted.count, "file")) did not match.")
    }
    if let status = report.exitStatus { throw ExitCode(status) }
  }

  private func answer(to line: DigestLine) -> DigestAnswer {
    do {
      let report = try digest(
        line.path, key: key, limits: try limits.reading(), threads: threads.chosen ?? .all)
      return DigestAnswer(asked: line, report: report)
    } catch {
      return DigestAnswer(asked: line, failure: error)
    }
  }
}

/// A line as sha256sum has it: `<64 hexadecimal digits>  <path>`. One whose path has a backslash or an end of
/// line in it begins with a backslash, and has them as `\\`, `\n` and `\r`.
struct DigestLine {
  /// In small letters; nil if it is only asked for.
  var digest: String?
  var path: String

  /// The line; of a path alone, with what is said of it behind.
  static func text(_ digest: String, _ path: String) -> String {
    let escaped = escape(path)
    return (escaped == path ? "" : "\\") + "\(digest)  \(escaped)"
  }

  static func escape(_ path: String) -> String {
    path.replacing("\\", with: "\\\\").replacing("\n", with: "\\n").replacing("\r", with: "\\r")
  }

  /// The lines of a list, and the numbers of those that are none.
  static func list(in path: String) throws -> (lines: [DigestLine], malformed: [Int]) {
    let file = try InputFile(path: path)
    let bytes = try file.bytes(0..<file.count, field: "the list")
    var (lines, malformed) = ([DigestLine](), [Int]())
    for (index, var bytes) in bytes.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
    ).enumerated() {
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
      if bytes.isEmpty || bytes.first == UInt8(ascii: "#") { continue }
      if let text = String(validating: bytes, as: UTF8.self), let line = DigestLine(text) {
        lines.append(line)
      } else {
        malformed.append(index + 1)
      }
    }
    return (lines, malformed)
  }

  init(digest: String?, path: String) {
    self.digest = digest
    self.path = path
  }

  /// Nil if `text` is no such line.
  init?(_ text: String) {
    // A star is sha256sum's for files that are not text.
    guard let match = text.wholeMatch(of: #/(\\?)([0-9A-Fa-f]{64}) [ *](.+)/#.dotMatchesNewlines())
    else { return nil }
    digest = match.2.lowercased()
    guard !match.1.isEmpty else {
      path = String(match.3)
      return
    }
    var path = ""
    var characters = match.3.unicodeScalars.makeIterator()
    while let character = characters.next() {
      guard character == "\\" else {
        path.unicodeScalars.append(character)
        continue
      }
      switch characters.next() {
      case "\\": path += "\\"
      case "n": path += "\n"
      case "r": path += "\r"
      default: return nil
      }
    }
    self.path = path
  }
}

/// A list that nothing is shown by.
struct EmptyList: Error, CustomStringConvertible {
  var path: String
  var description: String {
    "\(path): there is no digest in it.\n  Make a list with 'repconv digest FILE... > LIST'."
  }
}

/// What came of one file.
private struct DigestAnswer: Encodable {
  var asked: DigestLine
  var report: DigestReport?
  var failure: (any Error)?

  /// Whether it is the digest that was expected; nil if none was, or the file cannot be read.
  var isSame: Bool? {
    guard let report, let expected = asked.digest else { return nil }
    return report.contentDigest == expected
  }

  /// What is printed of it.
  var line: String? {
    guard asked.digest != nil else {
      return report.map { DigestLine.text($0.contentDigest, asked.path) }
    }
    let path = DigestLine.escape(asked.path)
    return (path == asked.path ? "" : "\\") + "\(path): \(isSame == true ? "OK" : "FAILED")"
  }

  func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "file": asked.path, "format": report?.container, "stateDict": report?.stateDict,
      "tensors": report?.tensors, "content": report?.contentDigest, "expected": asked.digest,
      "same": isSame, "error": failure.map { message(of: $0) },
    ])
  }
}

/// What `digest --json` prints.
private struct DigestsReport: Encodable {
  var list: String?
  var malformedLines: [Int]
  var files: [DigestAnswer] = []

  /// What the program ends with, if that is not 0.
  var exitStatus: Int32? {
    let failures = files.compactMap(\.failure)
    if files.contains(where: { $0.isSame == false })
      || failures.contains(where: { status(of: $0) == .checkFailed })
    {
      return Status.checkFailed.rawValue
    }
    return failures.isEmpty && malformedLines.isEmpty ? nil : Status.notDone.rawValue
  }
}
