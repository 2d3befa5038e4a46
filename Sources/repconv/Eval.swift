import ArgumentParser
import Conversion
import ImageFiles
import Inference
import JSON
import Tensors

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how often a network is right on images of known classes.",
    discussion: """
      IMAGES is a folder of PNG and JPEG pictures for each class, as ImageNet's. If the folders are called \
      as the classes are, by --labels or by the labels in the model's file, these tell which is which; else \
      the classes are the folders in the order of their names. Pictures are scaled until their shorter side fits, cut to the \
      square in their middle, and normalised as the network expects. Or it is a NumPy file with arrays \
      'images', as 'repconv run' takes them, and 'labels'.

      EXAMPLES
        repconv eval model.rvd imagenet/val
        repconv eval model.rvd imagenet/val --at-least 72.4
        repconv eval train.pth digits.npz --json
      """)

  @OptionGroup var model: ModelArguments

  @Argument(
    help: ArgumentHelp("The folder of class folders, or an .npz file.", valueName: "images"),
    completion: .file())
  var images: String

  @OptionGroup(title: "Images") var pictures: PictureArguments

  @Option(
    help: ArgumentHelp(
      "Names of the class folders in the order of the network's classes: one to a line, or a JSON array or object; not every class needs a folder (default: the labels in the model's file).",
      valueName: "file"), completion: .file())
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "Fail unless top-1 is at least this, as 72.4 or 72.4%.", valueName: "percent"),
    transform: Eval.percentage)
  var atLeast: Double?

  func validate() throws {
    if LabelledImages.areArrays(at: images), labels != nil {
      throw ValidationError("--labels names class folders; an .npz file has an array 'labels'.")
    }
  }

  /// For `@Option(transform:)`: in percent, with the sign or without.
  static func percentage(_ text: String) throws -> Double {
    let hasSign = text.hasSuffix("%")
    guard let number = Double(hasSign ? String(text.dropLast()) : text),
      number >= 0 && number <= 100
    else {
      throw ValidationError(
        "--at-least takes a percentage from 0 to 100, as 72.4 or 72.4%, not '\(text)'.")
    }
    if !hasSign, number > 0 && number <= 1 {
      throw ValidationError(
        "--at-least takes a percentage: write \(brief(number * 100))%, not \(brief(number)).")
    }
    return number
  }

  func run() throws {
    let names = try labels.map(LabelsFile.init)
    let network = try model.open()
    try names?.requireOne(forEach: network.classes)
    let labelled = try LabelledImages(
      path: images, for: network, model: model.model, names: names, pictures.options)
    let (selected, order) = (labelled.images, labelled.classOrder)

    let progress = ProgressBar.forTerminal(counting: "image")
    progress?(0, selected.input.count)
    var done = 0
    let clock = ContinuousClock()
    let start = clock.now
    let evaluation = try network.evaluate(
      selected.input, labels: selected.labels!, batch: model.batch, threads: model.threadsToUse
    ) { evaluation in
      progress?(evaluation.images - done, nil)
      done = evaluation.images
    }
    let seconds = (clock.now - start).seconds

    let report = EvaluationReport(
      network: NetworkSummary(network, path: model.model), images: selected,
      evaluation: evaluation, classOrder: order, seconds: seconds)
    try printReport(report, of: Eval.self, model.print) {
      var lines = ["\(model.model) on \(images): \(report.network.summary)"]
      lines += selected.rows
      if let order { lines.append(row("classes", order.summary)) }
      for note in report.network.notes { lines.append(row("note", note.advised)) }
      lines += evaluation.rows
      lines.append(row("time", pace(evaluation.images, seconds)))
      return lines.joined(separator: "\n")
    }
    if let atLeast, evaluation.top1 * 100 < atLeast {
      throw InferenceError.accuracyBelow(
        path: model.model, asked: atLeast / 100, found: evaluation.top1)
    }
  }
}

extension EvaluationReport.ClassOrder {
  fileprivate var summary: String {
    switch self {
    case .given: "folders by the names of --labels"
    case .file: "folders by the labels in the model's file"
    case .folders: "folders in the order of their names"
    }
  }
}
