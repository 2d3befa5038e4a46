internal import Conversion
internal import Proof
internal import Tensors

extension NetworkReport {
  /// Summary and tables, as a step of a CI job shows them: GitHub's Markdown, with tables that can be opened.
  public var markdown: String {
    var parts = ["# \(plain(name))", plain(kind)]
    if let verdict, let isProven {
      parts.append("\(isProven ? "✅" : "❌") **\(plain(verdict))**")
      parts.append(findings.map { "- \(plain($0))" }.joined(separator: "\n"))
    }
    let warnings = notes.filter(\.isWarning)
    parts += warnings.map { "⚠️ \(plain($0.description))" }
    parts.append(
      table(
        ["", ""],
        (facts + costs + origins).map { fact in
          [
            plain(fact.label),
            plain(fact.value) + (fact.remark.isEmpty ? "" : " — \(plain(fact.remark))"),
          ]
        }))
    if let undrawn { parts.append(plain(undrawn)) }
    if !blocks.isEmpty {
      let isProven = blocks.contains { $0.proof != nil }
      parts.append(
        folded(
          "Fused blocks (\(grouped(blocks.count)))",
          table(
            ["block", "kernel", "branches, by their shares"] + (isProven ? ["recomputed"] : []),
            blocks.map { block in
              [
                plain(block.path.text), "\(block.shape)",
                plain(
                  block.branches.map { "\($0.name) \(wholePercent($0.share))" }
                    .joined(separator: ", ")),
              ]
                + (isProven
                  ? [
                    plain(
                      [block.verdict ?? "missing", block.remark].compactMap { $0 }
                        .joined(separator: "; "))
                  ] : [])
            })))
    }
    if !layers.isEmpty {
      parts.append(
        folded(
          "Layers (\(grouped(layers.count)))",
          table(
            [
              "layer", "", "smallest", "largest", "float16, dB", "int8 per channel, dB",
              "int8 per layer, dB", "multiply-adds",
            ],
            layers.map { layer in
              let weights = layer.weights
              return [
                plain(layer.name.text), plain(layer.summary),
                weights.extent.smallest.map(brief) ?? "–",
                weights.extent.largest.map(brief) ?? "–",
                weights.infiniteInFloat16 > 0 ? "too large" : tenths(weights.float16),
                tenths(weights.int8PerChannel), tenths(weights.int8PerTensor),
                layer.multiplyAdds.map(short) ?? "–",
              ]
            })))
    }
    let remarks = notes.filter { !$0.isWarning }
    if !remarks.isEmpty {
      parts.append(remarks.map { "- \(plain($0.description))" }.joined(separator: "\n"))
    }
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
  }

  private func table(_ header: [String], _ rows: [[String]]) -> String {
    markdownTable(header, rows).joined(separator: "\n")
  }

  private func folded(_ title: String, _ content: String) -> String {
    "<details><summary>\(escaped(title))</summary>\n\n\(content)\n\n</details>"
  }
}

/// Text that Markdown shows as it is: nothing in it is markup, a link or the name of a user.
private func plain(_ text: String) -> String {
  var result = ""
  for scalar in harmless(text).unicodeScalars {
    switch scalar {
    case "\n": result += "\\\\u\\{a\\}"
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "@": result += "&#64;"
    case "\\", "`", "*", "_", "{", "}", "[", "]", "#", "|", "~", "!", "$":
      result += "\\\(scalar)"
    default: result.unicodeScalars.append(scalar)
    }
  }
  // Which would be links by themselves.
  return result.replacing("://", with: "&#58;//").replacing("www.", with: "www&#46;")
}
