import ArgumentParser
import Blocks
import Conversion
import Naming
import Reparameterization
import Topologies

struct Fuse: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fuse the branches of every block into one convolution.",
    discussion: """
      Reads any checkpoint that 'repconv inspect' shows in train form, with blocks of the families that 'repconv families' \
      lists, whatever network they are in. Computes in float64 and rounds once, to float32 or what --dtype says; writes \
      the deploy form in the format of OUT's extension. Tensors outside the blocks pass through. Where a project's own \
      deploy code folds plain convolutions (DBB, RepViT, the YOLOs), they are folded as well.

      EXAMPLES
        repconv fuse in.pth out.rvd -a RepVGG-A0
        repconv fuse repvgg_a0.pkl deploy.pth
        repconv fuse mobileone_s0.pth.tar out.rvd -a MobileOne-S0
        repconv fuse yolo.pth out.rvd --bn-eps 1e-3
        repconv fuse in.pth out.rvd --verify
        repconv fuse in.pth out.safetensors --dtype float16
        repconv fuse in.pth out.rvd --dtype int8 --keep-float stage0
        repconv fuse in.pth out.onnx --opset 17
        repconv fuse in.pth out.rvd --labels imagenet.txt --license MIT
      """)

  @Argument(
    help: ArgumentHelp("The training checkpoint to read.", valueName: "in"), completion: .file())
  var input: String

  @OptionGroup var output: OutputPathArguments

  @Option(
    name: [.short, .long], help: "Fail unless the network is this one; see 'repconv archs'.",
    completion: .list(Architecture.all.map(\.name)), transform: Architecture.argument)
  var arch: Architecture?

  @Flag(
    help:
      "Read the output back and prove it, as 'repconv verify --tolerance exact --algebra-only' does, before it is renamed into place."
  )
  var verify = false

  @OptionGroup(title: "Gates") var gates: GateOptions
  @OptionGroup(title: "Output") var outputOptions: OutputOptions
  @OptionGroup(title: "About the network's input") var givenInput: GivenInputArguments
  @OptionGroup(title: "About the model") var metadata: MetadataArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments
  @OptionGroup(title: "Reading") var inputOptions: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws { _ = try outputPath }

  private var outputPath: String {
    get throws { try output.path(for: input, format: outputOptions.format ?? "rvd") }
  }

  func run() throws {
    let output = try outputPath
    var options = FuseOptions()
    options.reading = try inputOptions.reading()
    gates.apply(to: &options.reading)
    options.writing = try outputOptions.writing(
      with: inputOptions, dialects: options.reading.dialects + Dialect.onRequest, print)
    options.architecture = arch
    options.epsilon = epsilon.epsilon
    epsilon.apply(to: &options.reading)
    options.input = givenInput.given
    options.metadata = try metadata.given
    options.writing.alsoRead += metadata.files
    options.isDryRun = outputOptions.isDryRun
    options.isVerified = verify
    let report = try fuse(input, to: output, options: options)
    printWarnings(report.source.notes + report.notes)
    try printReport(report, of: Fuse.self, print, output: output) {
      outputOptions.isDryRun
        ? report.mapping.text(notes: report.source.notes + report.notes) : report.text
    }
  }
}

extension FuseReport {
  /// For a person, after writing.
  fileprivate var text: String {
    var lines = ["\(source.path) → \(output.path)"]
    lines.append(row("read", source.reading))
    lines.append(row("network", source.architecture ?? "blocks inside a larger network"))
    lines.append(
      row(
        "fused",
        "\(count(blocks, "block")), \(grouped(blocksWithIdentity)) with identity; "
          + "\(count(passedThrough, "other tensor")) passed through"))
    let agreeing = besideBranches.count(where: \.agrees)
    if agreeing > 0 {
      lines.append(
        row(
          "compared",
          "\(count(agreeing, "deploy kernel")) beside live branches: equal within float32 rounding")
      )
    }
    lines.append(
      row("parameters", "\(grouped(trainParameters)) → \(grouped(deployParameters))"))
    lines.append(row("epsilon", epsilonSource.summary(epsilons, dialect: source.dialect)))
    if let largestWeight {
      lines.append(row("largest", "weight \(largestWeight.magnitude), in \(largestWeight.name)"))
    }
    lines += input?.rows(dialect: mapping.dialect ?? "") ?? []
    lines += quantization?.rows ?? []
    lines += metadata?.rows ?? []
    lines += mapping.droppedRows
    for note in source.notes + notes where !note.isWarning {
      lines.append(row("note", note.advised))
    }
    lines.append(
      row(
        "wrote",
        "\(output.format), \(size(output.byteCount ?? 0)), \(count(output.tensors, "tensor"))\(output.gain)"
      ))
    lines += output.externalDataRows
    if let proof = verification { lines.append(row("verified", proof.blocksSummary)) }
    if let digest = output.contentDigest { lines.append(row("content", "sha256 \(digest)")) }
    return lines.joined(separator: "\n")
  }
}
