import ArgumentParser
import Conversion
import Tensors

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Rewrite any checkpoint as a PyTorch file with the names of its authors' code.",
    discussion: """
      Kernels become OIHW and BatchNorm vectors [C], whatever the source calls them and however it \
      shapes them. No value changes, except that --channels can reverse the order of the input's colours.

      EXAMPLES
        repconv import repvgg_a0.pkl --from megengine
        repconv import repvgg_a0.pkl -o a0-rgb.pth --channels rgb
        repconv import digits_repvgg.pkl --input-order rgb
        repconv import checkpoint.pth.tar --key model_ema -o ema.pth
        repconv import mine.pth --rename 'encoder.*=*' --dry-run
      """)

  @Argument(help: "The checkpoint to read.", completion: .file())
  var file: String

  @Option(
    name: [.short, .long],
    help:
      "The file to write; by default FILE's name with the format's extension (.pth), in this folder.",
    completion: .file())
  var output: String?

  @OptionGroup var arguments: RewriteArguments

  func run() throws {
    do {
      try arguments.rewriteAndReport(file, to: output ?? defaultOutput, as: Import.self)
    } catch let error as WriteError where error.isInput && output == nil {
      throw AdvisedError(
        error: error,
        remedy:
          "Name another with -o: without it, the output has the input's name with .\(format).")
    }
  }

  /// `dir/repvgg_a0.pkl` becomes `repvgg_a0.pth`; the `.tar` of `.pth.tar` goes as well.
  private var defaultOutput: String {
    var name = file.split(separator: "/").last.map(String.init) ?? file
    for suffix in knownExtensions
    where name.lowercased().hasSuffix(suffix) && name.count > suffix.count {
      name.removeLast(suffix.count)
    }
    return "\(name).\(format)"
  }

  private var format: String { arguments.output.format?.lowercased() ?? "pth" }

  private var knownExtensions: [String] {
    [".tar", ".pt", ".pkl", ".pickle", ".ckpt", ".bin", ".pdparams", ".keras", ".hdf5"]
      + OutputFormat.all.map(\.fileExtension)
  }
}
