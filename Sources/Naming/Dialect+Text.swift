internal import Checkpoints
internal import Tensors

// Dialect tables as text: lines of `key: value`, in any order, `#` before comments. The keys are
// documented in formats/dialects.md.
extension Dialect {
  /// Parses a table.
  ///
  /// - Parameter place: what to call the table in errors: its file.
  /// - Throws: `NamingError.badDialect`, with the line.
  public init(text: String, place: String) throws(NamingError) {
    var table = try Table(text, place: place)
    name = try table.required("name").lowercased()
    project = try table.required("project")
    source = table.optional("source") ?? ""
    families = table.words("families") ?? []
    epsilon = try table.number("epsilon")
    input = try table.input()
    blocks = try table.correspondences("block")
    separator = table.optional("separator") ?? "."
    batchNorm = [:]
    let fields: [(String, BatchNormField)] = [
      ("gamma", .gamma), ("beta", .beta), ("mean", .runningMean), ("variance", .runningVariance),
      ("counter", .batchesTracked),
    ]
    for (key, field) in fields { batchNorm[field] = table.optional("batchnorm \(key)") }
    for (key, field) in fields where field != .batchesTracked && batchNorm[field] == nil {
      throw .badDialect(place: place, line: nil, reason: "'batchnorm \(key)' is missing")
    }
    layer = [
      .weight: table.optional("weight") ?? "weight", .bias: table.optional("bias") ?? "bias",
    ]
    dense = try table.convolution("dense")
    pointwise = try table.convolution("pointwise")
    identity = try table.required("identity")
    fused = table.optional("fused") ?? ""
    squeezeExcitation = [:]
    for (key, placement) in [("before", Placement.beforeActivation), ("after", .afterActivation)] {
      if let squeeze = table.optional("squeeze \(key)") {
        squeezeExcitation[placement] = .init(
          squeeze: squeeze, excite: try table.required("excite \(key)"))
      }
    }
    classifier = try table.required("classifier")
    auxiliary = nil
    if let suffix = table.optional("auxiliary path") {
      auxiliary = .init(
        pathSuffix: suffix, convolution: try table.required("auxiliary convolution"),
        batchNorm: try table.required("auxiliary batchnorm"),
        classifier: try table.required("auxiliary classifier"))
    }
    layouts = Layouts()
    layouts.kernel = try table.choice("kernel layout", default: .oihw)
    layouts.linear = try table.choice("linear layout", default: .outIn)
    layouts.squeezeExcitation = try table.choice("squeeze-excitation layout", default: .kernel)
    layouts.batchNorm = try table.choice("batchnorm layout", default: .c)
    layouts.convolutionBias = try table.choice("bias layout", default: .c)
    self.text = text
    try table.finish()
    var suffixes: Set<String> = []
    for suffix in BlockRole.all.compactMap({ suffix(of: $0) })
    where !suffixes.insert(suffix).inserted {
      throw .badDialect(
        place: place, line: nil, reason: "two parameters of a block are called '\(suffix)'")
    }
  }

  /// A built-in table, which tests have parsed.
  init(builtIn text: String) {
    do throws(NamingError) {
      try self.init(text: text, place: "built-in dialect")
    } catch {
      preconditionFailure(error.description)
    }
  }
}

/// The lines of a table that have not been used yet.
private struct Table {
  private let place: String
  private var entries: [(key: String, value: String, line: Int)] = []

  init(_ text: String, place: String) throws(NamingError) {
    self.place = place
    for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = Table.trimmed(raw.prefix { $0 != "#" })
      if line.isEmpty { continue }
      guard let colon = line.firstIndex(of: ":") else {
        throw .badDialect(
          place: place, line: index + 1, reason: "expected 'key: value', found '\(line)'")
      }
      let key = Table.trimmed(line[..<colon]).lowercased()
      if key != "block", entries.contains(where: { $0.key == key }) {
        throw .badDialect(place: place, line: index + 1, reason: "'\(key)' is there twice")
      }
      entries.append((key, Table.trimmed(line[line.index(after: colon)...]), index + 1))
    }
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var text = Substring(text)
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
    text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return String(text)
  }

  private mutating func take(_ key: String) -> (value: String, line: Int)? {
    guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
    let entry = entries.remove(at: index)
    return (entry.value, entry.line)
  }

  mutating func optional(_ key: String) -> String? { take(key)?.value }

  mutating func words(_ key: String) -> [String]? {
    optional(key)?.split(separator: " ").map(String.init)
  }

  mutating func required(_ key: String) throws(NamingError) -> String {
    guard let value = optional(key), !value.isEmpty else {
      throw .badDialect(place: place, line: nil, reason: "'\(key)' is missing")
    }
    return value
  }

  mutating func number(_ key: String) throws(NamingError) -> Double {
    guard let (value, line) = take(key) else {
      throw .badDialect(place: place, line: nil, reason: "'\(key)' is missing")
    }
    guard let number = Double(value), number.isFinite, number >= 0 else {
      throw .badDialect(
        place: place, line: line, reason: "'\(key)' is a number of at least 0, not '\(value)'")
    }
    return number
  }

  mutating func convolution(_ key: String) throws(NamingError) -> Dialect.ConvolutionNames {
    .init(
      convolution: try required("\(key) convolution"), batchNorm: try required("\(key) batchnorm"))
  }

  mutating func correspondences(_ key: String) throws(NamingError) -> [Correspondence] {
    var result: [Correspondence] = []
    while let (value, line) = take(key) {
      do throws(Template.Malformed) {
        result.append(try Correspondence(value))
      } catch {
        throw .badDialect(place: place, line: line, reason: error.reason)
      }
    }
    guard !result.isEmpty else {
      throw .badDialect(place: place, line: nil, reason: "'\(key)' is missing")
    }
    return result
  }

  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, default fallback: Choice
  ) throws(NamingError) -> Choice {
    guard let (value, line) = take(key) else { return fallback }
    guard let choice = Choice(rawValue: value) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw .badDialect(
        place: place, line: line, reason: "'\(key)' is one of \(known), not '\(value)'")
    }
    return choice
  }

  /// `input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225`: channel order and value of white, mean,
  /// deviation.
  mutating func input() throws(NamingError) -> InputConvention {
    guard let (value, line) = take("input") else {
      throw .badDialect(place: place, line: nil, reason: "'input' is missing")
    }
    let parts = value.split(separator: "/").map { $0.split(separator: " ") }
    guard parts.count == 3, parts[0].count == 2,
      let order = InputConvention.ChannelOrder(rawValue: String(parts[0][0])),
      let white = Double(parts[0][1])
    else {
      throw .badDialect(
        place: place, line: line,
        reason: "'input' is as in 'RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225', not '\(value)'")
    }
    let (mean, deviation) = (parts[1].compactMap { Double($0) }, parts[2].compactMap { Double($0) })
    guard mean.count == 3, deviation.count == 3, deviation.allSatisfy({ $0 > 0 }) else {
      throw .badDialect(
        place: place, line: line, reason: "'input' has three means and three deviations")
    }
    return InputConvention(
      channelOrder: order, scale: white, mean: mean, standardDeviation: deviation)
  }

  /// Throws if a line was not used.
  func finish() throws(NamingError) {
    if let (key, _, line) = entries.first {
      throw .badDialect(place: place, line: line, reason: "'\(key)' is no key of a dialect")
    }
  }
}
