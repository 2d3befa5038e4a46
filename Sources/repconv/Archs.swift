import ArgumentParser
import Conversion
import Topologies

struct Archs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the architectures that -a knows.",
    discussion: """
      Names are accepted in any project's spelling: RepVGG-A0, RepVGGA0, repvgg_a0, A0; MobileOne-S0, \
      mobileone_s0, S0. Parameters are those of 1000 classes, without RepVGGplus's auxiliary heads; \
      groups leave depthwise convolutions out.
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    try printReport(ArchitectureList(), of: Archs.self, asJSON: json) { text }
  }

  private var text: String {
    let rows = Architecture.all.map { architecture -> [String] in
      let structure = architecture.structure(classes: 1000)
      let summary = StructureSummary(structure)
      return [
        architecture.name,
        summary.depths.map(String.init).joined(separator: ","),
        summary.widths.map(String.init).joined(separator: ","),
        summary.groups.filter { $0 > 1 }.map(String.init).joined(separator: ","),
        summary.squeezeExcitation == nil
          ? "" : summary.squeezeExcitation == "beforeActivation" ? "before ReLU" : "after ReLU",
        grouped(structure.trainParameterCount),
        grouped(structure.deployParameterCount),
      ]
    }
    return table(
      ["name", "blocks", "channels", "groups", "SE", "train", "deploy"], rows, numeric: [5, 6])
  }
}

/// What `archs --json` prints.
private struct ArchitectureList: Encodable {
  struct Entry: Encodable {
    var name: String
    var topology: String
    var structure: StructureSummary
    var trainParameters: Int
    var deployParameters: Int
  }

  let architectures = Architecture.all.map { architecture in
    let structure = architecture.structure(classes: 1000)
    return Entry(
      name: architecture.name, topology: architecture.topology,
      structure: StructureSummary(structure), trainParameters: structure.trainParameterCount,
      deployParameters: structure.deployParameterCount)
  }
}
