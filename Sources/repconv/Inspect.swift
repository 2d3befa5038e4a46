import ArgumentParser
import Checkpoints
import Conversion
import Graphs
import JSON
import Naming
import RVD
import Reparameterization
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
        repconv inspect checkpoint.pth --all
        repconv inspect checkpoint.pth --json | jq .architecture
      """)

  @Argument(help: "Any file that can be read.", completion: .file())
  var file: String

  @Flag(help: "Print one JSON object.")
  var json = false

  @Flag(help: "List every tensor, every global and every name that is left alone.")
  var all = false

  @Flag(
    inversion: .prefixedNo, help: "Verify the checksums of all tensors (default: of .rvd only).")
  var verify: Bool?

  @OptionGroup var inputOptions: InputOptions

  func run() throws {
    let inspection = try inspect(file, options: inputOptions.reading())
    // Containers that vouch for all of themselves are held to it.
    if verify ?? (inspection.checkpoint.verifyWhole != nil) { try inspection.verifyChecksums() }
    if json {
      print(try InspectionJSON(inspection).value.indented())
    } else {
      print(InspectionText(inspection, all: all).lines.joined(separator: "\n"))
    }
  }
}

/// The JSON object of `inspect --json`.
private struct InspectionJSON {
  var value: JSONValue

  init(_ inspection: Inspection) {
    let checkpoint = inspection.checkpoint
    let network = inspection.network
    func integers(_ list: [Int]) -> JSONValue { .array(list.map { .integer($0) }) }
    let tensors = (inspection.stateDict?.tensors ?? []).map { named -> JSONValue in
      [
        "name": .string(named.name),
        "shape": integers(named.tensor.shape.dimensions),
        "dtype": .string(named.tensor.elementType.rawValue),
        "bytes": .integer(named.tensor.byteCount),
      ]
    }
    let structure = try? inspection.structure?.get()
    value = .object(present: [
      "file": .string(checkpoint.path),
      "format": .string(checkpoint.container),
      "family": .string(checkpoint.family),
      "bytes": .integer(checkpoint.byteCount),
      "dialect": network.map { .string($0.dialect.name) } ?? .null,
      "architecture": inspection.architecture.map { .string($0) } ?? .null,
      "stage": inspection.stage.map { .string($0.rawValue) } ?? .null,
      "parameters": .integer(inspection.parameters),
      "deployParameters": structure.map { .integer($0.deployParameterCount) },
      "classes": structure.map { .integer($0.classes) },
      "blocks": network.map { .integer($0.blocks.count) },
      "epsilons": .array(inspection.epsilonsInFile.map { .number($0) }),
      "stateDict": inspection.stateDict.map { .string($0.path.joined(separator: ".")) },
      "stateDicts": .array(
        checkpoint.stateDicts.map {
          ["path": .string($0.path.joined(separator: ".")), "tensors": .integer($0.tensors.count)]
        }),
      "content": checkpoint.model?.contentSHA256.map { .string($0) },
      "globals": .array(
        checkpoint.globals.map {
          ["name": .string($0.name), "calls": .integer($0.calls), "expected": .bool($0.isExpected)]
        }),
      "notes": .array((checkpoint.notes + (network?.notes ?? [])).map { .string($0) }),
      "tensors": .array(tensors),
    ])
  }
}

/// The lines of `inspect` for a person.
private struct InspectionText {
  var lines: [String] = []
  private let inspection: Inspection
  private let all: Bool

  init(_ inspection: Inspection, all: Bool) {
    self.inspection = inspection
    self.all = all
    let checkpoint = inspection.checkpoint
    lines.append("\(checkpoint.path): \(checkpoint.container), \(size(checkpoint.byteCount))")
    addNetwork()
    addGlobals()
    if let model = checkpoint.model { add(model) }
    for note in checkpoint.notes + (inspection.network?.notes ?? []) {
      lines.append(row("note", note))
    }
    addIgnored()
    addStructure()
    addTensors()
  }

  private mutating func addNetwork() {
    guard let network = inspection.network else {
      lines.append(row("network", inspection.reason ?? "none"))
      lines.append(row("parameters", grouped(inspection.parameters)))
      return
    }
    let identities = network.blocks.count { $0[.batchNorm(.identity, .gamma)] != nil }
    lines.append(row("dialect", "\(network.dialect.name): \(network.dialect.project)"))
    lines.append(
      row(
        "stage",
        network.stage.rawValue + ": \(count(network.blocks.count, "block"))"
          + (network.stage == .deploy ? "" : ", \(identities) with identity")))
    switch inspection.structure {
    case .success(let structure):
      lines.append(
        row("architecture", "\(structure.description), \(grouped(structure.classes)) classes"))
      lines.append(
        row(
          "parameters",
          grouped(inspection.parameters)
            + (network.stage == .deploy
              ? "" : " (\(grouped(structure.deployParameterCount)) when fused)")))
      if inspection.checkpoint.model == nil {
        lines.append(row("input", network.dialect.input.summary + ", by the dialect"))
      }
    case .failure(let deviation):
      lines.append(row("architecture", "not a whole RepVGG: \(deviation.reason)"))
      lines.append(row("parameters", grouped(inspection.parameters)))
    case nil: break
    }
    if network.stage != .deploy {
      let inFile = inspection.epsilonsInFile
      lines.append(
        row(
          "epsilon",
          inFile.isEmpty
            ? "not in the file; \(network.dialect.epsilon) by the dialect"
            : inFile.map { "\($0)" }.joined(separator: ", ") + ", from the modules in the file"))
    }
    for (block, names) in network.unknownInBlocks {
      lines.append(row("unknown", "in block '\(block)': \(sample(names))"))
    }
  }

  private mutating func addGlobals() {
    let globals = inspection.checkpoint.globals
    guard !globals.isEmpty else { return }
    let suspicious = inspection.checkpoint.unusualGlobals
    lines.append(
      row(
        "pickle",
        "\(count(globals.count, "global")), \(suspicious.isEmpty ? "all of kinds checkpoints consist of" : "\(suspicious.count) unusual"); none was run"
      ))
    for global in all ? globals : suspicious {
      let calls =
        global.calls == 0 ? "named only" : "would be called \(count(global.calls, "time"))"
      // What Python's os module is called inside.
      let alias = ["posix.", "nt."].first(where: global.name.hasPrefix).map {
        " (os.\(global.name.dropFirst($0.count)))"
      }
      lines.append(
        row("", "\(global.name)\(alias ?? ""): \(calls)\(global.isExpected ? "" : ", unusual")"))
    }
  }

  /// What the file itself says of the network.
  private mutating func add(_ model: ModelDescription) {
    if let input = model.input { lines.append(row("input", input.summary)) }
    lines.append(
      row(
        "graph",
        model.graph.map { "\(grouped($0.nodes.count)) operations" } ?? "none: not a whole network"))
    if let digest = model.contentSHA256 { lines.append(row("content", "sha256 \(digest)")) }
    if let provenance = model.provenance {
      lines.append(
        row(
          "made from",
          "\(provenance.container), names of \(provenance.dialect), "
            + (provenance.sourceSHA256.map { "sha256 \($0)" } ?? "its digest not recorded")))
      lines.append(
        row(
          "made by",
          "\(provenance.tool), \(provenance.arithmetic), epsilon "
            + provenance.epsilons.map { "\($0)" }.joined(separator: ", ")))
    }
  }

  private mutating func addIgnored() {
    let ignored = inspection.stateDict?.ignored ?? []
    guard !ignored.isEmpty else { return }
    let texts = ignored.map { "\($0.name) (\($0.what))" }
    lines.append(row("left alone", sample(texts, all ? texts.count : 4)))
    let others = inspection.checkpoint.stateDicts.count - 1
    if others > 0 {
      lines.append(
        row("state dicts", sample(inspection.checkpoint.stateDicts.map(\.pathDescription), 8)))
    }
  }

  /// One row for each run of like blocks.
  private mutating func addStructure() {
    guard case .success(let structure) = inspection.structure else { return }
    var rows: [[String]] = []
    var run = 0
    let layers = structure.layers
    for (index, layer) in layers.enumerated() {
      func isLike(_ a: RepVGGStructure.Layer, _ b: RepVGGStructure.Layer) -> Bool {
        (a.inputChannels, a.outputChannels, a.groups, a.stride, a.squeezed ?? 0)
          == (b.inputChannels, b.outputChannels, b.groups, b.stride, b.squeezed ?? 0)
          && a.path.prefix { $0 != "." } == b.path.prefix { $0 != "." }
      }
      run += 1
      if index + 1 < layers.count, isLike(layer, layers[index + 1]) { continue }
      let first = layers[index + 1 - run].path
      rows.append([
        run == 1 ? first : "\(first) … \(layer.path.split(separator: ".").last!)",
        "\(run)", "\(layer.inputChannels) → \(layer.outputChannels)",
        "\(layer.kernelSize)x\(layer.kernelSize)", "\(layer.stride)", "\(layer.groups)",
        layer.hasIdentity ? "yes" : "no", layer.squeezed.map { "\($0)" } ?? "-",
      ])
      run = 0
    }
    lines.append("")
    lines.append(
      table(
        ["block", "count", "channels", "kernel", "stride", "groups", "identity", "SE"], rows,
        numeric: [1, 4, 5]))
  }

  private mutating func addTensors() {
    guard let tensors = inspection.stateDict?.tensors else { return }
    let bytes = tensors.reduce(0) { $0 + $1.tensor.byteCount }
    let types = Set(tensors.map(\.tensor.elementType.rawValue)).sorted().joined(separator: ", ")
    lines.append("")
    lines.append(
      "  \(count(tensors.count, "tensor")), \(size(bytes)), \(types)\(all || tensors.isEmpty ? "" : "; --all lists them")"
    )
    guard all, !tensors.isEmpty else { return }
    lines.append(
      table(
        ["name", "shape", "type", "bytes"],
        tensors.map {
          [
            $0.name, $0.tensor.shape.description, $0.tensor.elementType.rawValue,
            grouped($0.tensor.byteCount),
          ]
        }, numeric: [3]))
  }
}
