/// Text from a file, fit for a message on a terminal: characters that would move the cursor, change
/// colours or turn the direction of writing appear as `\u{1b}`, and the middle of a long one as `...`.
package func printable(_ text: String) -> String {
  let longest = 200
  if text.utf8.count <= longest, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
    return text
  }
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
      .unassigned:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  guard result.count > longest else { return result }
  return "\(result.prefix(longest / 2))...\(result.suffix(longest / 2))"
}
