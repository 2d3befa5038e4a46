import ArgumentParser
import Conversion

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint or a deploy file again in another format.",
    discussion: """
      Never fuses: a training checkpoint stays one, a deploy network too. What the format cannot carry \
      is said. What an .rvd says of itself is kept, unless it is said anew; its tensors, and so its digest, \
      stay the same. Formats: \(OutputFormat.all.map(\.fileExtension).joined(separator: " "))

      EXAMPLES
        repconv export model.rvd model.pth
        repconv export deploy.pth model.rvd
        repconv export model.rvd weights.bin --to pth
        repconv export model.rvd half.safetensors --dtype float16
        repconv export model.rvd new.rvd --labels classes.txt --license MIT
        repconv export model.rvd new.rvd --meta authors='Jane Doe' --meta task=
      """)

  @Argument(
    help: ArgumentHelp("Any file that can be read.", valueName: "in"), completion: .file())
  var input: String

  @Argument(
    help: ArgumentHelp("The file to write; its extension says the format.", valueName: "out"),
    completion: .file())
  var output: String

  @OptionGroup var arguments: RewriteArguments

  func run() throws {
    try arguments.rewriteAndReport(input, to: output, as: Export.self)
  }
}
