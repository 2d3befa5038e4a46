import ArgumentParser
import Naming
import Reparameterization

struct Archs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the architectures that -a knows.",
    discussion: """
      Names are accepted in any project's spelling: RepVGG-A0, RepVGGA0, repvgg_a0, A0. Parameters \
      are those of 1000 classes, without RepVGGplus's auxiliary heads.
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    try printReport(ArchitectureList(), of: Archs.self, asJSON: json) { text }
  }

  private var text: String {
    let rows = Architecture.all.map { architecture -> [String] in
      let structure = architecture.structure(classes: 1000)
      return [
        architecture.name,
        architecture.depths.map(String.init).joined(separator: ","),
        architecture.widths.map(String.init).joined(separator: ","),
        "\(architecture.groups)",
        architecture.squeezeExcitation.map {
          "1/\($0.ratio) \($0.placement == .beforeActivation ? "before" : "after") ReLU"
        } ?? "-",
        grouped(structure.trainParameterCount),
        grouped(structure.deployParameterCount),
      ]
    }
    return table(
      ["name", "blocks", "channels", "groups", "SE", "train", "deploy"], rows, numeric: [3, 5, 6])
  }
}

/// What `archs --json` prints.
private struct ArchitectureList: Encodable {
  struct Entry: Encodable {
    var name: String
    var depths: [Int]
    var widths: [Int]
    var groups: Int
    var squeezeExcitation: SqueezeExcitation?
    var trainParameters: Int
    var deployParameters: Int
  }
  struct SqueezeExcitation: Encodable {
    var placement: String
    var ratio: Int
  }

  let architectures = Architecture.all.map { architecture in
    let structure = architecture.structure(classes: 1000)
    return Entry(
      name: architecture.name, depths: architecture.depths, widths: architecture.widths,
      groups: architecture.groups,
      squeezeExcitation: architecture.squeezeExcitation.map {
        SqueezeExcitation(placement: $0.placement.rawValue, ratio: $0.ratio)
      },
      trainParameters: structure.trainParameterCount,
      deployParameters: structure.deployParameterCount)
  }
}
