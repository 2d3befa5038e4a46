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
      they are. Images are PNG and JPEG pictures, and folders of them, which are scaled, cut and \
      normalised as the network expects; or one NumPy file with an array N x channels x height x width, \
      called 'images' if there are several: floating-point numbers are taken as they are, bytes as RGB \
      pixels to be normalised.

      EXAMPLES
        repconv run model.rvd cat.jpg
        repconv run model.rvd photos/ --labels imagenet.txt --topk 3
        repconv run train.pth images.npy -o logits.npz --double
      """)

  @OptionGroup var model: ModelArguments
  @Argument(
    help: ArgumentHelp(
      "Pictures, and folders of pictures; or a NumPy file, .npz or .npy.", valueName: "images"),
    completion: .file())
  var paths: [String] = []

  @OptionGroup(title: "Images") var images: ImageArguments

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
    help: ArgumentHelp(
      "Names of the classes: one to a line, or a JSON array or object (default: those in the model's file).",
      valueName: "file"),
    completion: .file())
  var labels: String?

  func validate() throws {
    if images.areNamed != paths.isEmpty {
      throw ValidationError(
        paths.isEmpty
          ? "Name the images: pictures, a folder of pictures, or a NumPy file."
          : "Name the images either behind the network or with --input or --images.")
    }
    if topk < 1 { throw ValidationError("--topk takes a number of at least 1, not \(topk).") }
    if let output, !output.lowercased().hasSuffix(".npz") {
      throw ValidationError("--output takes a name that ends in .npz, not '\(output)'.")
    }
  }

  func run() throws {
    let file = try output.map { output in
      try OutputFile(
        path: output, replace: force,
        from: [model.model, images.input, labels, model.inputOptions.dialectFile].compactMap(\.self)
          + paths
      )
    }
    let names = try labels.map(LabelsFile.init)
    let network = try model.open()
    try names?.requireOne(forEach: network.classes)
    let selected =
      try images.select(for: network, path: model.model)
      ?? images.select(paths, for: network, path: model.model)
    let progress = ProgressBar.forTerminal(counting: "image")
    progress?(0, selected.input.count)
    let clock = ContinuousClock()
    var start = clock.now
    var seconds: [Double] = []
    let logits = try network.logits(
      for: selected.input, batch: model.batch, threads: model.threadsToUse
    ) { done in
      progress?(done, nil)
      seconds.append((clock.now - start).seconds)
      start = clock.now
    }
    if let file {
      try write(logits, to: file)
      try file.commit(sync: false)
    }
    let report = RunReport(
      NetworkSummary(network, path: model.model), selected, logits: logits,
      secondsPerBatch: seconds, names: names?.names ?? network.labels, top: topk, output: output)
    try printReport(report, of: Run.self, model.print) { report.text }
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

extension RunReport {
  fileprivate var text: String {
    var lines = ["\(network.path): \(network.summary)"]
    lines += images.rows
    for note in network.notes { lines.append(row("note", note.advised)) }
    lines += evaluation?.rows ?? []
    lines.append(row("time", pace(answers.count, secondsPerBatch.reduce(0, +))))
    if let output {
      lines.append(row("wrote", "\(output), logits \(answers.count)x\(network.classes)"))
    }
    lines.append("")
    let isLabelled = images.labels != nil
    let header =
      ["image"] + (isLabelled ? ["label"] : [])
      + (0..<(answers.first?.top.count ?? 0)).map { $0 == 0 ? "best" : "\($0 + 1)" }
    let rows = answers.map { answer in
      [answer.path ?? "\(answer.image)"] + (answer.label.map { ["\($0)"] } ?? [])
        + answer.top.map { "\($0.name ?? "\($0.index)") \(share($0.probability))" }
    }
    lines.append(table(header, rows, numeric: images.paths == nil ? [0] : []))
    return lines.joined(separator: "\n")
  }

  /// Not every number is a share.
  private func share(_ value: Double) -> String {
    value.isFinite ? percent(value, digits: 1) : "nan"
  }
}
