internal import Conversion
internal import Naming
internal import Proof
internal import Tensors

extension NetworkReport {
  /// A page that needs nothing else: no script, no font, no picture from elsewhere. Well-formed as XML, too.
  public var html: String {
    let body = [
      element("p", ["class": "kicker"], escaped(kind)), element("h1", [:], escaped(name)),
      verdictBox, warnings, factList,
      element(
        "div", ["class": drawing == nil ? "columns" : "columns drawn"],
        element("div", [:], drawingSection)
          + element("div", [:], costSection + blockSection + originSection + noteSection)),
      layerSection,
    ].joined(separator: "\n")
    return """
      <!DOCTYPE html>
      <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="generator" content="\(escaped(generator))"/>
      \(element("title", [:], escaped("\(name): \(kind)")))
      \(element("style", [:], "\n\(PageStyle.page)\n"))
      </head>
      <body>
      <main>
      \(body)
      </main>
      </body>
      </html>

      """
  }

  private var generator: String { "repconv \(repconvVersion)" }

  private var verdictBox: String {
    guard let verdict, let isProven else { return "" }
    return element(
      "div", ["class": "verdict \(isProven ? "good" : "bad")", "role": "status"],
      element("strong", [:], escaped(verdict))
        + findings.map { element("p", [:], escaped($0)) }.joined())
  }

  private var warnings: String {
    notes.filter(\.isWarning).map {
      element(
        "div", ["class": "verdict warn"],
        element("strong", [:], "Warning") + element("p", [:], escaped($0.description)))
    }.joined(separator: "\n")
  }

  private var factList: String {
    element(
      "dl", ["class": "facts"],
      facts.map { fact in
        element(
          "div", [:],
          element("dt", [:], escaped(fact.label))
            + element("dd", [:], escaped(fact.value) + small(fact.remark)))
      }.joined())
  }

  private func small(_ text: String) -> String {
    text.isEmpty ? "" : element("small", [:], escaped(text))
  }

  private func section(_ title: String, _ content: String...) -> String {
    element("section", [:], element("h2", [:], escaped(title)) + content.joined()) + "\n"
  }

  private var drawingSection: String {
    guard let drawing else {
      return undrawn.map { section("Network", element("p", [:], escaped($0))) } ?? ""
    }
    let caption =
      (source.form == .deploy || source.form == nil ? "" : "As it is when fused. ")
      + "Numbers at the left are heights and widths of maps"
      + (imageSize.map { " for images of \($0) × \($0)" } ?? "")
      + (drawing.repetitions.isEmpty
        ? "" : "; steps in a bracket follow each other as often as it says") + "."
    return section(
      "Network",
      element(
        "figure", [:],
        drawing.inlineSVG(title: "Drawing of \(name), \(drawing.steps.count) steps")
          + element("figcaption", [:], escaped(caption))))
  }

  private var costSection: String {
    guard !costs.isEmpty else { return "" }
    return section(
      "Smaller types",
      element(
        "p", ["class": "muted"],
        "Power of the weights over that of what rounding changes: 6 dB are one bit."),
      list(costs))
  }

  private func list(_ facts: [Fact]) -> String {
    element(
      "dl", ["class": "list"],
      facts.map { fact in
        let isHash = fact.value.count == 64 && fact.value.allSatisfy(\.isHexDigit)
        let value =
          isHash
          ? element("span", ["class": "hash"], escaped(fact.value)) : escaped(fact.value)
        let remark =
          fact.remark.isEmpty
          ? "" : " " + element("span", ["class": "muted"], escaped(fact.remark))
        return element("dt", [:], escaped(fact.label)) + element("dd", [:], value + remark)
      }.joined())
  }

  private var blockSection: String {
    guard !blocks.isEmpty else { return "" }
    let isProven = blocks.contains { $0.proof != nil }
    let rows = blocks.map { block -> String in
      let parts = block.branches.enumerated().map { index, branch in
        element(
          "span", ["class": "nowrap"],
          element("span", ["class": "key branch\(index % 6)"])
            + escaped("\(branch.name) \(wholePercent(branch.share))"))
      }.joined(separator: " ")
      var cells = element(
        "th", ["scope": "row"],
        element("code", [:], escaped(block.path.text)) + small("\(block.family), \(block.shape)"))
      if isProven {
        let isRight = block.proof.map { $0.grade < .different } ?? false
        cells += element(
          "td", [:],
          element(
            "span", ["class": isRight ? "good-text" : "bad-text"],
            escaped(block.verdict ?? "missing")) + small(block.remark ?? ""))
      }
      cells += element(
        "td", [:],
        block.branches.count > 1 ? shareChart(block.branches) + parts : "a single branch")
      return element("tr", [:], cells)
    }
    return section(
      "Fused blocks",
      element(
        "p", ["class": "muted"],
        "How much each branch adds to the fused kernel: shares of its squared norm, which add up to 100\u{a0}%; a negative one works against the others."
      ),
      table(
        ["Block"] + (isProven ? ["Recomputed"] : []) + ["Branches"], rows, label: "Fused blocks"))
  }

