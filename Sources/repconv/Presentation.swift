import Checkpoints
import Conversion
import Tensors

/// `8,309,384`
func grouped(_ number: Int) -> String {
  var digits = Array(String(number.magnitude))
  var index = digits.count - 3
  while index > 0 {
    digits.insert(",", at: index)
    index -= 3
  }
  return (number < 0 ? "-" : "") + String(digits)
}

/// `33.2 MB`, in powers of ten as disks are sold and `ls -h --si` prints.
func size(_ bytes: Int) -> String {
  var value = Double(bytes)
  for unit in ["bytes", "kB", "MB", "GB"] {
    if value < 1000 || unit == "GB" {
      return unit == "bytes" ? "\(bytes) bytes" : "\((value * 10).rounded() / 10) \(unit)"
    }
    value /= 1000
  }
  return "\(bytes) bytes"
}

/// `1 block`, `22 blocks`; `plural` where it is not the noun with an s.
func count(_ number: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(grouped(number)) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// A label in a column of its own, and what it is about.
func row(_ label: String, _ text: String) -> String {
  "  " + label + String(repeating: " ", count: max(1, 14 - label.count)) + oneLine(text)
}

/// Text with ends of lines, which names in files may have, as `\u{a}`.
func oneLine(_ text: String) -> String {
  text.unicodeScalars.contains("\n") ? text.replacing("\n", with: "\\u{a}") : text
}

/// Text whose characters that would move the cursor, change colours or turn the direction of writing, as
/// names in files may have them, appear as `\u{1b}`; ends of lines stay.
///
/// - Parameter escape: what they appear as instead.
func harmless(
  _ text: String,
  escape: (Unicode.Scalar) -> String = { "\\u{\(String($0.value, radix: 16))}" }
) -> String {
  func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control: scalar == "\n"
    case .format, .lineSeparator, .paragraphSeparator, .surrogate: false
    default: true
    }
  }
  if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0A }) { return text }
  guard !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
  var result = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    if isHarmless(scalar) {
      result.append(scalar)
    } else {
      result.append(contentsOf: escape(scalar).unicodeScalars)
    }
  }
  return String(result)
}

/// A JSON text in which such characters, which can only be in its strings, have JSON's own escapes.
func harmlessJSON(_ text: String) -> String {
  harmless(text) { scalar in
    UTF16.encode(scalar)!.map { unit in
      let digits = String(unit, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
  }
}

/// A few names, and how many more there are.
func sample(_ names: [String], _ limit: Int = 3) -> String {
  names.prefix(limit).joined(separator: ", ")
    + (names.count > limit ? ", … (\(grouped(names.count)) in all)" : "")
}

/// Rows of cells as columns: text to the left, numbers to the right.
func table(_ header: [String], _ rows: [[String]], numeric: Set<Int>) -> String {
  let all = [header] + rows.map { $0.map(oneLine) }
  let widths = header.indices.map { column in all.map { $0[column].count }.max()! }
  return all.map { cells in
    var line = cells.enumerated().map { column, cell in
      let space = String(repeating: " ", count: widths[column] - cell.count)
      return numeric.contains(column) ? space + cell : cell + space
    }.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return "  " + line
  }.joined(separator: "\n")
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
