import ArgumentParser
import Calibration
import Conversion
import Inference
import ONNX
import Tensors

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Quantise a network to int8, calibrated on images, and show what that costs.",
    discussion: """
      IN is a training checkpoint, which is fused, or a deploy network; both have to be known as a whole. Weights get a \
      scale for each output channel, without clipping; values get the range that the images make; biases \
      make up, layer by layer, for what rounding changes of the means. The images are those of training, of all \
      classes, 64 or more; below that ranges are widened by a quarter, and below 16 it is refused without --force.

      OUT is an .onnx, or an .rvd, which gets int8 weights and corrected biases alone: it has no place for the steps of values. \
      An .onnx is for one of two:
        --for cpu       values from 0 to 255, int32 biases: ONNX Runtime, OpenVINO, OpenCV. ONNX Runtime computes RepVGG-A0 \
      in a third of the time of float32.
        --for tensorrt  values from -128 to 127 around 0, float32 biases. ONNX Runtime takes longer than for float32.

      The table shows, for each layer, the signal-to-noise ratio of the network's result if it alone computes in int8, and if \
      it and all before it do. --keep-float keeps the worst in float32, at the price of speed. --per-tensor is for hardware \
      that has one scale for a whole weight: layers are equalised first, and it still costs some 8 dB.

      EXAMPLES
        repconv quantize train.pth out.onnx --calibrate images.npz
        repconv quantize train.pth out.onnx --calibrate train_images/ --for tensorrt
        repconv quantize deploy.rvd out.onnx --calibrate images.npz --keep-float 2
        repconv quantize train.pth out.onnx --calibrate images.npz --keep-float 40dB --json
        repconv quantize train.pth out.rvd --calibrate images.npz
      """)

  @Argument(
    help: ArgumentHelp("The network, in training or deploy form.", valueName: "in"),
    completion: .file())
  var input: String

  @OptionGroup var output: OutputPathArguments

  @OptionGroup var calibrationImages: CalibrationImageArguments

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp(
      "What computes an .onnx: cpu or tensorrt (default: cpu).", valueName: "target"),
    completion: .list(IntegerTarget.allCases.map(\.rawValue)), transform: IntegerTarget.argument)
  var target: IntegerTarget?

  @Option(
    help: ArgumentHelp(
      "Keep this layer in float32, or the n that int8 harms most, or those that alone bring the result below so many dB (as 40dB); may be repeated.",
      valueName: "layer|n|dB"))
  var keepFloat: [String] = []

  @Flag(help: "Give all channels of a weight one scale, after equalising the layers.")
  var perTensor = false

  @Flag(
    name: .customLong("no-bias-correction"),
    help: "Leave biases as they are, instead of making up for what int8 changes of the means.")
  var leavesOutBiasCorrection = false

  @Flag(help: "Replace the output if it exists, and do with fewer than 16 images.")
  var force = false

  @OptionGroup var operators: OperatorArguments
  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "About the model") var metadata: MetadataArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments
  @OptionGroup(title: "Reading") var inputOptions: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  /// Before it, steps have no axis.
  private static let leastOperatorSet = 13

  func validate() throws {
    if let opset = operators.opset, opset < Quantize.leastOperatorSet {
      throw ValidationError(
        "--opset takes a number from \(Quantize.leastOperatorSet), which has scales for each channel, not \(opset)."
      )
    }
    let path = try outputPath
    if perTensor, !path.lowercased().hasSuffix(".onnx") {
      throw ValidationError("--per-tensor is for an .onnx: it changes the weights themselves.")
    }
    if target != nil, !path.lowercased().hasSuffix(".onnx") {
      throw ValidationError("--for is for an .onnx; other formats have no steps of values.")
    }
    _ = try calibration()
  }

  private var outputPath: String {
    get throws { try output.path(for: input, format: "onnx") }
  }

  private func calibration() throws -> CalibrationOptions {
    var options = CalibrationOptions()
    if let target { options.target = target }
    options.correctsBiases = !leavesOutBiasCorrection
    options.hasOneScalePerTensor = perTensor
    options.allowsFewImages = force
    if let threads = threads.chosen { options.threads = threads }
    for kept in keepFloat {
      if let count = Int(kept) {
        guard count >= 0 else {
          throw ValidationError(
            "--keep-float takes a layer, a number of layers or of dB, not \(kept).")
        }
        options.keptCount += count
      } else if kept.lowercased().hasSuffix("db"), let bound = Double(kept.dropLast(2)) {
        options.keptBelow = max(bound, options.keptBelow ?? bound)
      } else {
        options.keptLayers.append(kept)
      }
    }
    return options
  }

  func run() throws {
    var options = QuantizeOptions()
    options.reading = try inputOptions.reading()
    epsilon.apply(to: &options.reading)
    options.epsilon = epsilon.epsilon
    options.calibration = try calibration()
    options.input = calibrationImages.pictures.givenInput.given
    options.metadata = try metadata.given
    options.writing.replace = force
    options.writing.operatorSet = operators.opset
    options.writing.batch = operators.batch?.images
    options.writing.threads = options.calibration.threads
    options.writing.alsoRead =
      [calibrationImages.calibrate] + metadata.files + [inputOptions.dialectFile].compactMap(\.self)
    // Before anything that takes long.
    let output = try outputPath
    _ = try OutputFile(path: output, replace: force, from: [input] + options.writing.alsoRead)
    let images: ImageSelection
    let form: RunnableNetwork.Form
    do {
      // Only to know what it takes: what is calibrated is made of its tensors in float64.
      let network = try RunnableNetwork.open(
        path: input, options: options.reading, epsilon: epsilon.epsilon)
      form = network.form
      images = try calibrationImages.select(for: network, path: input)
    }
    let progress = print.quiet ? nil : ProgressBar.forTerminal(counting: "layer")
    let report: QuantizeReport
    do {
      report = try quantize(
        input, in: form, to: output, images: images, options: options
      ) { progress?($0, $1) }
    } catch let error as ConversionError {
      switch error {
      case .noSteps, .unknownExtension:
        throw AdvisedError(error: error, remedy: "Write an .onnx or an .rvd.")
      default: throw error
      }
    }
    if report.calibration.images < CalibrationOptions.leastImages {
      printError(
        .warning,
        "\(count(report.calibration.images, "image")) say too little about the range of values; 64 are enough"
      )
    }
    try printReport(report, of: Quantize.self, print) { report.text }
  }
}

