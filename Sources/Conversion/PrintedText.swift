internal import Tensors

// How reports say numbers and names, to people.

/// `8,309,384`
package func grouped(_ number: Int) -> String {
  var digits = Array(String(number.magnitude))
  var index = digits.count - 3
  while index > 0 {
    digits.insert(",", at: index)
    index -= 3
  }
  return (number < 0 ? "-" : "") + String(digits)
}

/// `33.2 MB`, in powers of ten as disks are sold and `ls -h --si` prints.
package func size(_ bytes: Int) -> String {
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
package func count(_ number: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(grouped(number)) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// `72.41 %`
package func percent(_ share: Double, digits: Int = 2) -> String {
  let power = (0..<digits).reduce(1) { power, _ in power * 10 }
  let parts = Int((share * 100 * Double(power)).rounded())
  let rest = String(parts % power)
  return "\(parts / power)." + String(repeating: "0", count: digits - rest.count) + rest + " %"
}

/// Text whose characters that would move the cursor, change colours or turn the direction of writing, as
/// names in files may have them, appear as `\u{1b}`; ends of lines stay.
package func harmless(_ text: String) -> String {
  if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0A }) { return text }
  return escaped(text) { isPrintable($0) || $0 == "\n" }
}

/// A JSON text in which such characters, which can only be in its strings, have JSON's own escapes.
package func harmlessJSON(_ text: String) -> String {
  if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0A }) { return text }
  return escaped(
    text, where: { isPrintable($0) || $0 == "\n" },
    as: { scalar in
      UTF16.encode(scalar)!.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }.joined()
    })
}

/// A table of Markdown, line by line, or nothing without rows. Cells are Markdown already.
package func markdownTable(_ header: [String], _ rows: [[String]]) -> [String] {
  guard !rows.isEmpty else { return [] }
  let lines = [header, header.map { _ in "---" }] + rows
  return lines.map { "| " + $0.joined(separator: " | ") + " |" }
}
