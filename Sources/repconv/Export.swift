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

  @OptionGroup var output: OutputPathArguments

  @Option(
    help: ArgumentHelp(
      "Fail unless the input is in this form, train or deploy; an .onnx gets the training form only so.",
      valueName: "form"),
    completion: .list(["train", "deploy"]), transform: Network.Form.argument)
  var form: Network.Form?

  @OptionGroup var arguments: RewriteArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments

  func validate() throws {
    _ = try outputPath
    if epsilon.bnEps != nil, form != .train {
      throw ValidationError("--bn-eps is for --form train, which keeps BatchNorms.")
    }
  }

  private var outputPath: String {
    get throws { try output.path(for: input, format: arguments.output.format) }
  }

  func run() throws {
    try arguments.rewriteAndReport(input, to: outputPath, as: Export.self) {
      $0.form = form
      $0.epsilon = epsilon.epsilon
      epsilon.apply(to: &$0.reading)
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
