import ArgumentParser
import Blocks
import Naming
internal import Tensors
import Topologies

struct Families: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the families of blocks that are fused.",
    discussion: """
      A family is a kind of block: its branches in training, and how they become one convolution. Named, each is \
      shown with its paper or code, the dialects that name its blocks, what a kernel is called before and after in the \
      first of them, and the networks of it that are known as a whole ('repconv archs').

      EXAMPLES
        repconv families
        repconv families RepVGG MobileOne
        repconv families --json | jq -r '.families[].name'
      """)

  @Argument(
    help: "Show all that is known of these.",
    completion: .list((BlockFamily.all + BlockFamily.variants).map(\.name)),
    transform: Families.family)
  var names: [BlockFamily] = []

  @OptionGroup(title: "Printing") var print: PrintArguments

  func run() throws {
    let list = FamilyList(names.isEmpty ? BlockFamily.all : names)
    try printReport(list, of: Families.self, print) {
      names.isEmpty ? overview(list) : list.families.map(details).joined(separator: "\n\n")
    }
  }

  /// For `@Argument(transform:)`.
  private static func family(_ text: String) throws -> BlockFamily {
    guard let family = BlockFamily.named(text) else {
      throw unknownValue(
        text, of: "repconv families", among: BlockFamily.all.map(\.name),
        listedBy: "repconv families")
    }
    return family
  }

  private func overview(_ list: FamilyList) -> String {
    table(
      ["name", "dialects", "source"],
      list.families.map { family in
        [
          family.name,
          (family.dialects.first ?? "")
            + (family.dialects.count > 1 ? " and \(family.dialects.count - 1) more" : ""),
          family.source,
        ]
      }, numeric: [])
  }

  private func details(_ family: FamilyList.Entry) -> String {
    var lines = [family.name, row("source", family.source)]
    lines.append(row("dialects", family.dialects.joined(separator: ", ")))
    if let example = family.trainExample {
      lines.append(row("train form", example))
      lines.append(row("deploy form", family.deployExample ?? "none: it is for training only"))
    }
    if let assumption = family.assumption { lines.append(row("assumed", assumption)) }
    if !family.architectures.isEmpty {
      lines.append(row("networks", family.architectures.joined(separator: ", ")))
    }
    return lines.joined(separator: "\n")
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

  let families: [Entry]

  init(_ families: [BlockFamily]) {
    self.families = families.map(Entry.init)
  }
}

extension FamilyList.Entry {
  fileprivate init(_ family: BlockFamily) {
    let dialects = Dialect.all.filter { $0.table(of: family) != nil }
    let examples = dialects.first?.examples(of: family)
    self.init(
      name: family.name, source: family.source, projects: dialects.map(\.project),
      dialects: dialects.map(\.name), trainExample: examples?.train.text,
      deployExample: examples?.deploy?.text, assumption: family.assumption?.text,
      architectures: Architecture.known(by: family).map(\.name))
  }
}
