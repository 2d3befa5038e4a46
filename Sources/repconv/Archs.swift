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

  func run() {
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
    print(
      table(
        ["name", "blocks", "channels", "groups", "SE", "train", "deploy"], rows, numeric: [3, 5, 6])
    )
  }
}
