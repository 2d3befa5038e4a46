import Conversion

/// The manual as one page of HTML that needs no other file, for any screen, light or dark.
struct HTMLManual {
  private let contents: ManualContents

  init(_ contents: ManualContents) { self.contents = contents }

  var text: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>repconv \(escaped(repconvVersion)): manual</title>
    <style>
    \(Self.style)
    </style>
    </head>
    <body>
    <nav>
    <a href="#repconv"><strong>repconv</strong></a>
    \(contents.groups.map(navigation).joined(separator: "\n"))
    </nav>
    <main>
    \(([contents.program] + contents.commands).map(section).joined(separator: "\n"))
    <footer>repconv \(escaped(repconvVersion)), written by <code>repconv manual</code></footer>
    </main>
    </body>
    </html>

    """
  }

  private func navigation(_ group: ManualContents.Group) -> String {
    let links = group.commands.map { command in
      "<li><a href=\"#\(command.name)\" title=\"\(escaped(command.abstract))\">\(command.name)</a></li>"
    }
    return (group.title.map { "<h2>\(escaped($0))</h2>\n" } ?? "")
      + "<ul>\n\(links.joined(separator: "\n"))\n</ul>"
  }

  private func section(_ command: CommandDescription) -> String {
    let isProgram = command.name == contents.program.name
    let heading = isProgram ? "h1" : "h2"
    var parts = [
      "<section id=\"\(command.name)\">",
      "<\(heading)>\(escaped(isProgram ? command.name : "repconv \(command.name)"))</\(heading)>",
      "<p class=\"abstract\">\(runs(command.abstract))</p>",
      "<pre class=\"usage\">\(escaped(command.usage))</pre>",
      blocks(command.discussion.blocks(below: nil)),
    ]
    for group in command.groups {
      parts.append("<h3>\(escaped(group.title))</h3>\n<dl>")
      for argument in group.arguments {
        parts.append("<dt>\(label(argument))</dt>\n<dd>\(runs(argument.text))</dd>")
      }
      parts.append("</dl>")
    }
    for section in command.discussion.sections {
      guard let heading = section.heading else { continue }
      parts.append("<h3>\(escaped(heading.prefix(1) + heading.dropFirst().lowercased()))</h3>")
      parts.append(blocks(section.blocks))
    }
    parts.append("</section>")
    return parts.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private func label(_ argument: ArgumentDescription) -> String {
    let value = argument.value.map { "<var>\(escaped($0))</var>" }
    guard !argument.names.isEmpty else { return value ?? "" }
    let names = argument.names.map { "<code>\(escaped($0))</code>" }.joined(separator: ", ")
    return names + (value.map { argument.isValueOptional ? "[=\($0)]" : " " + $0 } ?? "")
  }

  private func blocks(_ blocks: [Discussion.Block]) -> String {
    blocks.map { block in
      switch block {
      case .paragraph(let text): "<p>\(runs(text))</p>"
      case .literal(let lines): "<pre>\(escaped(lines.joined(separator: "\n")))</pre>"
      case .definitions(let definitions):
        "<dl>\n"
          + definitions.map {
            "<dt><code>\(escaped($0.term))</code></dt>\n<dd>\(runs($0.text))</dd>"
          }
          .joined(separator: "\n") + "\n</dl>"
      }
    }.joined(separator: "\n")
  }

  /// Commands become links to their sections.
  private func runs(_ text: String) -> String {
    TextRun.runs(of: text).map { run in
      guard run.isLiteral else { return escaped(run.text) }
      let code = "<code>\(escaped(run.text))</code>"
      let words = run.text.split(separator: " ")
      guard words.first == "repconv", words.count > 1,
        contents.commands.contains(where: { $0.name == words[1] })
      else { return code }
      return "<a href=\"#\(words[1])\">\(code)</a>"
    }.joined()
  }

  private func escaped(_ text: some StringProtocol) -> String {
    String(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
  }

  private static let style = """
    :root {
      --text: #1f2328; --quiet: #59636e; --ground: #ffffff; --panel: #f6f8fa; --line: #d1d9e0; --link: #0550ae;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --text: #e6edf3; --quiet: #9198a1; --ground: #0d1117; --panel: #161b22; --line: #3d444d; --link: #79c0ff;
      }
    }
    * { box-sizing: border-box; }
    html { scroll-padding-top: 1rem; }
    body {
      margin: 0; display: flex; color: var(--text); background: var(--ground);
      font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word;
    }
    nav {
      position: sticky; top: 0; height: 100vh; overflow-y: auto; flex: 0 0 12rem; padding: 1.5rem;
      background: var(--panel); border-right: 1px solid var(--line);
    }
    nav h2 { margin: 1.2rem 0 0.2rem; font-size: 0.8rem; color: var(--quiet); border: 0; padding: 0; }
    nav ul { margin: 0.3rem 0; padding: 0; list-style: none; }
    main { flex: 1; min-width: 0; max-width: 52rem; padding: 1.5rem 2rem 4rem; }
    a { color: var(--link); text-decoration: none; }
    a:hover { text-decoration: underline; }
    h1, h2 { line-height: 1.2; }
    section + section { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
    .abstract { font-size: 1.1rem; color: var(--quiet); }
    code, pre, dt { font-family: ui-monospace, monospace; font-size: 0.9em; }
    pre { padding: 0.8rem 1rem; overflow-x: auto; background: var(--panel); border-radius: 6px; }
    .usage { white-space: pre-wrap; }
    dt { margin-top: 0.7rem; font-weight: 600; }
    dt code { font-size: inherit; }
    dt var { font-weight: 400; }
    dd { margin: 0.1rem 0 0 1.5rem; }
    footer { margin-top: 3rem; color: var(--quiet); font-size: 0.85rem; }
    @media (max-width: 44rem) {
      body { display: block; }
      nav { position: static; height: auto; padding: 1rem; border: 0; border-bottom: 1px solid var(--line); }
      nav ul { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; }
      main { padding: 1rem; }
    }
    @media print { nav { display: none; } }
    """
}
