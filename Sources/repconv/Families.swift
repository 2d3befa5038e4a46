import ArgumentParser
import Blocks
import Naming
import Topologies

struct Families: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the families of blocks that are fused.",
    discussion: """
      For each its paper or code, the dialects that name its blocks, and what a kernel of a block is called \
      before and after, in the first of them. `repconv archs` lists the networks known as a whole.

      EXAMPLES
        repconv families
        repconv families --json | jq -r '.families[].name'
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    try printReport(FamilyList(), of: Families.self, asJSON: json) { text }
  }

  private var text: String {
    let rows = FamilyList().families.map { family in
      [
        family.name, family.source,
        family.dialects.prefix(2).joined(separator: ", ")
          + (family.dialects.count > 2 ? " and \(family.dialects.count - 2) more" : ""),
        family.trainExample ?? "", family.deployExample ?? "none: for training only",
      ]
    }
    return table(["name", "source", "dialects", "train", "deploy"], rows, numeric: [])
  }
}

/// What `families --json` prints.
private struct FamilyList: Encodable {
  struct Entry: Encodable {
    var name: String
    /// The paper, or the code, that its formula is taken from.
    var source: String
    /// The projects whose names for its blocks are known, the first one first.
    var projects: [String]
    /// What `--names` calls them.
    var dialects: [String]
    /// What the first of them calls a kernel of the training form.
    var trainExample: String?
    /// And what becomes of it.
    var deployExample: String?
    /// What no tensor shows and is taken for granted.
    var assumption: String?
    /// Networks of it that are known as a whole.
    var architectures: [String]
  }

  let families = BlockFamily.all.map { family in
    let dialects = Dialect.all.filter { $0.table(of: family) != nil }
    let examples = dialects.first?.examples(of: family)
    return Entry(
      name: family.name, source: family.source, projects: dialects.map(\.project),
      dialects: dialects.map(\.name), trainExample: examples?.train,
      deployExample: examples?.deploy ?? nil, assumption: family.assumption?.text,
      architectures: Architecture.known(by: family).map(\.name))
  }
}
