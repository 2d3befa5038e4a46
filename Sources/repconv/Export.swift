import ArgumentParser
import Conversion
import Naming

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint or a deploy file again in another format.",
    discussion: """
      Never fuses: a training checkpoint stays one, a deploy network too; as an .onnx, a training checkpoint only \
      with --form train, which writes every branch and BatchNorm by itself. What the format cannot carry \
      is said. What an .rvd says of itself is kept, unless it is said anew; its tensors, and so its digest, \
      stay the same. Formats: \(OutputFormat.all.map(\.fileExtension).joined(separator: " "))

      EXAMPLES
        repconv export model.rvd model.pth
        repconv export deploy.pth model.rvd
        repconv export model.rvd weights.bin --to pth
        repconv export model.rvd half.safetensors --dtype float16
        repconv export model.rvd model.onnx --opset 17 --size 224
        repconv export checkpoint.pth train.onnx --form train
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

  @Option(
    help: ArgumentHelp(
      "Fail unless the input is in this form, train or deploy; an .onnx gets the training form only so.",
      valueName: "form"),
    completion: .list(["train", "deploy"]), transform: Network.Form.argument)
  var form: Network.Form?

  @Option(
    help: ArgumentHelp(
      "With --form train: BatchNorm's epsilon in an .onnx, if the file does not say it; by default the dialect's.",
      valueName: "number"))
  var bnEps: Double?

  @OptionGroup var arguments: RewriteArguments

  func validate() throws {
    guard let bnEps else { return }
    guard form == .train else { throw ValidationError("--bn-eps goes with --form train.") }
    guard bnEps.isFinite, bnEps > 0 else {
      throw ValidationError("--bn-eps takes a number above 0, not \(bnEps).")
    }
  }

  func run() throws {
    try arguments.rewriteAndReport(input, to: output, as: Export.self) {
      $0.form = form
      $0.epsilon = bnEps
    }
  }
}

extension Network.Form {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Network.Form {
    guard let form = Network.Form(rawValue: text.lowercased()), form != .mixed else {
      throw ValidationError("--form takes train or deploy, not '\(text)'.")
    }
    return form
  }
}
