import ArgumentParser
import Conversion
import Tensors

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Rewrite any checkpoint as a PyTorch file with the names of its authors' code.",
    discussion: """
      Kernels become OIHW and BatchNorm vectors [C], whatever the source calls them and however it \
      shapes them. No value changes, except that --channels can reverse the order of the input's colours. \
      If OUT is left out, it is FILE's name with the format's extension, .pth, in the current folder.

      EXAMPLES
        repconv import repvgg_a0.pkl --from megengine
        repconv import repvgg_a0.pkl -o a0-rgb.pth --channels rgb
        repconv import digits_repvgg.pkl --input-order rgb
        repconv import checkpoint.pth.tar --key model_ema -o ema.pth
        repconv import mine.pth --rename 'encoder.*=*' --dry-run
      """)

  @Argument(help: "The checkpoint to read.", completion: .file())
  var file: String

  @OptionGroup var output: OutputPathArguments

  @OptionGroup var arguments: RewriteArguments

  func run() throws {
    do {
      try arguments.rewriteAndReport(
        file, to: output.path(for: file, format: format, isOptional: true), as: Import.self)
    } catch let error as WriteError where error.isInput && !output.isNamed {
      throw AdvisedError(
        error: error,
        remedy:
          "Name another with -o: without it, the output has the input's name with .\(format).")
    }
  }

  private var format: String { arguments.output.format?.lowercased() ?? "pth" }
}
