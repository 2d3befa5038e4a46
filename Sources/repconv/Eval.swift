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
    if isArrayFile, labels != nil {
      throw ValidationError("--labels names class folders; an .npz file has an array 'labels'.")
    }
  }

  /// For `@Option(transform:)`: in percent, with the sign or without.
  private static func percentage(_ text: String) throws -> Double {
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
    let (selected, order) = try labelledImages(for: network, names)

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

  /// The images with the network's class for each.
  private func labelledImages(
    for network: RunnableNetwork, _ names: LabelsFile?
  ) throws -> (ImageSelection, EvaluationReport.ClassOrder?) {
    guard isArrayFile else {
      let folders = try ClassFolders(path: images)
      let (classes, order) = try classes(of: network, folders, names)
      let selected = ImageSelection(
        folders, classes: classes, pictures.preparation(for: network),
        try pictures.requireConvention(for: network, path: model.model))
      return (selected, order)
    }
    let selected = try ImageSelection(arrays: images, pictures.convention(for: network))
    guard let found = selected.labels else {
      throw InferenceError.noImages(
        path: images, reason: "there is no array 'labels' with a whole number for each image",
        remedy: "Save them as numpy.savez(\"images.npz\", images=array, labels=classes).")
    }
    guard let wrong = found.first(where: { !(0..<network.classes).contains($0) }) else {
      return (selected, nil)
    }
    throw InferenceError.classesDiffer(
      path: images,
      reason:
        "there is a label \(wrong), and the network's classes are 0 to \(network.classes - 1)",
      remedy: "Labels are the numbers of the network's classes, from 0.")
  }

  private var isArrayFile: Bool { images.lowercased().hasSuffix(".npz") }

  /// The network's class for each folder, and who says so.
  private func classes(
    of network: RunnableNetwork, _ folders: ClassFolders, _ names: LabelsFile?
  ) throws(InferenceError) -> ([Int], EvaluationReport.ClassOrder) {
    guard !folders.images.isEmpty else {
      throw .noImages(
        path: images, reason: "none of its folders has a picture in it",
        remedy:
          "Make a folder of pictures for each class; 'repconv run --images' takes one without.")
    }
    if let names {
      let (classes, missing) = places(of: folders, among: names.names)
      guard let missing else { return (classes, .given) }
      throw .classesDiffer(
        path: images, reason: "the folder '\(missing)' is not among the names of \(names.path)",
        remedy: "Give one name to a line, in the order of the classes.")
    }
    if let labels = network.labels {
      let (classes, missing) = places(of: folders, among: labels)
      if missing == nil { return (classes, .file) }
    }
    guard folders.classes.count == network.classes else {
      throw .classesDiffer(
        path: images,
        reason:
          "it has \(count(folders.classes.count, "folder")), the network \(count(network.classes, "class", "classes"))",
        remedy: "Where there is not a folder for each class, name them all with --labels.")
    }
    return (Array(0..<network.classes), .folders)
  }

  /// The first class of each folder's name, and the first folder that no class is called after.
  private func places(
    of folders: ClassFolders, among names: [String]
  ) -> (classes: [Int], missing: String?) {
    var places: [String: Int] = [:]
    for (index, name) in names.enumerated() where places[name] == nil { places[name] = index }
    let classes = folders.classes.compactMap { places[$0] }
    return (classes, folders.classes.first { places[$0] == nil })
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
