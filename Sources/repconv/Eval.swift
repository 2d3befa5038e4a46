import ArgumentParser
import Conversion
import ImageFiles
import Inference
import JSON
import Tensors

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how often a network is right on a folder of pictures.",
    discussion: """
      FOLDER has a folder of PNG and JPEG pictures for each class, as ImageNet's; the classes are the \
      folders in the order of their names. Pictures are scaled until their shorter side fits, cut to the \
      square in their middle, and normalised as the network expects.

      EXAMPLES
        repconv eval model.rvd imagenet/val
        repconv eval model.rvd imagenet/val --at-least 72.4
        repconv eval train.pth digits/ --size 32 --json
      """)

  @OptionGroup var model: ModelArguments

  @Argument(help: "The folder of class folders.", completion: .directory)
  var folder: String

  @OptionGroup var pictures: PictureArguments

  @Option(
    help: ArgumentHelp(
      "Names of the class folders in the order of the network's classes, one to a line; not every class needs a folder.",
      valueName: "file"), completion: .file())
  var labels: String?

  @Option(help: ArgumentHelp("Fail unless top-1 is at least this.", valueName: "percent"))
  var atLeast: Double?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let atLeast, !(atLeast >= 0 && atLeast <= 100) {
      throw ValidationError("--at-least takes a number from 0 to 100, not \(atLeast).")
    }
  }

  func run() throws {
    let folders = try ClassFolders(path: folder)
    let names = try labels.map(readLabels)
    let network = try model.open()
    let classes = try classes(of: network, folders, names)
    let convention = try network.requireInput(path: model.model)
    let preparation = pictures.preparation(for: network)

    let progress = ProgressBar.forTerminal(counting: "image")
    progress?(0, folders.images.count)
    var done = 0
    let clock = ContinuousClock()
    let start = clock.now
    let evaluation = try network.evaluate(
      folders, classes: classes, preparation, convention, batch: model.batch,
      threads: model.threadsToUse
    ) { evaluation in
      progress?(evaluation.images - done, nil)
      done = evaluation.images
    }
    let seconds = (clock.now - start).seconds

    if json {
      let object: JSONValue = .object(present: [
        "file": .string(model.model),
        "folder": .string(folder),
        "architecture": network.architecture.map { .string($0) } ?? .null,
        "form": .string(network.form.rawValue),
        "precision": .string(network.arithmetic.rawValue),
        "size": .integer(preparation.size),
        "resize": .integer(preparation.resize),
        "images": .integer(evaluation.images),
        "right": .integer(evaluation.right),
        "rightInFive": .integer(evaluation.rightInFive),
        "top1": .number(evaluation.top1),
        "top5": .number(evaluation.top5),
        "seconds": .number(seconds),
      ])
      print(try object.indented(), terminator: "")
    } else {
      var lines = ["\(model.model) on \(folder): \(network.summary)"]
      lines.append(
        row(
          "images",
          "\(grouped(evaluation.images)) in \(count(folders.classes.count, "class", "classes"))"
            + (folders.otherFiles > 0
              ? "; \(count(folders.otherFiles, "other file")) left alone" : "")))
      lines.append(row("input", convention.summary))
      lines.append(row("size", preparation.summary))
      for note in network.notes { lines.append(row("note", note)) }
      lines.append(row("top-1", "\(percent(evaluation.top1)), \(grouped(evaluation.right)) right"))
      lines.append(
        row("top-5", "\(percent(evaluation.top5)), \(grouped(evaluation.rightInFive)) right"))
      lines.append(row("time", pace(evaluation.images, seconds)))
      print(lines.joined(separator: "\n"))
    }
    if let atLeast, evaluation.top1 * 100 < atLeast {
      throw InferenceError.accuracyBelow(
        path: model.model, asked: atLeast / 100, found: evaluation.top1)
    }
  }

  /// The network's class for each folder.
  private func classes(
    of network: RunnableNetwork, _ folders: ClassFolders, _ names: [String]?
  ) throws(InferenceError) -> [Int] {
    guard !folders.images.isEmpty else {
      throw .noImages(
        path: folder, reason: "there is no picture in a folder of this folder",
        remedy:
          "Make a folder of pictures for each class; 'repconv run --images' takes one without.")
    }
    guard let names else {
      guard folders.classes.count == network.classes else {
        throw .classesDiffer(
          path: folder,
          reason:
            "it has \(count(folders.classes.count, "folder")), the network \(count(network.classes, "class", "classes"))",
          remedy: "Where there is not a folder for each class, name them all with --labels.")
      }
      return Array(0..<network.classes)
    }
    guard names.count == network.classes else {
      throw .classesDiffer(
        path: labels!,
        reason:
          "it has \(count(names.count, "line")), the network \(count(network.classes, "class", "classes"))",
        remedy: "Give one name to a line, in the order of the classes.")
    }
    var places: [String: Int] = [:]
    for (index, name) in names.enumerated() where places[name] == nil { places[name] = index }
    var classes: [Int] = []
    for name in folders.classes {
      guard let place = places[name] else {
        throw .classesDiffer(
          path: folder, reason: "the folder '\(name)' is not among the names of \(labels!)",
          remedy: "Give one name to a line, in the order of the classes.")
      }
      classes.append(place)
    }
    return classes
  }
}
