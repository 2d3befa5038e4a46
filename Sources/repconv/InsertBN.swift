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

  @OptionGroup var output: OutputPathArguments

  @OptionGroup var calibrationImages: CalibrationImageArguments

  @Flag(help: "Replace the output if it exists.")
  var force = false

  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Reading") var inputOptions: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws { _ = try outputPath }

  private var outputPath: String {
    get throws { try output.path(for: input, format: "pth") }
  }

  func run() throws {
    let output = try outputPath
    let reading = try inputOptions.reading()
    var writing = WritingOptions()
    writing.replace = force
    writing.threads = threads.chosen ?? .all
    writing.alsoRead = [calibrationImages.calibrate] + [inputOptions.dialectFile].compactMap(\.self)
    let network = try RunnableNetwork.open(path: input, options: reading)
    let images = try calibrationImages.select(for: network, path: input)
    let report: InsertionReport
    do {
      report = try insertBatchNorms(
        input, to: output, images: images, reading: reading, writing: writing)
    } catch let error as ConversionError {
      guard case .unknownExtension(_, let known) = error else { throw error }
      throw AdvisedError(error: error, remedy: "Write one of \(known.joined(separator: ", ")).")
    }
    try printReport(report, of: InsertBN.self, print) { report.text }
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
