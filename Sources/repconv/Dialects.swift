import ArgumentParser
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

  func validate() throws {
    if let show, Dialect.named(show) == nil {
      throw ValidationError(
        "--show takes one of \(Dialect.all.map(\.name).joined(separator: ", ")), not '\(show)'.")
    }
  }

  func run() {
    if let show, let dialect = Dialect.named(show) {
      print(dialect.text)
      return
    }
    let rows = Dialect.all.map { dialect in
      [
        dialect.name,
        dialect.label(of: .block(path: "stage1.0", .kernel(.dense))),
        dialect.layouts.kernel.rawValue,
        dialect.input.channelOrder.rawValue,
        "\(dialect.epsilon)",
        dialect.project,
      ]
    }
    print(
      table(["name", "a key of it", "kernel", "input", "epsilon", "project"], rows, numeric: []))
  }
}
