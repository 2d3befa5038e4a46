import Checkpoints
import Conversion
import Tensors

/// A label in a column of its own, and what it is about.
func row(_ label: String, _ text: String) -> String {
  "  " + label + String(repeating: " ", count: max(1, Terminal.labelWidth - 2 - label.count))
    + oneLine(text)
}

/// Text with ends of lines, which names in files may have, as `\u{a}`.
func oneLine(_ text: String) -> String {
  text.unicodeScalars.contains("\n") ? text.replacing("\n", with: "\\u{a}") : text
}

/// A few names, and how many more there are.
func sample(_ names: [Name], _ limit: Int = 3) -> String { sample(names.map(\.shown), limit) }

/// A few texts, and how many more there are.
func sample(_ names: [String], _ limit: Int = 3) -> String {
  names.prefix(limit).joined(separator: ", ")
    + (names.count > limit ? ", … (\(grouped(names.count)) in all)" : "")
}

/// Rows of cells as columns: text to the left, numbers to the right. On a terminal that is too narrow, cells of
/// the widest columns of text become several lines.
func table(
  _ header: [String], _ rows: [[String]], numeric: Set<Int>,
  width: Int? = Terminal.output.width
) -> String {
  let all = [header] + rows.map { $0.map(oneLine) }
  var widths = header.indices.map { column in all.map { $0[column].count }.max()! }
  if let width {
    let least = 8
    func total() -> Int { widths.reduce(0) { $0 + $1 + 2 } }
    while total() > width,
      let widest = widths.indices.filter({ !numeric.contains($0) && widths[$0] > least })
        .max(by: { widths[$0] < widths[$1] })
    {
      widths[widest] -= 1
    }
  }
  return all.map { cells in
    let parts = cells.enumerated().map { cellLines($1, width: widths[$0]) }
    return (0..<parts.map(\.count).max()!).map { line in
      let text = parts.enumerated().map { column, lines in
        let cell = line < lines.count ? lines[line] : ""
        let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
        return numeric.contains(column) ? space + cell : cell + space
      }.joined(separator: "  ")
      return ("  " + text).trimmingSuffix { $0 == " " }
    }.joined(separator: "\n")
  }.joined(separator: "\n")
}

/// A cell as lines of at most this width, broken at spaces, else behind marks that stand between parts of names.
private func cellLines(_ cell: String, width: Int) -> [Substring] {
  var lines: [Substring] = []
  var rest = Substring(cell)
  while rest.count > width {
    let limit = rest.prefix(width + 1)
    if let space = limit.lastIndex(of: " "), space > rest.startIndex {
      lines.append(rest[..<space])
      rest = rest[rest.index(after: space)...]
    } else {
      let part = rest.prefix(width)
      let mark = part.lastIndex { ".,/_-:(".contains($0) }
      let end = mark.map { part.index(after: $0) } ?? part.endIndex
      lines.append(rest[..<end])
      rest = rest[end...]
    }
  }
  return lines + [rest]
}

extension String {
  fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> String {
    var result = self
    while let last = result.last, isTrimmed(last) { result.removeLast() }
    return result
  }
}

extension KnownInput {
  /// What the input is, and below it who says so.
  func rows(dialect: String) -> [String] {
    [row("input", convention.description), row("", origin(dialect: dialect))]
  }

  /// `size as given, the rest the default of official`
  private func origin(dialect: String) -> String {
    let groups: [(source: Source, text: String)] = [
      (.given, "as given"), (.file, "as the file says"), (.dialect, "the default of \(dialect)"),
    ]
    let present = groups.filter { sources.values.contains($0.source) }
    return present.enumerated().map { index, group in
      if present.count == 1 { return group.text }
      if index == present.count - 1 { return "the rest \(group.text)" }
      let names = Property.allCases.filter { sources[$0] == group.source }.map(\.label)
      return "\(names.joined(separator: ", ")) \(group.text)"
    }.joined(separator: ", ")
  }
}

extension KnownInput.Property {
  fileprivate var label: String {
    switch self {
    case .channelOrder: "order"
    case .scale: "range"
    case .mean: "mean"
    case .standardDeviation: "deviation"
    case .size: "size"
    }
  }
}

extension FileSummary {
  /// `PyTorch zip, 535.0 kB, names of official`
  var reading: String {
    "\(container), \(size(byteCount))" + (dialect.map { ", names of \($0)" } ?? "")
  }

  /// `PyTorch zip, names of official, float16`
  var summary: String {
    container + (dialect.map { ", names of \($0)" } ?? "")
      + (kernelTypes.isEmpty ? "" : ", " + kernelTypes.map(\.rawValue).joined(separator: " and "))
  }

  /// A row for each checksum that is wrong.
  var damageRows: [String] {
    damage.map { row("damaged", $0.split(separator: "\n").first.map(String.init) ?? $0) }
  }
}

extension OutputSummary {
  /// `, tensors compressed to 82.77 %`
  var gain: String {
    compressionRatio.map { ", tensors compressed to \(percent($0))" } ?? ""
  }

  /// The file beside it, if there is one.
  var externalDataRows: [String] {
    externalData.map { [row("and", "\($0.path), \(size($0.byteCount)), with the tensors")] } ?? []
  }
}

extension EpsilonSource {
  /// `1e-05, the default of official`
  func summary(_ epsilons: [Double], dialect: String?) -> String {
    if epsilons.isEmpty { return "none: no block has BatchNorm" }
    let source =
      switch self {
      case .given: "as given"
      case .file: "from the modules in the file"
      case .dialect: "the default of \(dialect ?? "its names")"
      }
    return epsilons.map { "\($0)" }.joined(separator: ", ") + ", " + source
  }
}
