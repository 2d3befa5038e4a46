public import Blocks
internal import Checkpoints
internal import Tensors

// Dialect tables as text: lines of `key: value`, `#` before comments; each `family:` begins the part on
// the blocks of one family. The keys are documented in formats/dialects.md.
extension Dialect {
  /// Parses a table.
  ///
  /// - Parameters:
  ///   - place: what to call the table in errors: its file.
  ///   - bases: the tables that it can be `like`.
  ///   - families: those that it can name blocks of.
  /// - Throws: `NamingError.badDialect`, with the line.
  public init(
    text: String, place: String, bases: [Dialect] = all, families: [BlockFamily] = BlockFamily.all
  ) throws(NamingError) {
    try self.init(text: text, place: place, families: families) { name in
      Dialect.named(name, among: bases)?.text
    }
    for table in tables { try requireNamesOfTheirOwn(table, place: place) }
  }

  /// What PyTorch calls the parameters of its BatchNorm, as lines of a table.
  static let torchBatchNorm = """
    batchnorm gamma: weight
    batchnorm beta: bias
    batchnorm mean: running_mean
    batchnorm variance: running_var
    batchnorm counter: num_batches_tracked
    """

  /// A built-in table, which tests have parsed.
  init(builtIn text: String, like base: String? = nil) {
    do throws(NamingError) {
      try self.init(text: text, place: "built-in dialect", families: BlockFamily.all) { _ in base }
    } catch {
      preconditionFailure(error.description)
    }
  }

  private init(
    text: String, place: String, families: [BlockFamily], base: (String) -> String?
  ) throws(NamingError) {
    var table = try Table(text, place: place)
    while let (name, line) = table.take("like") {
      guard let text = base(name.lowercased()) else {
        throw table.problem("there is no dialect '\(name)' to be like", line)
      }
      table.fill(from: try Table(text, place: place))
    }
    name = try table.required("name").lowercased()
    project = try table.required("project")
    source = table.optional("source") ?? ""
    containers = table.words("containers") ?? []
    markers = table.words("marker")?.map { Name($0) } ?? []
    preferred = table.words("prefer")?.map { Name($0) } ?? []
    remark = table.optional("remark")
    auxiliaryClasses = table.words("auxiliary class") ?? []
    isOnRequest = try table.choice("applies", default: Application.always) == .asked
    epsilon = try table.number("epsilon")
    input = try table.input()
    root = table.optional("root").map { Name($0) }
    separator = table.optional("separator").map { Name($0) } ?? "."
    numbering = try table.numbering()
    parts = [
      .weight: table.optional("weight") ?? "weight", .bias: table.optional("bias") ?? "bias",
      .gamma: try table.required("batchnorm gamma"), .beta: try table.required("batchnorm beta"),
      .runningMean: try table.required("batchnorm mean"),
      .runningVariance: try table.required("batchnorm variance"),
      // The layer is the parameter itself.
      .value: "",
    ]
    parts[.batchesTracked] = table.optional("batchnorm counter")
    classifier = table.optional("classifier")
    others = try table.correspondences("other", atLeast: 0)
    sequence = try table.sequence()
    vectors = try table.templates("vector")
    let written: Written = try table.choice("written", default: .usual)
    keepsNames = written == .own
    layouts = Layouts()
    layouts.kernel = try table.choice("kernel layout", default: .oihw)
    layouts.linear = try table.choice("linear layout", default: .outIn)
    layouts.squeezeExcitation = try table.choice("squeeze-excitation layout", default: .kernel)
    layouts.batchNorm = try table.choice("batchnorm layout", default: .c)
    layouts.convolutionBias = try table.choice("bias layout", default: .c)
    layouts.vector = try table.choice("vector layout", default: .c)
    tables = []
    self.text = text
    try table.finish()
    for var part in table.parts {
      let family = try part.family(among: families)
      var blocks = BlockTable(
        family: family, blocks: try part.correspondences("block"),
        layers: try part.layers(of: family))
      blocks.isShared = try part.isSaid("names", "shared")
      blocks.keepsBranches = try part.isSaid("branches", "kept")
      blocks.classes = part.words("class") ?? []
      blocks.folding = try part.choice("folded", default: .always)
      blocks.halving = try part.templates("halving")
      blocks.keeping = try part.templates("keeping")
      blocks.groups = try part.count("groups")
      tables.append(blocks)
      try part.finish()
    }
    guard !tables.isEmpty else { throw table.missing("family") }
  }

  private func requireNamesOfTheirOwn(_ table: BlockTable, place: String) throws(NamingError) {
    var suffixes: Set<Name> = []
    let inPlace = table.layerInPlace
    for layer in table.family.allLayers {
      let address = layer.address
      // The deploy convolution may take the place of the layer it is made of.
      if address == .fused && inPlace != nil { continue }
      for part in layer.parts {
        guard let suffix = suffix(of: ParameterAddress(address, part), in: table) else { continue }
        guard suffixes.insert(suffix).inserted else {
          let reason = "two parameters of a block are called '\(printable(suffix))'"
          throw .badDialect(place: place, line: nil, reason: reason)
        }
      }
    }
  }
}

