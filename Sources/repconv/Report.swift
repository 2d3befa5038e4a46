import ArgumentParser
import Blocks
import Conversion
import Proof
import Reporting
import Tensors

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw a network and tell of its weights, on a page to read or to pass on.",
    discussion: """
      One page that needs nothing else: the network drawn, with widths, strides, groups and the sizes of \
      its maps; of every layer a histogram of the weights, before and after fusing, and what float16 and \
      int8 would cost; of every block how much its branches add to the fused kernel; origin, digests, \
      notes and warnings. With TRAIN, FILE is proved to be TRAIN, fused, as 'repconv verify \
      --algebra-only' does, and the page tells of each block how it compares.

      FILE is a training checkpoint, which is told of as it is when fused, or a deploy network in any \
      format that can be read. Networks that are not known as a whole are not drawn.

      EXAMPLES
        repconv report a0.rvd -o a0.html
        repconv report a0.rvd a0-train.pth -o a0.html
        repconv report a0-train.pth -o a0.svg
        repconv report a0.rvd a0-train.pth -q --format markdown -o - >>summary.md
        repconv report a0.rvd --json | jq '.layers[] | {name, weights}'

      EXIT STATUS
        0  done
        1  FILE is not TRAIN, fused, and the page says why; or a file is damaged
        2  it could not be done
      """)

  @Argument(help: "A training checkpoint or a deploy network.", completion: .file())
  var file: String

  @Argument(
    help: "The training checkpoint that FILE is to be the fused form of.", completion: .file())
  var train: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The file to write; - for standard output.", valueName: "out"),
    completion: .file(extensions: ReportFormat.allCases.map(\.fileExtension)))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "What to write: html, the page; svg, the drawing alone; markdown, summary and tables (default: by the extension of the output, else html).",
      valueName: "format"))
  var format: ReportFormat?

  @Option(
    help: ArgumentHelp(
      "Height and width of the images that maps and costs are told of (default: what the file says, else what is usual).",
      valueName: "pixels"))
  var size: Int?

  @Option(
    help: ArgumentHelp(
      "What may differ from what TRAIN amounts to, as for 'repconv verify'.", valueName: "amount"),
    transform: Tolerance.argument)
  var tolerance: Tolerance = .rounding

  @Flag(help: "Replace the output if it exists.")
  var force = false

  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments
  @OptionGroup(title: "Reading") var input: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws {
    if output == nil && !print.json {
      throw ValidationError("Name a file to write, as -o report.html, or - for standard output.")
    }
    if let size, !(1...65535).contains(size) {
      throw ValidationError("--size takes a number from 1 to 65535, not \(size).")
    }
  }

  func run() throws {
    let output = try self.output.map { path in
      try OutputFile(path: path, replace: force, from: [file] + (train.map { [$0] } ?? []))
    }
    var options = ReportingOptions()
    options.reading = try input.reading()
    epsilon.apply(to: &options.reading)
    options.epsilon = epsilon.epsilon
    options.tolerance = tolerance
    options.imageSize = size
    if let threads = threads.chosen { options.threads = threads }
    let report = try report(file, training: train, options: options)
    printWarnings(report.notes)
    if let output {
      let format = format ?? ReportFormat(ofFile: output.path) ?? .html
      try output.append(Array(format.rendering(of: report).utf8))
      try output.commit()
    }
    try printReport(
      report, of: Report.self, print, output: self.output, verdict: report.isProven
    ) {
      text(report, bytes: output?.count ?? 0)
    }
    if report.isProven == false { throw ExitCode(1) }
  }

  private func text(_ report: NetworkReport, bytes: Int) -> String {
    var lines = ["\(file) → \(output ?? "")"]
    lines.append(row("read", report.source.reading))
    lines.append(
      row("network", report.source.architecture ?? report.reason ?? "not known as a whole"))
    if let proof = report.proof {
      lines.append(row("blocks", proof.verification.blocksSummary))
      lines.append(
        row("proof", "\(file) is \(proof.holds ? "" : "NOT ")\(proof.train.path), fused"))
    }
    lines.append(row("layers", grouped(report.layers.count)))
    for note in report.notes where !note.isWarning { lines.append(row("note", note.advised)) }
    lines.append(row("wrote", Conversion.size(bytes)))
    return lines.joined(separator: "\n")
  }
}

/// A rendering of a report.
enum ReportFormat: String, CaseIterable, ExpressibleByArgument {
  case html, svg, markdown

  /// The format whose files have this extension; nil if there is none.
  init?(ofFile path: String) {
    let name = path.lowercased()
    guard
      let format = ReportFormat.allCases.first(where: { name.hasSuffix("." + $0.fileExtension) })
    else { return nil }
    self = format
  }

  var fileExtension: String { self == .markdown ? "md" : rawValue }

  /// - Throws: `ConversionError.noGraph` if it is a drawing of what is not known as a whole.
  func rendering(of report: NetworkReport) throws -> String {
    switch self {
    case .html: return report.html
    case .markdown: return report.markdown
    case .svg:
      guard let svg = report.svg else {
        throw ConversionError.noGraph(
          path: report.source.path, format: "SVG", reason: report.reason ?? "it has no graph")
      }
      return svg
    }
  }
}
