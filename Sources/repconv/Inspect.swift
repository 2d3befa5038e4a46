import ArgumentParser
import Checkpoints
import Conversion
import Graphs
import JSON
import Naming
import Tensors

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what is in a file, without reading its weights or running anything.",
    discussion: """
      Shows the container, the names' dialect, whether it is in train or deploy form, the architecture \
      recognised from shapes, and every name a pickle would have called. Of an .rvd file all checksums \
      are verified; --verify does so for other files that record any.

      EXAMPLES
        repconv inspect model.rvd
        repconv inspect runs/*.pth
        repconv inspect checkpoint.pth --all
        repconv inspect checkpoint.pth --json | jq .architecture
        repconv inspect checkpoint.pth --quantization
      """)

  @Argument(
    help: ArgumentHelp("Any files that can be read.", valueName: "file"), completion: .file())
  var files: [String]

  @Flag(help: "List every block, tensor, global and name that is left alone.")
  var all = false

  @Flag(
    inversion: .prefixedNo, help: "Verify the checksums of all tensors (default: of .rvd only).")
  var verify: Bool?

  @Flag(
    help:
      "Read the weights, and show how each layer takes int8, without an image: how far its largest weight stands out, and what one scale for all channels costs. Of RepVGG's blocks in training form also the authors' custom L2."
  )
  var quantization = false

  @OptionGroup(title: "Reading") var inputOptions: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func run() throws {
    let options = try inputOptions.reading()
    try forEach(of: files) { file in
      var report = try inspect(file, options: options, verifying: verify)
      if quantization { report.quantization = try surveyWeights(of: file, options: options) }
      try printReport(report, of: Inspect.self, print) {
        InspectionText(report, all: all).lines.joined(separator: "\n")
          + (file == files.last ? "" : "\n")
      }
      return true
    }
  }
}

/// The lines of `inspect` for a person.
private struct InspectionText {
  var lines: [String] = []
  private let report: InspectReport
  private let all: Bool

  init(_ report: InspectReport, all: Bool) {
    self.report = report
    self.all = all
    let file = report.file
    lines.append("\(file.path): \(file.container), \(size(file.byteCount))")
    addNetwork()
    addGlobals()
    addOrigin()
    for note in file.notes { lines.append(row("note", note.advised)) }
    addIgnored()
    addLayers()
    addBlocks()
    addTensors()
    addQuantization()
  }

  /// Those that one scale for a whole weight harms most come first.
  private mutating func addQuantization() {
    guard let layers = report.quantization else { return }
    func tenths(_ value: Double?) -> String { value.map { "\(($0 * 10).rounded() / 10)" } ?? "-" }
    let rows = layers.enumerated().sorted {
      ($0.element.perTensor ?? .infinity, $0.offset) < (
        $1.element.perTensor ?? .infinity, $1.offset
      )
    }.map { _, layer in
      [
        layer.name.shown, tenths(layer.peak), tenths(layer.spread), tenths(layer.perChannel),
        tenths(layer.perTensor), tenths(layer.customL2),
      ]
    }
    lines += [
      "",
      table(
        [
          "int8 of", "largest/typical", "channels' spread", "dB per channel", "dB per tensor",
          "custom L2",
        ], rows, numeric: [1, 2, 3, 4, 5]),
    ]
  }

  private mutating func addNetwork() {
    let file = report.file
    guard let dialect = file.dialect, let family = file.blockFamily else {
      lines.append(
        row("network", report.reason.map { firstLine($0, of: report.file.path) } ?? "none"))
      lines.append(row("parameters", grouped(report.parameters)))
      return
    }
    lines.append(row("dialect", "\(dialect): \(report.project ?? "")"))
    let blocks = count(report.blocks ?? 0, "block")
    let form =
      switch file.form {
      case nil: "not known: \(blocks), with parameters that \(family) blocks do not have"
      case .deploy?: "deploy: \(blocks)"
      case let form?:
        "\(form.rawValue): \(blocks)"
          + (report.blocksWithIdentity.flatMap { $0 > 0 ? ", \(grouped($0)) with identity" : nil }
            ?? "")
      }
    lines.append(row("form", form))
    if report.blockFamilies.contains(where: { $0.family != family }) {
      let families = report.blockFamilies.map {
        "\(grouped($0.blocks)) \($0.family)"
          + ($0.train == $0.blocks || $0.train == 0 ? "" : " (\(grouped($0.train)) with branches)")
      }
      lines.append(row("blocks", families.joined(separator: ", ")))
    }
    if let architecture = file.architecture, let structure = file.structure {
      lines.append(row("architecture", "\(architecture), \(grouped(structure.classes)) classes"))
    } else {
      lines.append(row("architecture", "not known as a whole: \(report.reason ?? "")"))
    }
    lines.append(
      row(
        "parameters",
        grouped(report.parameters)
          + (file.form == .deploy
            ? "" : report.deployParameters.map { " (\(grouped($0)) when fused)" } ?? "")))
    lines += report.input?.rows(dialect: dialect) ?? []
    if let usual = report.defaultEpsilon {
      lines.append(
        row(
          "epsilon",
          report.epsilons.isEmpty
            ? "not in the file; \(usual) is the default of \(dialect)"
            : EpsilonSource.file.summary(report.epsilons, dialect: dialect)))
    }
    let unknown = report.unknown.prefix(all ? report.unknown.count : 4)
    for block in unknown {
      lines.append(
        row(
          "unknown", "in block '\(printable(block.block))': \(sample(block.names, all ? .max : 3))")
      )
    }
    if unknown.count < report.unknown.count {
      let others = report.unknown.count - unknown.count
      lines.append(row("", "and in \(count(others, "other block")); --all lists them"))
    }
  }