/// Under which names a network is written where none are asked for: those usual in the format, or its own.
private enum Written: String, CaseIterable {
  case usual, own
}

extension Layer.WeightForm {
  /// What a line calls a layer with such a weight.
  fileprivate var key: String {
    switch self {
    case .kernel, .squeezeExcitation: "convolution"
    case .matrix: "linear"
    case .parameter: "parameter"
    }
  }
}

/// When a table is used.
private enum Application: String, CaseIterable {
  case always, asked
}

/// The lines of a table that have not been used yet: those on the whole project, and those of each part.
private struct Table {
  private typealias Entry = (key: String, value: String, line: Int)
  private let place: String
  /// The family that it is a part on, as it is written there; nil of the lines on the whole project.
  private let familyName: String?
  private var entries: [Entry] = []
  /// Those of them that may stand once.
  private var keys: Set<String> = []
  /// Parts begin with `family`.
  private(set) var parts: [Table] = []

  private init(place: String, familyName: String?) {
    self.place = place
    self.familyName = familyName
  }

  init(_ text: String, place: String) throws(NamingError) {
    self.init(place: place, familyName: nil)
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, raw) in lines.enumerated() {
      let line = Table.trimmed(raw.prefix { $0 != UInt8(ascii: "#") })
      if line.isEmpty { continue }
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
        throw problem("expected 'key: value', found '\(Substring(line))'", index + 1)
      }
      let key = String(Substring(Table.trimmed(line[..<colon]))).lowercased()
      let value = String(Substring(Table.trimmed(line[line.index(after: colon)...])))
      let entry = (key, value, index + 1)
      if key == "family" { parts.append(Table(place: place, familyName: value)) }
      if parts.isEmpty { try append(entry) } else { try parts[parts.count - 1].append(entry) }
    }
  }

  private mutating func append(_ entry: Entry) throws(NamingError) {
    let isRepeated = ["block", "other", "vector", "halving", "keeping"].contains(entry.key)
    if !isRepeated, !keys.insert(entry.key).inserted {
      throw problem("'\(entry.key)' is there twice", entry.line)
    }
    entries.append(entry)
  }

  /// Adds what another table says and this one does not, part by part.
  mutating func fill(from base: Table) {
    let keys = Set(entries.map(\.key))
    entries += base.entries.filter { !keys.contains($0.key) }
    // In the order of the base: its first family is the one that networks are known by.
    var own = parts
    parts = base.parts.map { base in
      let name = base.familyName?.lowercased()
      guard let index = own.firstIndex(where: { $0.familyName?.lowercased() == name }) else {
        return base
      }
      var part = own.remove(at: index)
      part.fill(from: base)
      return part
    }
    parts += own
  }

  func problem(_ reason: String, _ line: Int? = nil) -> NamingError {
    .badDialect(place: place, line: line, reason: reason)
  }

  func missing(_ key: String) -> NamingError {
    problem("'\(key)' is missing" + (familyName.map { " from the part on \($0)" } ?? ""))
  }

  private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return text
  }

  mutating func take(_ key: String) -> (value: String, line: Int)? {
    guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
    let entry = entries.remove(at: index)
    return (entry.value, entry.line)
  }

  /// A value that is not empty; an empty one takes back what a table says that this one is like.
  mutating func optional(_ key: String) -> String? {
    take(key).flatMap { $0.value.isEmpty ? nil : $0.value }
  }

  mutating func words(_ key: String) -> [String]? {
    optional(key)?.split(separator: " ").map(String.init)
  }

  mutating func required(_ key: String) throws(NamingError) -> String {
    guard let value = optional(key) else { throw missing(key) }
    return value
  }

  mutating func number(_ key: String) throws(NamingError) -> Double {
    guard let (value, line) = take(key) else { throw missing(key) }
    guard let number = Double(value), number.isFinite, number >= 0 else {
      throw problem("'\(key)' is a number of at least 0, not '\(value)'", line)
    }
    return number
  }

  mutating func family(among families: [BlockFamily]) throws(NamingError) -> BlockFamily {
    let (name, line) = take("family")!
    if let family = families.first(where: { $0.name.lowercased() == name.lowercased() }) {
      return family
    }
    let known = families.map(\.name).joined(separator: ", ")
    throw problem("'family' is one of \(known), not '\(name)'", line)
  }

  mutating func numbering() throws(NamingError) -> Numbering? {
    guard let (name, line) = take("numbering") else { return nil }
    if let numbering = Numbering.all.first(where: { $0.name == name.lowercased() }) {
      return numbering
    }
    let known = Numbering.all.map(\.name).joined(separator: ", ")
    throw problem("'numbering' is one of \(known), not '\(name)'", line)
  }

  /// The names of a family's layers: `dense convolution`, `dense batchnorm`; those of layers that all
  /// families may have are called by the layer alone: `fused`.
  mutating func layers(of family: BlockFamily) throws(NamingError) -> [BlockTable.LayerName] {
    var result: [BlockTable.LayerName] = []
    for layer in family.allLayers {
      var keys: [(key: String, isBatchNorm: Bool)] = []
      if family.isCommon(layer.name) {
        keys.append((layer.name, false))
      } else if layer.isModule {
        keys.append(("\(layer.name) module", false))
      } else {
        if let form = layer.weightForm {
          keys.append(("\(layer.name) \(form.key)", false))
        }
        if layer.hasBatchNorm { keys.append(("\(layer.name) batchnorm", true)) }
      }
      for (key, isBatchNorm) in keys {
        // The deploy convolution may be called nothing: then it is the block itself.
        let name = key == LayerAddress.fused.name ? take(key)?.value ?? "" : optional(key)
        guard let name else {
          if layer.isOptional { continue }
          throw missing(key)
        }
        // In the order of the family's, by which they are read.
        var rest = name[...]
        for place in layer.places.map({ "{\($0)}" }) {
          guard let range = rest.firstRange(of: place) else {
            let order = layer.places.count > 1 ? " in its place" : ""
            throw problem("'\(key)' has no \(place)\(order), the number of the layer")
          }
          rest = rest[range.upperBound...]
        }
        result.append(.init(layer: layer.name, isBatchNorm: isBatchNorm, name: name))
      }
    }
    let place = BlockTable.blockNumber
    let numbered = result.count { $0.name.contains(place) }
    guard numbered == 0 || numbered == result.count else {
      throw problem("all names of a part have \(place), or none")
    }
    guard numbered == 0 || family.layers.allSatisfy(\.places.isEmpty) else {
      throw problem("layers of \(family.name) have numbers of their own beside \(place)")
    }
    if family.isForTrainingOnly { result.removeAll { $0.layer == LayerAddress.fused.name } }
    return result
  }

  /// Whether a key is there, which can have one value only.
  mutating func isSaid(_ key: String, _ word: String) throws(NamingError) -> Bool {
    guard let (value, line) = take(key), !value.isEmpty else { return false }
    guard value.lowercased() == word else {
      throw problem("'\(key)' is '\(word)' or not there, not '\(value)'", line)
    }
    return true
  }

  mutating func sequence() throws(NamingError) -> ModuleSequence? {
    guard let (value, line) = take("sequence"), !value.isEmpty else { return nil }
    guard let sequence = ModuleSequence(value) else {
      throw problem(
        "'sequence' is as in 'network = stages / downsample proj / blocks *', not '\(value)'", line)
    }
    return sequence
  }

  mutating func correspondences(
    _ key: String, atLeast count: Int = 1
  ) throws(NamingError) -> [Correspondence] {
    var result: [Correspondence] = []
    while let (value, line) = take(key) {
      do throws(Template.Malformed) {
        result.append(try Correspondence(value))
      } catch {
        throw problem(error.reason, line)
      }
    }
    guard result.count >= count else { throw missing(key) }
    return result
  }

  /// Patterns of paths, as many as there are.
  mutating func templates(_ key: String) throws(NamingError) -> [Template] {
    var result: [Template] = []
    while let (value, line) = take(key) {
      if value.isEmpty { continue }
      do throws(Template.Malformed) {
        result.append(try Template(value))
      } catch {
        throw problem(error.reason, line)
      }
    }
    return result
  }

  mutating func count(_ key: String) throws(NamingError) -> Int? {
    guard let (value, line) = take(key), !value.isEmpty else { return nil }
    guard let count = Int(value), count > 0 else {
      throw problem("'\(key)' is a number of at least 1, not '\(value)'", line)
    }
    return count
  }

  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, default fallback: Choice
  ) throws(NamingError) -> Choice {
    guard let (value, line) = take(key) else { return fallback }
    guard let choice = Choice(rawValue: value) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw problem("'\(key)' is one of \(known), not '\(value)'", line)
    }
    return choice
  }

  /// `input: RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225`: channel order and value of white, mean,
  /// deviation.
  mutating func input() throws(NamingError) -> InputConvention {
    guard let (value, line) = take("input") else { throw missing("input") }
    let parts = value.split(separator: "/").map { $0.split(separator: " ") }
    guard parts.count == 3, parts[0].count == 2,
      let order = InputConvention.ChannelOrder(rawValue: String(parts[0][0])),
      let white = Double(parts[0][1])
    else {
      throw problem(
        "'input' is as in 'RGB 1 / 0.485 0.456 0.406 / 0.229 0.224 0.225', not '\(value)'", line)
    }
    let (mean, deviation) = (parts[1].compactMap { Double($0) }, parts[2].compactMap { Double($0) })
    guard mean.count == 3, deviation.count == 3, deviation.allSatisfy({ $0 > 0 }) else {
      throw problem("'input' has three means and three deviations", line)
    }
    return InputConvention(
      channelOrder: order, scale: white, mean: mean, standardDeviation: deviation)
  }

  /// Throws if a line was not used.
  func finish() throws(NamingError) {
    guard let (key, _, line) = entries.first else { return }
    let place = familyName.map { "of the part on \($0)" } ?? "that stands before the first 'family'"
    throw problem("'\(key)' is not a key \(place)", line)
  }
}
