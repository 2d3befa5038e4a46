internal import Graphs
internal import Tensors

/// Sizes of the drawing, in units that are pixels where it is as wide as it was made.
private enum Size {
  /// Left of the boxes, where repetitions are told.
  static let margin = 54.0
  static let box = 268.0
  static let height = 40.0
  /// Of what has no kernel.
  static let low = 26.0
  static let gap = 12.0
  /// Above a row whose maps are of another size.
  static let heading = 26.0
  /// Right of the boxes.
  static let lane = 9.0
  static let corner = 6.0
  /// Of text, at the widest: the reader's fonts are not known.
  static let letter = 7.0
}

extension NetworkDrawing {
  /// The drawing, a document by itself.
  ///
  /// - Parameter title: for those who do not see it.
  func svg(title: String) -> String {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      + Layout(self).svg(title: title, style: PageStyle.drawingAlone) + "\n"
  }

  /// The drawing as a part of a page, which styles it.
  func inlineSVG(title: String) -> String { Layout(self).svg(title: title, style: nil) }
}

/// Where everything stands.
private struct Layout {
  let drawing: NetworkDrawing
  private var tops: [Double] = []
  private var headings: [(y: Double, text: String)] = []
  private var bottom = 0.0
  /// Edges that leave out steps, with the lane they run in.
  private var arcs: [(from: Int, to: Int, lane: Int)] = []

  init(_ drawing: NetworkDrawing) {
    self.drawing = drawing
    var y = 4.0
    var map: String?
    let isMean = drawing.areMeans
    for (index, step) in drawing.steps.enumerated() {
      if let size = step.map, size != map, !isMean[index] {
        y += index == 0 ? 14 : Size.heading - 6
        headings.append((y - 4, size))
        map = size
      }
      tops.append(y)
      y += height(index) + Size.gap
    }
    bottom = y
    placeArcs()
  }

  private func height(_ index: Int) -> Double {
    drawing.steps[index].isHigh ? Size.height : Size.low
  }

  /// Each in the first lane that is free from its beginning to its end, short ones first.
  private mutating func placeArcs() {
    var edges: [(from: Int, to: Int)] = []
    for (index, step) in drawing.steps.enumerated() {
      for input in Set(step.inputs).sorted() where input != index - 1 {
        edges.append((input, index))
      }
    }
    edges.sort { ($0.to - $0.from, $0.from) < ($1.to - $1.from, $1.from) }
    var lanes: [[Range<Int>]] = []
    for edge in edges {
      // From the same step they may share their way.
      let range = edge.from..<max(edge.to, edge.from + 1)
      let lane = lanes.firstIndex { $0.allSatisfy { !$0.overlaps(range) } } ?? lanes.count
      if lane == lanes.count { lanes.append([]) }
      lanes[lane].append(range)
      arcs.append((edge.from, edge.to, lane))
    }
  }

  private var right: Double { Size.margin + Size.box }

  private var width: Double {
    right + 8 + Size.lane * Double(max(2, (arcs.map(\.lane).max() ?? 0) + 1)) + 4
  }

