// Text from files in documents: names and labels are anybody's, and must neither be markup nor hide anything.

/// Text without characters that move a cursor, change the direction of writing or cannot be seen: they appear
/// as `\u{1b}`.
func visible(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
      .unassigned:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Text that Markdown, also GitHub's with tables, shows as it is.
///
/// A backslash before any punctuation of ASCII stands for that character (CommonMark 0.31, section 2.4).
package func markdown(_ text: String) -> String {
  let active = Set("\\`*_{}[]<>#!|~&@$:.".unicodeScalars)
  var result = ""
  for scalar in visible(text).unicodeScalars {
    if active.contains(scalar) { result += "\\" }
    result.unicodeScalars.append(scalar)
  }
  return result
}

/// A string in YAML 1.2 and JSON: in quotation marks, with escapes for all that is not to be seen.
func yamlQuoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case _ where scalar == "\"" || scalar == "\\": result += "\\\(scalar)"
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
      .unassigned:
      let digits = String(scalar.value, radix: 16)
      let (letter, width) = scalar.value > 0xFFFF ? ("U", 8) : ("u", 4)
      result += "\\\(letter)" + String(repeating: "0", count: width - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

/// A table of Markdown, or nothing without rows. Cells are Markdown already.
package func markdownTable(_ header: [String], _ rows: [[String]]) -> [String] {
  guard !rows.isEmpty else { return [] }
  let lines = [header, header.map { _ in "---" }] + rows
  return lines.map { "| " + $0.joined(separator: " | ") + " |" }
}
