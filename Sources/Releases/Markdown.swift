internal import Tensors

// Text from files in documents: names and labels are anybody's, and must neither be markup nor hide anything.

/// Text that Markdown, also GitHub's with tables, shows as it is.
///
/// A backslash before any punctuation of ASCII stands for that character (CommonMark 0.31, section 2.4).
package func markdown(_ text: String) -> String {
  let active = Set("\\`*_{}[]<>#!|~&@$:.".unicodeScalars)
  return escaped(
    escaped(text, where: isPrintable), where: { !active.contains($0) }, as: { "\\\($0)" })
}

/// A string in YAML 1.2 and JSON: in quotation marks, with escapes for all that is not to be seen.
func yamlQuoted(_ text: String) -> String {
  let text = escaped(
    text, where: { isPrintable($0) && $0 != "\"" && $0 != "\\" },
    as: { scalar in
      if isPrintable(scalar) { return "\\\(scalar)" }
      let digits = String(scalar.value, radix: 16)
      let (letter, width) = scalar.value > 0xFFFF ? ("U", 8) : ("u", 4)
      return "\\\(letter)" + String(repeating: "0", count: width - digits.count) + digits
    })
  return "\"\(text)\""
}
