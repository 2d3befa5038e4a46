import ArgumentParser
import Conversion
import Tensors

/// Writes the manual: what the commands say of themselves, as pages for `man` or as one page of HTML.
///
/// It is for those who install or package the program, and not listed among its commands.
struct Manual: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case man, html }

  static let configuration = CommandConfiguration(
    abstract: "Write the manual, as pages for man or as one page of HTML.",
    discussion: """
      A page for man is repconv.1, or repconv-COMMAND.1; the page of HTML is repconv.html. \
      Files of these names are replaced.

      EXAMPLES
        repconv manual man1 --format man --date 2026-01-31
        repconv manual doc --format html
      """,
    shouldDisplay: false)

  @Argument(
    help: ArgumentHelp("The folder to write to, which has to exist.", valueName: "folder"),
    completion: .directory)
  var folder: String

  @Option(help: ArgumentHelp("man or html.", valueName: "format"))
  var format: Format

  @Option(help: ArgumentHelp("The day that pages for man bear (default: none).", valueName: "date"))
  var date: String?

  func validate() throws {
    if let date, date.wholeMatch(of: #/\d{4}-\d\d-\d\d/#) == nil {
      throw ValidationError("--date takes a day as 2026-01-31, not '\(date)'.")
    }
  }

  func run() throws {
    let contents = try ManualContents()
    let pages =
      switch format {
      case .man: ManPage.all(of: contents, date: date)
      case .html: [(name: "repconv.html", text: HTMLManual(contents).text)]
      }
    for page in pages {
      let file = try OutputFile(path: folder + "/" + page.name, replace: true)
      try file.append(Array(page.text.utf8))
      try file.commit(sync: false)
    }
  }
}
