import ArgumentParser
import Conversion
import Naming
import Tensors

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Rewrite any checkpoint as a PyTorch file with official names.",
    discussion: """
      Kernels become OIHW and BatchNorm vectors [C], whatever the source calls them and however it \
      shapes them. No value changes, except that --channels can reverse the order of the input's colours.

      EXAMPLES
        repconv import repvgg_a0.pkl --from megengine
        repconv import repvgg_a0.pkl -o a0-rgb.pth --channels rgb
        repconv import checkpoint.pth.tar --key model_ema -o ema.pth
      """)

  @Argument(help: "The checkpoint to read.", completion: .file())
  var file: String

  @Option(
    name: [.short, .long], help: "The file to write; by default FILE's name with .pth, in this folder.",
    completion: .file(extensions: ["pth"]))
  var output: String?

  @OptionGroup var input: InputOptions

  @Option(
    help: ArgumentHelp("Names of the output (official, basecls, repvgg-megengine).", valueName: "dialect"),
    transform: Dialect.argument)
  var names: Dialect = .official

  @Option(
    help: ArgumentHelp(
      "Colour order of the output's first convolution: keep, rgb or bgr.", valueName: "order"),
    completion: .list(ImportOptions.Channels.allCases.map(\.rawValue)),
    transform: ImportOptions.Channels.argument)
  var channels: ImportOptions.Channels = .keep

  @OptionGroup var outputOptions: OutputOptions

  func run() throws {
    var options = ImportOptions()
    options.reading = input.reading
    options.writing = outputOptions.writing(names: names)
    options.channels = channels
    let report = try importCheckpoint(file, to: output ?? defaultOutput, options: options)
    if !outputOptions.quiet { print(text(report)) }
  }

  /// `dir/repvgg_a0.pkl` becomes `repvgg_a0.pth`; the `.tar` of `.pth.tar` goes as well.
  private var defaultOutput: String {
    var name = file.split(separator: "/").last.map(String.init) ?? file
    for suffix in [".tar", ".pth", ".pt", ".pkl", ".pickle", ".ckpt", ".bin", ".rvd"]
    where name.lowercased().hasSuffix(suffix) && name.count > suffix.count {
      name.removeLast(suffix.count)
    }
    return name + ".pth"
  }

  private func text(_ report: ImportReport) -> String {
    var lines = ["\(file) → \(report.output)"]
    lines.append(row("read", "\(report.container), \(size(report.bytesRead)), names of \(report.dialect.name)"))
    lines.append(row("network", "\(report.architecture ?? "not a whole RepVGG"), \(report.stage.rawValue) form"))
    lines.append(row("tensors", "\(grouped(report.tensors)), \(grouped(report.renamed)) renamed to \(report.names.name)"))
    lines.append(row("parameters", grouped(report.parameters)))
    lines.append(
      row("channels", "\(report.channelOrder.rawValue)\(report.flippedChannels ? ", reversed in the first block" : "")"))
    for (reason, names) in report.dropped { lines.append(row("dropped", "\(reason): \(sample(names))")) }
    for note in report.notes { lines.append(row("note", note)) }
    lines.append(row("wrote", "\(report.outputFormat), \(size(report.bytesWritten))"))
    return lines.joined(separator: "\n")
  }
}