  func svg(title: String, style: String?) -> String {
    var parts = [element("title", [:], escaped(title))]
    if let style { parts.append(element("style", [:], style)) }
    if style != nil {
      parts.append(element("rect", ["class": "ground", "width": "100%", "height": "100%"]))
    }
    parts += headings.map { heading in
      element(
        "path",
        [
          "class": "rule",
          "d": "M\(coordinate(Size.margin)) \(coordinate(heading.y))H\(coordinate(right))",
        ])
        + element(
          "text",
          [
            "class": "size", "x": coordinate(Size.margin - 8), "y": coordinate(heading.y + 4),
            "text-anchor": "end",
          ], escaped(heading.text.replacing(" ", with: "")))
    }
    parts += drawing.repetitions.map(bracket)
    parts += drawing.steps.indices.flatMap { [connector($0), box($0)] }
    parts += arcs.map(arc)
    return element(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "class": "drawing", "role": "img",
        "viewBox": "0 0 \(coordinate(width)) \(coordinate(bottom))",
        "width": coordinate(width), "height": coordinate(bottom), "aria-label": title,
      ], "\n" + parts.filter { !$0.isEmpty }.joined(separator: "\n") + "\n")
  }

  /// From the step before, if that is taken.
  private func connector(_ index: Int) -> String {
    guard index > 0, drawing.steps[index].inputs.contains(index - 1) else { return "" }
    let x = coordinate(Size.margin + 24)
    let (from, to) = (tops[index - 1] + height(index - 1), tops[index])
    return element(
      "path",
      [
        "class": "edge",
        "d": "M\(x) \(coordinate(from))V\(coordinate(to - 1))m-3 -4l3 4l3 -4",
      ])
  }

  private func box(_ index: Int) -> String {
    let step = drawing.steps[index]
    let (top, height) = (tops[index], height(index))
    func text(
      _ content: String, x: Double, y: Double, _ kind: String, anchor: String = "start"
    ) -> String {
      content.isEmpty
        ? ""
        : element(
          "text",
          [
            "class": kind, "x": coordinate(x), "y": coordinate(y), "text-anchor": anchor,
          ], escaped(content))
    }
    let (left, end) = (Size.margin + 10, right - 10)
    let then = step.then.map(word).joined(separator: ", ")
    let name = step.block?.text ?? step.layer
    var content = element("title", [:], escaped(step.summary))
    content += element(
      "rect",
      [
        "class": "box \(step.isHigh ? "layer" : "other")", "x": coordinate(Size.margin),
        "y": coordinate(top), "width": coordinate(Size.box), "height": coordinate(height),
        "rx": coordinate(Size.corner),
      ])
    if step.isHigh {
      content += text(step.title, x: left, y: top + 16, "title")
      content += text(step.settings, x: end, y: top + 16, "detail", anchor: "end")
      let detail = [step.channels, then].filter { !$0.isEmpty }.joined(separator: " · ")
      content += text(detail, x: left, y: top + 32, "detail")
      let room = Int((Size.box - 32 - Double(detail.count) * Size.letter) / Size.letter)
      if room > 7 {
        content += text(shortened(name, to: room), x: end, y: top + 32, "name", anchor: "end")
      }
    } else {
      let title = ([step.title, step.settings] + step.then.map(word)).filter { !$0.isEmpty }
      content += text(title.joined(separator: ", "), x: left, y: top + 17, "detail")
      content += text(step.channels, x: end, y: top + 17, "name", anchor: "end")
    }
    return element("g", [:], content)
  }

  /// Around steps that are told once, left of them.
  private func bracket(_ repetition: NetworkDrawing.Repetition) -> String {
    let last = repetition.first + repetition.steps - 1
    let (top, end) = (tops[repetition.first], tops[last] + height(last))
    let x = Size.margin - 6
    let d =
      "M\(coordinate(x)) \(coordinate(top))h-4V\(coordinate(end))h4"
    return element("path", ["class": "bracket", "d": d])
      + element(
        "text",
        [
          "class": "times", "x": coordinate(x - 9), "y": coordinate((top + end) / 2 + 5),
          "text-anchor": "end",
        ],
        element(
          "title", [:],
          "\(repetition.steps == 1 ? "this step" : "these \(repetition.steps) steps"), \(repetition.times) times"
        ) + "×\(repetition.times)")
  }

  /// An edge that leaves out steps, right of them.
  private func arc(_ edge: (from: Int, to: Int, lane: Int)) -> String {
    let start = tops[edge.from] + height(edge.from) - 7
    let end = tops[edge.to] + 7
    let x = right + 8 + Size.lane * Double(edge.lane + 1)
    let radius = 4.0
    let d =
      "M\(coordinate(right)) \(coordinate(start))H\(coordinate(x - radius))"
      + "q\(coordinate(radius)) 0 \(coordinate(radius)) \(coordinate(radius))"
      + "V\(coordinate(end - radius))"
      + "q0 \(coordinate(radius)) \(coordinate(-radius)) \(coordinate(radius))"
      + "H\(coordinate(right + 1))m4 -3l-4 3l4 3"
    return element(
      "path", ["class": "edge skip", "d": d],
      element(
        "title", [:],
        escaped(
          "from \(drawing.steps[edge.from].title) to \(drawing.steps[edge.to].title)")))
  }
}

extension NetworkDrawing {
  /// Of each step, whether it works on means over whole maps, as the layers of a gate do.
  fileprivate var areMeans: [Bool] {
    var result: [Bool] = []
    for step in steps {
      let takesMeans = !step.inputs.isEmpty && step.inputs.allSatisfy { result[$0] }
      result.append(takesMeans || step.operation == NodeKind.globalAveragePool.name)
    }
    return result
  }
}

extension NetworkDrawing.Step {
  /// Whether it has a kernel or matrix, and so two lines.
  fileprivate var isHigh: Bool { !weight.isEmpty }
}
