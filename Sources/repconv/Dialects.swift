import ArgumentParser
import Blocks
import Checkpoints
import Naming
import Tensors

struct Dialects: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the dialects that names are read and written in.",
    discussion: """
      A dialect is a table of one project's names and shapes. --show prints one, as a start for a table \
      of your own that --dialect takes; formats/dialects.md tells what the keys mean.

      EXAMPLES
        repconv dialects
        repconv dialects --show timm > mine.dialect
      """)

  @Option(
    help: ArgumentHelp("Print the table of this dialect.", valueName: "dialect"),
    completion: .list(Dialect.all.map(\.name)))
  var show: String?

  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws {
    if let show, Dialect.named(show) == nil {
      throw unknownValue(
        show, of: "--show", among: Dialect.all.map(\.name), listedBy: "repconv dialects")
    }
  }

  func run() throws {
    let dialects = show.flatMap { Dialect.named($0) }.map { [$0] } ?? Dialect.all
    try printReport(DialectList(dialects), of: Dialects.self, print) {
      show == nil ? text : dialects[0].text
    }
  }

  private var text: String {
    let rows = Dialect.all.map { dialect in
      [
        dialect.name,
        dialect.family.name,
        dialect.project,
      ]
    }
    return table(
      ["name", "blocks", "project"], rows, numeric: [])
  }
}

/// What `dialects --json` prints.
private struct DialectList: Encodable {
  struct Entry: Encodable {
    var name: String
    var project: String
    /// The families of its blocks, the one it is known by first.
    var blockFamilies: [String]
    var containers: [String]
    var exampleKey: String
    var kernelLayout: String
    var epsilon: Double
    var input: InputConvention
    /// As `--dialect` takes it.
    var table: String
  }
  let dialects: [Entry]

  init(_ dialects: [Dialect]) {
    self.dialects = dialects.map { dialect in
      Entry(
        name: dialect.name, project: dialect.project,
        blockFamilies: dialect.tables.map(\.family.name), containers: dialect.containers,
        exampleKey: dialect.examples(of: dialect.family)?.train.text ?? "",
        kernelLayout: dialect.layouts.kernel.rawValue,
        epsilon: dialect.epsilon, input: dialect.input, table: dialect.text)
    }
  }
}