  private mutating func addGlobals() {
    guard !report.globals.isEmpty else { return }
    let suspicious = report.globals.filter { !$0.isExpected }
    lines.append(
      row(
        "pickle",
        "\(count(report.globals.count, "global")), \(suspicious.isEmpty ? "all of kinds checkpoints consist of" : "\(suspicious.count) unusual"); none was run"
      ))
    for global in all ? report.globals : suspicious {
      let calls =
        global.calls == 0 ? "named only" : "would be called \(count(global.calls, "time"))"
      // What Python's os module is called inside.
      let own = (["posix.", "nt."] as [Name]).compactMap { global.name.dropping(prefix: $0) }.first
      let alias = own.map { " (os.\(printable($0)))" }
      lines.append(
        row(
          "",
          "\(printable(global.name))\(alias ?? ""): \(calls)\(global.isExpected ? "" : ", unusual")"
        ))
    }
  }

  /// What a file says of itself.
  private mutating func addOrigin() {
    lines += report.metadata?.rows ?? []
    if let digest = report.contentDigest {
      lines.append(
        row(
          "graph",
          report.graphOperations.map { "\(grouped($0)) operations" } ?? "none: not a whole network")
      )
      lines.append(row("content", "sha256 \(digest)"))
    }
    guard let provenance = report.provenance else { return }
    lines.append(
      row(
        "made from",
        "\(provenance.container), names of \(provenance.dialect), "
          + (provenance.sourceSHA256.map { "sha256 \($0)" } ?? "its digest not recorded")))
    lines.append(
      row(
        "made by",
        "\(provenance.tool), \(provenance.arithmetic), epsilon "
          + provenance.epsilons.map { "\($0)" }.joined(separator: ", ")
          + (provenance.biasCorrection.map { ", biases corrected from \($0)" } ?? "")))
  }

  private mutating func addIgnored() {
    guard !report.ignored.isEmpty else { return }
    let texts = report.ignored.map { "\($0.name.shown) (\($0.what))" }
    lines.append(row("left alone", sample(texts, all ? texts.count : 4)))
    guard report.stateDicts.count > 1 else { return }
    let paths = report.stateDicts.map { $0.path.isEmpty ? "the file's root" : $0.path.shown }
    lines.append(row("state dicts", sample(paths, 8)))
  }

  /// One row for each run of like blocks.
  private mutating func addLayers() {
    guard let layers = report.layers else { return }
    /// All but the last part of a path, which counts the blocks.
    func isLike(_ a: BlockSummary, _ b: BlockSummary) -> Bool {
      var c = a
      c.path = b.path
      c.hasIdentity = b.hasIdentity
      return c == b && a.path.firstPart == b.path.firstPart
    }
    var rows: [[String]] = []
    var run = 0
    for (index, layer) in layers.enumerated() {
      run += 1
      if index + 1 < layers.count, isLike(layer, layers[index + 1]) { continue }
      let first = layers[index + 1 - run].path.shown
      rows.append([
        run == 1 ? first : "\(first) … \(layer.path.lastPart.shown)",
        "\(run)", "\(layer.inputChannels) → \(layer.outputChannels)",
        "\(layer.kernelSize)x\(layer.kernelSize)", "\(layer.stride)", "\(layer.groups)",
        layer.hasIdentity ? "yes" : "no", layer.squeezedChannels.map { "\($0)" } ?? "-",
      ])
      run = 0
    }
    lines.append("")
    lines.append(
      table(
        ["block", "count", "channels", "kernel", "stride", "groups", "identity", "SE"], rows,
        numeric: [1, 4, 5]))
  }

  /// Every block and its family.
  private mutating func addBlocks() {
    guard all, !report.blockList.isEmpty else { return }
    lines.append("")
    lines.append(
      table(
        ["block", "family", "form"],
        report.blockList.map { [$0.path.shown, $0.family, $0.form.rawValue] }, numeric: []))
  }

  private mutating func addTensors() {
    guard report.stateDict != nil else { return }
    let tensors = report.tensors
    let bytes = tensors.reduce(0) { $0 + $1.bytes }
    let types = Set(tensors.map(\.dtype.rawValue)).sorted().joined(separator: ", ")
    lines.append("")
    let stored = tensors.reduce(0) { $0 + ($1.storedBytes ?? $1.bytes) }
    let gain = stored < bytes ? ", compressed to \(size(stored))" : ""
    lines.append(
      "  \(count(tensors.count, "tensor")), \(size(bytes)), \(types)\(gain)\(all || tensors.isEmpty ? "" : "; --all lists them")"
    )
    guard all, !tensors.isEmpty else { return }
    let saysStorage = tensors.contains { $0.codec != nil }
    lines.append(
      table(
        ["name", "shape", "type", "bytes"] + (saysStorage ? ["stored", "codec"] : []),
        tensors.map {
          [$0.name.shown, $0.shape.description, $0.dtype.rawValue, grouped($0.bytes)]
            + (saysStorage ? [$0.storedBytes.map(grouped) ?? "", $0.codec ?? ""] : [])
        }, numeric: [3, 4]))
  }
}
