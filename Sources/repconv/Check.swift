import ArgumentParser
import Checkpoints
import Conversion
import JSON
import Proof
import Tensors

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Judge a file: its checksums, its values, and what loading it would run.",
    discussion: """
      Reads every tensor once. These make it fail: a checksum that is wrong, a block that lacks \
      tensors, values that are infinite or not a number, a running variance below zero, weights \
      beyond 1e6 (anything else beyond 1e10), and a pickle that calls what can run any code \
      (os.system, builtins.eval). These are warnings: a running variance of zero, output channels \
      whose weights are all zero, values beyond float16, and other names that checkpoints do not \
      consist of. Values that float16 cannot tell from zero are counted.

      EXAMPLES
        repconv check model.rvd
        repconv check runs/*.pth
        repconv check checkpoint.pth --all
        repconv check checkpoint.pth --json --strict

      EXIT STATUS
        0  nothing is wrong with it
        1  something is; with --strict, also if there is a warning
        2  it cannot be read, or is no checkpoint
      """)

  @Argument(
    help: ArgumentHelp("Any files that can be read.", valueName: "file"), completion: .file())
  var files: [String]

  @Flag(help: "List every tensor, every warning and every name in a pickle.")
  var all = false

  @Flag(help: "Treat warnings as failures.")
  var strict = false

  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Reading") var inputOptions: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func run() throws {
    var options = CheckOptions()
    options.reading = try inputOptions.reading()
    options.isStrict = strict
    if let threads = threads.chosen { options.threads = threads }
    try forEach(of: files) { file in
      let report = try check(file, options: options)
      try printReport(report, of: Check.self, print, verdict: report.isSound) {
        text(report) + (file == files.last ? "" : "\n")
      }
      return report.isSound
    }
  }

  private func text(_ report: CheckReport) -> String {
    let warnings = report.findings.count { $0.severity == .warning }
    let failures = report.findings.count - warnings
    let counts = [(failures, "failure"), (warnings, "warning")].filter { $0.0 > 0 }
      .map { count($0.0, $0.1) }.joined(separator: ", ")
    var lines = [
      "\(report.file.path): \(report.isSound ? "sound" : "NOT sound")\(counts.isEmpty ? "" : ": " + counts)"
    ]
    lines.append(row("read", "\(report.file.summary), \(size(report.file.byteCount))"))
    if let architecture = report.file.architecture { lines.append(row("network", architecture)) }
    let values = report.tensors.reduce(0) { $0 + $1.shape.elementCount }
    lines.append(
      row(
        "tensors",
        "\(grouped(report.tensors.count)), \(grouped(values)) values"
          + (report.stateDicts > 1 ? ", in \(report.stateDicts) state dicts" : "")))
    if !report.findings.contains(where: { $0.kind == .checksum || $0.kind == .container }) {
      lines.append(row("checksums", "all that the file records are right"))
    }
    if let range = range(report) { lines.append(row("values", range)) }
    if let half = half(report) { lines.append(row("float16", half)) }
    let unusual = report.globals.count { !$0.isExpected }
    if !report.globals.isEmpty {
      lines.append(
        row(
          "pickle",
          "\(count(report.globals.count, "global")), \(unusual == 0 ? "all of kinds checkpoints consist of" : "\(unusual) unusual"); none was run"
        ))
    }
    lines += findings(report)
    for note in report.file.notes { lines.append(row("note", note.advised)) }
    if all { lines += tables(report) }
    return lines.joined(separator: "\n")
  }

  /// Failures, all of them, and warnings, a few of each kind unless all are wanted.
  private func findings(_ report: CheckReport) -> [String] {
    let limit = 4
    var lines: [String] = []
    var shown: [Finding.Kind: Int] = [:]
    for finding in report.findings {
      shown[finding.kind, default: 0] += finding.severity == .warning ? 1 : 0
      guard all || finding.severity == .failure || shown[finding.kind]! <= limit else { continue }
      lines.append(
        row(finding.severity.rawValue, (finding.subject.map { "\($0): " } ?? "") + finding.text))
    }
    for (kind, count) in shown.sorted(by: { $0.key.rawValue < $1.key.rawValue })
    where !all && count > limit {
      lines.append(row("warning", "\(kind.rawValue): \(count - limit) more; --all lists them"))
    }
    return lines
  }

  /// `0 to 4.89 in magnitude, all finite`
  private func range(_ report: CheckReport) -> String? {
    let measured = report.tensors.filter(\.isMeasured)
    guard let largest = measured.max(by: { $0.largestMagnitude < $1.largestMagnitude }) else {
      return nil
    }
    let notFinite = measured.reduce(0) { $0 + $1.nans + $1.infinities }
    return (notFinite == 0 ? "all finite" : "\(grouped(notFinite)) not finite")
      + ", the largest \(brief(largest.largestMagnitude)) in \(largest.name)"
  }

  private func half(_ report: CheckReport) -> String? {
    let wider = report.tensors.filter { $0.isMeasured && $0.elementType != .float16 }
    guard !wider.isEmpty else { return nil }
    let overflowing = wider.reduce(0) { $0 + $1.overflowingHalf }
    let vanishing = wider.reduce(0) { $0 + $1.vanishingHalf }
    if overflowing == 0 && vanishing == 0 { return "would hold all values" }
    return "\(count(overflowing, "value")) would be infinite, \(grouped(vanishing)) would be zero"
  }

  private func tables(_ report: CheckReport) -> [String] {
    let rows = report.tensors.map { tensor -> [String] in
      guard tensor.isMeasured, let smallest = tensor.smallest, let largest = tensor.largest else {
        return [tensor.name.shown, tensor.elementType.rawValue, "-", "-", "-", "-"]
      }
      return [
        tensor.name.shown, tensor.elementType.rawValue, brief(smallest), brief(largest),
        grouped(tensor.zeros),
        grouped(tensor.vanishingHalf),
      ]
    }
    var lines = [
      "",
      table(
        ["tensor", "type", "from", "to", "zeros", "0 in float16"], rows, numeric: [2, 3, 4, 5]),
    ]
    if !report.globals.isEmpty {
      lines += [
        "",
        table(
          ["global", "calls", ""],
          report.globals.map { [$0.name.shown, "\($0.calls)", $0.isExpected ? "" : "unusual"] },
          numeric: [1]),
      ]
    }
    return lines
  }
}
