import ArgumentParser
import Conversion
import Naming
import Reparameterization

struct Fuse: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fuse the branches of every block into one convolution.",
    discussion: """
      Reads any checkpoint that 'repconv inspect' shows in train form; computes in float64 and rounds \
      once, to float32; writes the deploy form in the format of OUT's extension. Tensors outside \
      the blocks pass through.

      EXAMPLES
        repconv fuse in.pth out.rvd -a RepVGG-A0
        repconv fuse repvgg_a0.pkl deploy.pth
        repconv fuse yolo.pth out.rvd --bn-eps 1e-3
        repconv fuse in.pth out.rvd --verify
      """)

  @Argument(help: "The training checkpoint to read.", completion: .file())
  var input: String

  @Argument(
    help: "The deploy file to write.", completion: .file(extensions: OutputFormat.all.map(\.name)))
  var output: String

  @Option(
    name: [.short, .long], help: "Fail unless the network is this one; see 'repconv archs'.",
    transform: Architecture.argument)
  var arch: Architecture?

  @Option(
    help: ArgumentHelp(
      "BatchNorm's epsilon, if the file does not say it; by default the dialect's.",
      valueName: "number"))
  var bnEps: Double?

  @Flag(
    help:
      "Read the output back and prove it, as 'repconv verify --tolerance exact --algebra-only' does, before it gets its name."
  )
  var verify = false

  @OptionGroup var dryRun: DryRunOptions
  @OptionGroup var inputOptions: InputOptions
  @OptionGroup var outputOptions: OutputOptions

  func validate() throws {
    if let bnEps, !(bnEps.isFinite && bnEps >= 0) {
      throw ValidationError("--bn-eps takes a number that is not negative, not \(bnEps).")
    }
  }

  func run() throws {
    var options = FuseOptions()
    options.reading = try inputOptions.reading()
    options.writing = try outputOptions.writing(dialects: options.reading.dialects)
    options.architecture = arch
    options.epsilon = bnEps
    options.isDryRun = dryRun.isOn
    options.isVerified = verify
    let report = try fuse(input, to: output, options: options)
    for block in report.doubled where !block.agrees {
      printError(
        "repconv: warning: the deploy kernel beside the branches of '\(block.path)' differs by "
          + "\(block.largestDifference); the branches were trusted")
    }
    if dryRun.isOn {
      print(try report.mapping.text(isJSON: dryRun.json, notes: report.notes))
    } else if !outputOptions.quiet {
      print(text(report))
    }
  }

  private func text(_ report: FuseReport) -> String {
    var lines = ["\(input) → \(output)"]
    lines.append(
      row(
        "read",
        "\(report.container), \(size(report.bytesRead)), names of \(report.mapping.dialect?.name ?? "none")"
      ))
    lines.append(row("network", report.architecture ?? "blocks inside a larger network"))
    lines.append(
      row(
        "fused",
        "\(count(report.blocks, "block")), \(grouped(report.blocksWithIdentity)) with identity; "
          + "\(count(report.passedThrough, "other tensor")) passed through"))
    let agreeing = report.doubled.count(where: \.agrees)
    if agreeing > 0 {
      lines.append(
        row(
          "compared",
          "\(count(agreeing, "deploy kernel")) beside live branches: equal within float32 rounding")
      )
    }
    lines.append(
      row("parameters", "\(grouped(report.trainParameters)) → \(grouped(report.deployParameters))"))
    lines.append(
      row(
        "epsilon",
        report.epsilons.map { "\($0)" }.joined(separator: ", ") + ", " + report.epsilonSource))
    lines.append(
      row("largest", "\(report.largestWeight.magnitude) in \(report.largestWeight.name)"))
    if let input = report.input { lines.append(row("input", input.summary)) }
    for (reason, names) in report.mapping.dropped {
      lines.append(row("dropped", "\(reason): \(sample(names))"))
    }
    for note in report.notes { lines.append(row("note", note)) }
    lines.append(
      row(
        "wrote",
        "\(report.outputFormat), \(size(report.bytesWritten ?? 0)), \(count(report.tensors, "tensor"))"
      ))
    if let proof = report.verification { lines.append(row("verified", proof.blocksSummary)) }
    if let digest = report.contentDigest { lines.append(row("content", "sha256 \(digest)")) }
    return lines.joined(separator: "\n")
  }
}
