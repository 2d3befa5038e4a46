import Conversion

/// A page for `man`, in the macros of man(7).
struct ManPage {
  private var lines: [String] = []

  var text: String { lines.joined(separator: "\n") + "\n" }

  /// The pages of the program and of all its commands, with the names of their files.
  static func all(of contents: ManualContents, date: String?) -> [(name: String, text: String)] {
    [(name: "repconv.1", text: ManPage(ofProgramIn: contents, date: date).text)]
      + contents.commands.map { command in
        (
          name: "repconv-\(command.name).1",
          text: ManPage(of: command, in: contents, date: date).text
        )
      }
  }

  private init(ofProgramIn contents: ManualContents, date: String?) {
    let program = contents.program
    begin(program, page: "repconv", date: date)
    heading(".SH", "commands")
    for group in contents.groups {
      if let title = group.title { heading(".SS", title) }
      for command in group.commands {
        item("\\fBrepconv\\-\(escaped(command.name))\\fR(1)")
        fill(runs(command.abstract))
      }
    }
    arguments(of: program)
    end(program, exitStatus: program)
    seeAlso(contents.commands.map(\.name))
  }

  private init(of command: CommandDescription, in contents: ManualContents, date: String?) {
    begin(command, page: "repconv-" + command.name, date: date)
    arguments(of: command)
    end(command, exitStatus: contents.program)
    let mentioned = contents.commands.filter { other in
      other.name != command.name
        && command.mentions.contains("repconv \(other.name)")
    }
    seeAlso([nil] + mentioned.map(\.name))
  }

  // MARK: Sections

  private mutating func begin(_ command: CommandDescription, page: String, date: String?) {
    lines.append(".\\\" Written by 'repconv manual'.")
    lines.append(
      ".TH \(escaped(page.uppercased())) 1 \(date ?? "\"\"") \"repconv \(repconvVersion)\" \"repconv manual\""
    )
    // Names and values are not to be hyphenated.
    lines.append(".nh")
    heading(".SH", "name")
    var abstract = command.abstract
    if abstract.last == "." { abstract.removeLast() }
    fill("\(escaped(page)) \\- \(escaped(abstract))")
    heading(".SH", "synopsis")
    fill(
      command.usage.matches(of: #/<([^>]+)>|[\[\].| ]+|[^\[\].| <]+/#).map { match in
        if let value = match.1 { return "\\fI\(escaped(String(value)))\\fR" }
        let text = escaped(String(match.0))
        return text.contains { $0.isLetter } ? "\\fB\(text)\\fR" : text
      }.joined())
    heading(".SH", "description")
    let blocks = command.discussion.blocks(below: nil)
    self.blocks(blocks.isEmpty ? [.paragraph(command.abstract)] : blocks)
  }

  private mutating func arguments(of command: CommandDescription) {
    for group in command.groups {
      heading(".SH", group.title)
      for argument in group.arguments {
        let value = argument.value.map { "\\fI\(escaped($0))\\fR" }
        if argument.names.isEmpty {
          item(value ?? "")
        } else {
          let names = argument.names.map { "\\fB\(escaped($0))\\fR" }.joined(separator: ", ")
          item(names + (value.map { argument.isValueOptional ? "[=\($0)]" : " " + $0 } ?? ""))
        }
        fill(runs(argument.text))
      }
    }
  }

  /// What the discussion has headings for, examples last; of exit statuses those of the program, if it has none.
  private mutating func end(_ command: CommandDescription, exitStatus program: CommandDescription) {
    let sections = command.discussion.sections.filter { $0.heading != nil }
    let status = "EXIT STATUS"
    var ordered = sections.filter { $0.heading != "EXAMPLES" }
    if !ordered.contains(where: { $0.heading == status }) {
      ordered.append(
        Discussion.Section(heading: status, blocks: program.discussion.blocks(below: status)))
    }
    ordered += sections.filter { $0.heading == "EXAMPLES" }
    for section in ordered {
      heading(".SH", section.heading ?? "")
      blocks(section.blocks)
    }
  }

  private mutating func seeAlso(_ commands: [String?]) {
    heading(".SH", "see also")
    for (index, command) in commands.enumerated() {
      let name = escaped(["repconv", command].compactMap { $0 }.joined(separator: "-"))
      lines.append(".BR \(name) (1)" + (index < commands.count - 1 ? "," : ""))
    }
  }

  // MARK: Blocks

  private mutating func blocks(_ blocks: [Discussion.Block]) {
    for (index, block) in blocks.enumerated() {
      switch block {
      case .paragraph(let text):
        if index > 0 { lines.append(".PP") }
        fill(runs(text))
      case .literal(let commands):
        if index > 0 { lines.append(".PP") }
        lines.append(".nf")
        lines.append(".RS 2")
        lines += commands.map { "\\fB\(escaped($0))\\fR" }.map(guarded)
        lines.append(".RE")
        lines.append(".fi")
      case .definitions(let definitions):
        for definition in definitions {
          item("\\fB\(escaped(definition.term))\\fR")
          fill(runs(definition.text))
        }
      }
    }
  }

  private mutating func heading(_ macro: String, _ title: String) {
    lines.append("\(macro) \(escaped(macro == ".SH" ? title.uppercased() : title))")
  }

  private mutating func item(_ tag: String) {
    lines.append(".TP")
    lines.append(guarded(tag))
  }

  /// Text to be filled, in lines that an editor shows whole.
  private mutating func fill(_ text: String) {
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty && line.utf8.count + 1 + word.utf8.count > 78 {
        lines.append(guarded(line))
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    lines.append(guarded(line))
  }

  // MARK: Characters

  private func runs(_ text: String) -> String {
    TextRun.runs(of: text).map { $0.isLiteral ? "\\fB\(escaped($0.text))\\fR" : escaped($0.text) }
      .joined()
  }

  /// Characters as groff_char(7) writes those that mean something else to it.
  private func escaped(_ text: String) -> String {
    let special: [Unicode.Scalar: String] = [
      "\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti",
      "\"": "\\(dq",
    ]
    return text.unicodeScalars.map { scalar in
      special[scalar]
        ?? (scalar.isASCII
          ? String(scalar) : "\\[u\(hexadecimal(scalar))]")
    }.joined()
  }

  private func hexadecimal(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// A line that begins with a dot would be taken for a macro.
  private func guarded(_ line: String) -> String {
    line.first == "." ? "\\&" + line : line
  }
}

extension CommandDescription {
  /// All that it says in sentences.
  fileprivate var mentions: String {
    let paragraphs = discussion.sections.flatMap(\.blocks).map { block in
      if case .paragraph(let text) = block { text } else { "" }
    }
    return (paragraphs + groups.flatMap(\.arguments).map(\.text)).joined(separator: "\n")
  }
}
