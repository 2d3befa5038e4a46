/// Whether a character leaves the terminal as it is: it does not move the cursor, change colours or turn the
/// direction of writing.
package func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
    .unassigned:
    false
  default: true
  }
}

/// Text with characters that are not fit for it as `\u{1b}`, or as `escape` has them.
package func escaped(
  _ text: String, where isFit: (Unicode.Scalar) -> Bool,
  as escape: (Unicode.Scalar) -> String = { "\\u{\(String($0.value, radix: 16))}" }
) -> String {
  var result = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    if isFit(scalar) {
      result.append(scalar)
    } else {
      // One by one: a sequence is appended to a copy of all there is.
      for part in escape(scalar).unicodeScalars { result.append(part) }
    }
  }
  return String(result)
}

/// Text from a file, fit for a message on a terminal: characters that would move the cursor, change
/// colours or turn the direction of writing appear as `\u{1b}`, and the middle of a long one as `...`.
package func printable(_ text: String) -> String {
  let longest = 200
  if text.utf8.count <= longest, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
    return text
  }
  let result = escaped(text, where: isPrintable)
  guard result.count > longest else { return result }
  return "\(result.prefix(longest / 2))...\(result.suffix(longest / 2))"
}
