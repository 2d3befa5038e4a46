import ArgumentParser
import CheckpointFiles
import Conversion
import ImageFiles
import Inference
import JSON
import Tensors

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a network on images, and show the best classes of each.",
    discussion: """
      Runs training forms branch by branch, with BatchNorm's running statistics, and deploy forms as \
      they are. Images are an array N x channels x height x width, called 'images' if there are several: \
      floating-point numbers are taken as they are, bytes as RGB pixels to be normalised as the network \
      expects; or a folder of PNG and JPEG pictures, scaled and cut as well.

      EXAMPLES
        repconv run model.rvd --input images.npz
        repconv run train.pth --input images.npy -o logits.npz --double
        repconv run model.rvd --images photos/ --labels imagenet.txt --topk 3
      """)

  @OptionGroup var model: ModelArguments
  @OptionGroup var images: ImageArguments

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Write the logits to this file, as an array 'logits'.", valueName: "file.npz"),
    completion: .file(extensions: ["npz"]))
  var output: String?

  @Flag(help: "Replace the output if it exists.")
  var force = false

  @Option(help: ArgumentHelp("Show this many classes of each image.", valueName: "k"))
  var topk = 5

  @Option(
    help: ArgumentHelp("Names of the classes, one to a line.", valueName: "file"),
    completion: .file())
  var labels: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if !images.areNamed {
      throw ValidationError("Name the images with --input FILE or --images FOLDER.")
    }
    if topk < 1 { throw ValidationError("--topk takes a number of at least 1, not \(topk).") }
    if let output, !output.lowercased().hasSuffix(".npz") {
      throw ValidationError("--output takes a name that ends in .npz, not '\(output)'.")
    }
  }

  func run() throws {
    let file = try output.map { try OutputFile(path: $0, replace: force) }
    let names = try labels.map(readLabels)
    let network = try model.open()
    if let names, names.count != network.classes {
      throw InferenceError.classesDiffer(
        path: labels!,
        reason:
          "it has \(count(names.count, "line")), the network \(count(network.classes, "class", "classes"))",
        remedy: "Give one name to a line, in the order of the classes.")
    }
    let selected = try images.select(for: network, path: model.model)!  // validate() has looked.
    var report = RunReport(
      model: model.model, network: network, selected: selected, names: names, topk: topk)
    let progress = ProgressBar.forTerminal(counting: "image")
    progress?(0, selected.input.count)
    let clock = ContinuousClock()
    var start = clock.now
    report.logits = try network.logits(
      for: selected.input, batch: model.batch, threads: model.threadsToUse
    ) { done in
      progress?(done, nil)
      report.seconds.append((clock.now - start).seconds)
      start = clock.now
    }
    if let file {
      try write(report.logits, to: file)
      try file.commit(sync: false)
    }
    print(
      json ? try report.json.indented() : report.text(output: output),
      terminator: json ? "" : "\n")
  }

  /// Writes the logits in the type that they were computed in.
  private func write(_ logits: [[Double]], to file: OutputFile) throws {
    let shape: Shape = [logits.count, logits.first?.count ?? 0]
    let numbers = logits.flatMap { $0 }
    let tensor =
      model.double
      ? try Tensor(float64: numbers, shape: shape, name: "logits")
      : try Tensor(float32: numbers.map { Float($0) }, shape: shape, name: "logits")
    try NPZWriter.write(
      [OutputTensor(name: "logits", tensor)], to: file, threads: model.threadsToUse)
  }
}

/// What `run` prints.
private struct RunReport {
  var model: String
  var network: RunnableNetwork
  var selected: SelectedImages
  /// Of the classes.
  var names: [String]?
  var topk: Int
  var logits: [[Double]] = []
  /// For each batch.
  var seconds: [Double] = []

  private var labels: [Int]? { selected.labels }

  private var evaluation: Evaluation? {
    labels.map { labels in
      var evaluation = Evaluation()
      for (logits, label) in zip(logits, labels) { evaluation.add(logits, answer: label) }
      return evaluation
    }
  }

  func text(output: String?) -> String {
    var lines = ["\(model): \(network.summary)"]
    lines += selected.rows
    for note in network.notes { lines.append(row("note", note)) }
    if let evaluation {
      lines.append(row("top-1", "\(percent(evaluation.top1)), \(evaluation.right) right"))
      lines.append(row("top-5", "\(percent(evaluation.top5)), \(evaluation.rightInFive) right"))
    }
    lines.append(row("time", pace(logits.count, seconds.reduce(0, +))))
    if let output {
      lines.append(row("wrote", "\(output), logits \(logits.count)x\(network.classes)"))
    }
    lines.append("")
    let header =
      ["image"] + (labels == nil ? [] : ["label"])
      + (0..<min(topk, network.classes)).map { $0 == 0 ? "best" : "\($0 + 1)" }
    let rows = logits.enumerated().map { index, logits in
      let shares = probabilities(logits)
      return [selected.paths?[index] ?? "\(index)"] + (labels.map { ["\($0[index])"] } ?? [])
        + topClasses(logits, count: topk).map { "\(name($0)) \(share(shares[$0]))" }
    }
    lines.append(table(header, rows, numeric: selected.paths == nil ? [0] : []))
    return lines.joined(separator: "\n")
  }

  private func name(_ index: Int) -> String { names?[index] ?? "\(index)" }

  /// Not every number is a share.
  private func share(_ value: Double) -> String {
    value.isFinite ? percent(value, digits: 1) : "nan"
  }

  var json: JSONValue {
    let results = logits.enumerated().map { index, logits -> JSONValue in
      let shares = probabilities(logits)
      let top = topClasses(logits, count: topk).map { place -> JSONValue in
        .object(present: [
          "class": .integer(place),
          "name": names.map { .string($0[place]) },
          "logit": logits[place].isFinite ? .number(logits[place]) : .null,
          "probability": shares[place].isFinite ? .number(shares[place]) : .null,
        ])
      }
      return .object(present: [
        "image": selected.paths.map { .string($0[index]) } ?? .integer(index),
        "label": labels.map { .integer($0[index]) },
        "top": .array(top),
      ])
    }
    return .object(present: [
      "file": .string(model),
      "architecture": network.architecture.map { .string($0) } ?? .null,
      "form": .string(network.form.rawValue),
      "precision": .string(network.arithmetic.rawValue),
      "top1": evaluation.map { .number($0.top1) },
      "top5": evaluation.map { .number($0.top5) },
      "secondsOfBatches": .array(seconds.map { .number($0) }),
      "images": .array(results),
    ])
  }
}
