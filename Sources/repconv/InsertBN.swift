import ArgumentParser
import Calibration
import Conversion
import Inference
import Tensors

struct InsertBN: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "insert-bn",
    abstract:
      "Put BatchNorms behind the convolutions of a deploy network, to train it further, quantised.",
    discussion: """
      The third form that the tools of RepVGG's authors know: deploy convolutions without bias, each with a BatchNorm that has \
      the statistics which the images make. It computes what the network does; 'repconv fuse' gives that back. \
      For quantisation-aware training; for a network that is only to be run in int8, see 'repconv quantize'.

      EXAMPLES
        repconv insert-bn deploy.pth qat.pth --calibrate images.npz
        repconv insert-bn deploy.rvd qat.pth --calibrate train_images/
      """)

  @Argument(
    help: ArgumentHelp("A deploy network of RepVGG's blocks.", valueName: "in"),
    completion: .file())
  var input: String

  @Argument(
    help: ArgumentHelp("The checkpoint to write, as a .pth or .safetensors.", valueName: "out"),
    completion: .file())
  var output: String

  @Option(
    help: ArgumentHelp(
      "The images: a NumPy file, or a folder of pictures, as 'repconv run' takes them.",
      valueName: "file|folder"),
    completion: .file())
  var calibrate: String

  @Flag(help: "Replace the output if it exists.")
  var force = false

  @Option(
    help: ArgumentHelp("Use at most this many threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var pictures: PictureArguments
  @OptionGroup var inputOptions: InputOptions

  func validate() throws {
    if let threads, threads < 1 {
      throw ValidationError("--threads takes a number of at least 1, not \(threads).")
    }
  }

  func run() throws {
    let reading = try inputOptions.reading()
    var writing = WritingOptions()
    writing.replace = force
    writing.threads = threads.map { Threads($0) } ?? .all
    writing.alsoRead = [calibrate] + [inputOptions.dialectFile].compactMap(\.self)
    let network = try RunnableNetwork.open(path: input, options: reading)
    let images = try ImageArguments.select([calibrate], pictures, for: network, path: input)
    let report: InsertionReport
    do {
      report = try insertBatchNorms(
        input, to: output, images: images, reading: reading, writing: writing)
    } catch let error as ConversionError {
      guard case .unknownExtension(_, let known) = error else { throw error }
      throw AdvisedError(error: error, remedy: "Write one of \(known.joined(separator: ", ")).")
    }
    try printReport(report, of: InsertBN.self, asJSON: json) { report.text }
  }
}

extension InsertionReport {
  /// For a person, after writing.
  fileprivate var text: String {
    var lines = ["\(source.path) → \(output.path)"]
    lines.append(row("read", source.reading))
    lines.append(row("network", source.architecture ?? "blocks"))
    lines += images.rows
    lines.append(
      row("inserted", "\(count(blocks.count, "BatchNorm")), epsilon \(epsilon)"))
    if let least = blocks.min(by: { $0.variances.lowerBound < $1.variances.lowerBound }),
      let largest = blocks.max(by: { $0.variances.upperBound < $1.variances.upperBound })
    {
      lines.append(
        row(
          "variances",
          "from \(brief(least.variances.lowerBound)), in \(least.path), to \(brief(largest.variances.upperBound)), in \(largest.path)"
        ))
    }
    lines.append(
      row(
        "wrote",
        "\(output.format), \(size(output.byteCount ?? 0)), \(count(output.tensors, "tensor")), names of \(output.dialect ?? "")"
      ))
    return lines.joined(separator: "\n")
  }
}
