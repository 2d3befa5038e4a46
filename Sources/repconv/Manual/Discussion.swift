/// What a command says of itself at length, taken apart.
///
/// The text is that of `CommandConfiguration.discussion`: paragraphs with empty lines between them, lines that
/// are indented and stay as they are, and headings, which are lines in capitals.
struct Discussion {
  enum Block: Equatable {
    case paragraph(String)
    /// Lines as they are to be typed.
    case literal([String])
    /// What stands before and behind the gap of two spaces or more in each line.
    case definitions([Definition])
  }

  struct Definition: Equatable {
    var term: String
    var text: String
  }

  struct Section {
    /// Nil for what stands before the first heading.
    var heading: String?
    var blocks: [Block] = []
  }

  private(set) var sections = [Section(heading: nil)]

  init(_ text: String) {
    var lines: [Substring] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let isHeading = !line.isEmpty && line.allSatisfy { $0.isUppercase || $0 == " " }
      if isHeading || line.isEmpty
        || lines.last.map({ $0.first != line.first && ($0.first == " " || line.first == " ") })
          == true
      {
        end(&lines)
      }
      if isHeading {
        sections.append(Section(heading: String(line)))
      } else if !line.isEmpty {
        lines.append(line)
      }
    }
    end(&lines)
  }

  /// Blocks below `heading`; none if there is no such heading.
  func blocks(below heading: String?) -> [Block] {
    sections.first { $0.heading == heading }?.blocks ?? []
  }

  private mutating func end(_ lines: inout [Substring]) {
    guard let first = lines.first else { return }
    let block: Block
    if first.first != " " {
      block = .paragraph(lines.joined(separator: " "))
    } else {
      let lines = lines.map { String($0.drop { $0 == " " }) }
      let definitions = lines.compactMap { line in
        line.wholeMatch(of: #/(.+?) {2,}([^# ].*)/#).map {
          Definition(term: String($0.1), text: String($0.2))
        }
      }
      block = definitions.count == lines.count ? .definitions(definitions) : .literal(lines)
    }
    sections[sections.count - 1].blocks.append(block)
    lines = []
  }
}

/// A piece of a sentence, and whether it is what one types: an option, a command or a value.
struct TextRun: Equatable {
  var text: String
  var isLiteral: Bool

  /// The pieces of a text: options, and what stands in quotation marks, are literal.
  static func runs(of text: String) -> [TextRun] {
    var runs: [TextRun] = []
    var rest = text[...]
    let literal =
      #/'(?<command>repconv [^']*)'|'(?<value>[^' ]+)'|`(?<code>[^`]+)`|(?<option>--[a-z][a-z0-9=-]*)/#
    while let match = rest.firstMatch(of: literal) {
      if match.range.lowerBound > rest.startIndex {
        runs.append(TextRun(text: String(rest[..<match.range.lowerBound]), isLiteral: false))
      }
      let found = match.command ?? match.value ?? match.code ?? match.option!
      runs.append(TextRun(text: String(found), isLiteral: true))
      rest = rest[match.range.upperBound...]
    }
    if !rest.isEmpty { runs.append(TextRun(text: String(rest), isLiteral: false)) }
    return runs
  }
}