extension IntegerTarget {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> IntegerTarget {
    guard let target = IntegerTarget(rawValue: text.lowercased()) else {
      throw ValidationError("--for takes cpu or tensorrt, not '\(text)'.")
    }
    return target
  }
}

extension QuantizeReport {
  /// For a person, after writing.
  fileprivate var text: String {
    var lines = ["\(source.path) → \(output.path)"]
    lines.append(row("read", source.reading))
    lines.append(row("network", source.architecture ?? "a graph"))
    lines += images.rows
    let inSteps = calibration.layers.filter { $0.elementType == .int8 }
    lines.append(
      row(
        "int8",
        "\(grouped(inSteps.count)) of \(count(calibration.layers.count, "layer")), "
          + (calibration.hasOneScalePerTensor ? "a scale for each" : "a scale for each channel")
          + (calibration.target.map { ", for \($0.rawValue)" }
            ?? "; values stay in float32, an .rvd has no place for their steps")))
    let corrected = calibration.layers.count(where: \.isCorrected)
    lines.append(
      row("biases", corrected > 0 ? "\(grouped(corrected)) corrected" : "as they were"))
    if calibration.margin > 1 {
      lines.append(
        row(
          "ranges",
          "\(brief(calibration.margin)) times those of the images, which are few: 64 are enough"))
    }
    lines.append(
      row(
        "signal", "\(decibels(calibration.signalToNoise)) dB above what int8 changes of the result")
    )
    for note in notes { lines.append(row("note", note.advised)) }
    lines.append(
      row(
        "wrote",
        "\(output.format), \(size(output.byteCount ?? 0)), \(count(output.tensors, "tensor"))"))
    lines += output.externalDataRows
    if let digest = output.contentDigest { lines.append(row("content", "sha256 \(digest)")) }
    lines.append("")
    lines.append(
      table(
        ["layer", "alone dB", "cumulative dB", "", ""],
        calibration.worstFirst.map { layer in
          [
            layer.name.shown, decibels(layer.alone), decibels(layer.cumulative),
            layer.elementType.rawValue, layer.isCorrected ? "bias corrected" : "",
          ]
        }, numeric: [1, 2]))
    return lines.joined(separator: "\n")
  }

  private func decibels(_ value: Double?) -> String {
    value.map { "\(($0 * 10).rounded() / 10)" } ?? "-"
  }
}
