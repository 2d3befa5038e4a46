internal import Conversion

/// Text from anywhere as content of HTML, SVG and attributes: what markup means something by is escaped, and
/// characters that turn the direction of writing or cannot be shown appear as `\u{202e}`.
func escaped(_ text: String) -> String {
  var result = ""
  for scalar in harmless(text).unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\n": result += "\\u{a}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// An element, begun and ended, so that it means the same in HTML, XHTML and SVG.
///
/// - Parameters:
///   - attributes: in order; their values are escaped here.
///   - content: markup.
func element(
  _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: String = ""
) -> String {
  let list = attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined()
  return "<\(name)\(list)>\(content)</\(name)>"
}

/// A number for coordinates: at most one digit behind the point.
func coordinate(_ value: Double) -> String {
  let tenths = Int((value * 10).rounded())
  return tenths % 10 == 0
    ? "\(tenths / 10)" : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
}
