import ArgumentParser
import Conversion
import Topologies

struct Archs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the architectures that -a knows.",
    discussion: """
      Names are accepted in any project's spelling: RepVGG-A0, RepVGGA0, repvgg_a0, A0; MobileOne-S0, \
      mobileone_s0, S0. Parameters are those of 1000 classes, without RepVGGplus's auxiliary heads; \
      groups leave depthwise convolutions out. --json has the exact numbers, and which networks have Squeeze-and-Excitation.
      """)

  @OptionGroup(title: "Printing") var print: PrintArguments

  func run() throws {
    try printReport(ArchitectureList(), of: Archs.self, print) { text }
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
        millions(structure.trainParameterCount),
        millions(structure.deployParameterCount),
      ]
    }
    return table(
      ["name", "blocks", "channels", "groups", "train", "deploy"], rows, numeric: [4, 5])
  }

  /// `9.11 M`
  private func millions(_ count: Int) -> String {
    let hundredths = (count + 5000) / 10000
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) M"
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