  private func table(
    _ header: [String], numeric: Set<Int> = [], _ rows: [String], label: String
  ) -> String {
    let head = header.enumerated().map { index, title in
      element(
        "th", ["scope": "col", "class": numeric.contains(index) ? "number" : ""], escaped(title))
    }.joined()
    return element(
      "div",
      [
        "class": "scroll \(label.lowercased())", "role": "region", "aria-label": label,
        "tabindex": "0",
      ],
      element(
        "table", [:],
        element("thead", [:], element("tr", [:], head)) + "\n"
          + element("tbody", [:], "\n" + rows.joined(separator: "\n"))))
  }

  private var originSection: String { section("Origin", list(origins)) }

  private var noteSection: String {
    let notes = notes.filter { !$0.isWarning }
    guard !notes.isEmpty else { return "" }
    return section(
      "Notes",
      element("ul", [:], notes.map { element("li", [:], escaped($0.description)) }.joined()))
  }

  private var layerSection: String {
    guard !layers.isEmpty else { return "" }
    let hasTrained = layers.contains { $0.trained != nil }
    let hasCosts = layers.contains { $0.multiplyAdds != nil }
    let legend =
      "Bars count weights, by logarithmic heights"
      + (hasTrained ? "; the outline is the kernels of the branches, as they were trained." : ".")
    let rows = layers.map { layer -> String in
      let weights = layer.weights
      func number(_ text: String, _ remark: String = "") -> String {
        element("td", ["class": "number"], escaped(text) + small(remark))
      }
      let isInfinite = weights.infiniteInFloat16 > 0
      return element(
        "tr", [:],
        element(
          "th", ["scope": "row"],
          element("code", [:], escaped(layer.name.text)) + small(layer.summary))
          + element("td", [:], chart(of: layer))
          + number(
            isInfinite ? "∞" : tenths(weights.float16),
            isInfinite ? "\(grouped(weights.infiniteInFloat16)) too large" : "")
          + number(tenths(weights.int8PerChannel)) + number(tenths(weights.int8PerTensor))
          + number(tenths(weights.peak)) + number(grouped(layer.parameters))
          + (hasCosts ? number(layer.multiplyAdds.map(short) ?? "–") : ""))
    }
    let keys =
      hasTrained
      ? element(
        "p", ["class": "legend"],
        element("span", ["class": "key now-key"]) + "in deploy form "
          + element("span", ["class": "key before-key"]) + "as trained") : ""
    return section(
      "Layers", element("p", ["class": "muted"], escaped(legend)), keys,
      table(
        [
          "Layer", "Weights", "float16, dB", "int8 per channel, dB", "int8 per layer, dB",
          "Largest / typical", "Parameters",
        ] + (hasCosts ? ["Multiply-adds"] : []), numeric: [2, 3, 4, 5, 6, 7], rows,
        label: "Layers"))
  }

  private func chart(of layer: ReportedLayer) -> String {
    let weights = layer.weights
    let bad =
      weights.extent.notFinite > 0
      ? element(
        "span", ["class": "bad-text"], "\(grouped(weights.extent.notFinite)) not finite") : ""
    guard let histogram = weights.histogram, let smallest = weights.extent.smallest,
      let largest = weights.extent.largest
    else { return bad }
    var label =
      "\(grouped(weights.extent.count)) weights from \(brief(smallest)) to \(brief(largest))"
    if let trained = layer.trained, let smallest = trained.smallest, let largest = trained.largest {
      label +=
        "; \(grouped(trained.count)) as trained, from \(brief(smallest)) to \(brief(largest))"
    }
    return histogramChart(histogram, before: layer.trained?.histogram, label: label)
      + element(
        "span", ["class": "range"],
        element("span", [:], brief(histogram.lower)) + element("span", [:], brief(histogram.upper)))
      + bad
  }
}
