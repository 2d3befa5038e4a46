import ArgumentParser
import Conversion
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The terminal that a stream goes to, as far as it matters for what is printed.
struct Terminal {
  /// Columns; nil where lines are as long as they are: the stream goes to a file or a pipe.
  var width: Int?
  var hasColors: Bool

  /// What `--color` says.
  enum ColorChoice: String, CaseIterable, ExpressibleByArgument {
    case auto, always, never
  }

  /// That of the command that runs.
  private static let colorChoice = Mutex(ColorChoice.auto)

  static func choose(_ choice: ColorChoice) { colorChoice.withLock { $0 = choice } }

  static var output: Terminal { Terminal(behind: STDOUT_FILENO) }
  static var errors: Terminal { Terminal(behind: STDERR_FILENO) }

  /// Colours are for terminals that are not dumb, unless NO_COLOR is set (no-color.org) or `--color` says
  /// otherwise.
  init(behind descriptor: CInt) {
    let isTerminal = isatty(descriptor) == 1
    width = isTerminal ? Terminal.columns(of: descriptor) : nil
    hasColors =
      switch Terminal.colorChoice.withLock({ $0 }) {
      case .always: true
      case .never: false
      case .auto: isTerminal && !Terminal.isDumb && Terminal.variable("NO_COLOR") == nil
      }
  }

  init(width: Int?, hasColors: Bool) {
    self.width = width
    self.hasColors = hasColors
  }

  /// Whether it cannot move its cursor or change colours.
  static var isDumb: Bool { variable("TERM").map { $0 == "dumb" } ?? true }

  /// What the kernel says, else what COLUMNS does; at least 40.
  private static func columns(of descriptor: CInt) -> Int {
    var size = winsize()
    // Safe: the kernel writes one `winsize`.
    let isKnown = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return max(40, isKnown ? Int(size.ws_col) : variable("COLUMNS").flatMap { Int($0) } ?? 80)
  }

  /// A variable of the environment that is set, and not to nothing.
  private static func variable(_ name: String) -> String? {
    // Safe: the string is copied at once, and nothing here changes the environment.
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }
}

/// How a part of a line looks, where there are colours.
enum Style: String {
  case bold = "1"
  case good = "32"
  case warning = "33"
  case bad = "1;31"

  /// The text between control sequences of ECMA-48 (SGR).
  func callAsFunction(_ text: some StringProtocol) -> String {
    "\u{1B}[\(rawValue)m\(text)\u{1B}[0m"
  }
}

extension Terminal {
  /// The column in which what a label stands for begins.
  static let labelWidth = 16

  /// Text as it is shown: what would harm the terminal escaped, lines broken at spaces, and colours where
  /// they mean something: the first line by the verdict, labels of what is wrong.
  ///
  /// - Parameter verdict: whether the first line says good news; nil if it is neither.
  func shown(_ text: String, verdict: Bool? = nil, isReport: Bool = true) -> String {
    let lines = harmless(text).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.enumerated().map { index, line in
      let parts = broken(String(line))
      guard hasColors, isReport else { return parts.joined(separator: "\n") }
      if index == 0 {
        let style: Style = verdict.map { $0 ? .good : .bad } ?? .bold
        return parts.map { $0.isEmpty ? $0 : style($0) }.joined(separator: "\n")
      }
      return ([Terminal.colored(parts[0])] + parts.dropFirst()).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// A line whose label says that something is wrong, with that in colour.
  private static func colored(_ line: String) -> String {
    let styles: [String: Style] = [
      "warning": .warning, "damaged": .bad, "failure": .bad, "missing": .bad,
      "unexpected": .warning,
    ]
    guard line.hasPrefix("  "), let label = line.split(separator: " ").first,
      let style = styles[String(label)], line.dropFirst(2).hasPrefix(label)
    else { return line }
    return "  " + style(label) + line.dropFirst(2 + label.count)
  }

  /// A line as several, none wider than the terminal if it has spaces to be broken at. What follows stands
  /// below the text behind a label, or two columns further in than the line.
  private func broken(_ line: String) -> [String] {
    guard let width, line.count > width else { return [line] }
    var indentation = line.prefix { $0 == " " }.count + 2
    let head = line.prefix(Terminal.labelWidth)
    if line.hasPrefix("  "), head.last == " ", line.dropFirst(head.count).first != " ",
      head.count + 20 < width
    {
      indentation = Terminal.labelWidth
    }
    var lines: [String] = []
    var rest = Substring(line)
    var start = 0
    while rest.count + start > width {
      let limit = rest.prefix(width - start + 1)
      // Behind the indentation, the label included.
      let first = limit.index(
        limit.startIndex, offsetBy: lines.isEmpty ? indentation : 0, limitedBy: limit.endIndex)
      guard let first,
        let space = limit[first...].lastIndex(of: " ")
          ?? rest[limit.endIndex...].firstIndex(of: " ")
      else { break }
      lines.append(String(repeating: " ", count: start) + rest[..<space])
      rest = rest[rest.index(after: space)...].drop { $0 == " " }
      start = indentation
    }
    return lines + [String(repeating: " ", count: start) + rest]
  }
}
