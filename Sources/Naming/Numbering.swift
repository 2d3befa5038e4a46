public import Tensors

/// How a project numbers the blocks of its networks where that is no matter of one path alone, but of how
/// many blocks of which kind stand before.
///
/// A table names it by its key `numbering`; it is used beside the table's `block` lines, and before them.
struct Numbering: Equatable, Sendable {
  /// What tables call it.
  let name: String
  /// Pairs of paths, the family's first project's and this project's, of all blocks that the network of
  /// which there are these paths can have; empty if it is none.
  ///
  /// - Parameter isCanonical: whether the paths are the first project's; else this project's.
  let pairs: @Sendable (_ paths: [Name], _ isCanonical: Bool) -> [Pair]

  typealias Pair = (canonical: Name, own: Name)

  static func == (a: Numbering, b: Numbering) -> Bool { a.name == b.name }

  static let all: [Numbering] = [.repViTStages]
}

extension Dialect {
  /// This dialect for one network: with the numbers that its blocks have.
  ///
  /// - Parameter paths: of blocks or of parameters in them.
  /// - Parameter areCanonical: whether they are the first project's; else this project's.
  public func numbered(by paths: [Name], areCanonical: Bool) -> Dialect {
    guard let numbering else { return self }
    var result = self
    for pair in numbering.pairs(paths, areCanonical) {
      result.numbers.own[pair.canonical] = pair.own
      result.numbers.canonical[pair.own] = pair.canonical
    }
    return result
  }
}

/// Paths of one network that are paired one by one.
struct NumberedPaths: Equatable, Sendable {
  /// This project's, by the first project's.
  var own: [Name: Name] = [:]
  /// The first project's, by this project's.
  var canonical: [Name: Name] = [:]
}

extension Numbering {
  /// RepViT's authors have one list of blocks, of which some halve the resolution; timm has stages that
  /// each begin with such a block, together with the one before it (timm/models/repvit.py).
  static let repViTStages = Numbering(name: "repvit-stages") { paths, isCanonical in
    guard let rows = isCanonical ? rowsInList(paths) : rowsInStages(paths) else { return [] }
    let prefix = rows.prefix
    var pairs: [Pair] = [
      ("\(prefix)features.0.0", "\(prefix)stem.conv1"),
      ("\(prefix)features.0.2", "\(prefix)stem.conv2"),
    ]
    var (stage, block) = (0, 0)
    for (index, isStrided) in rows.areStrided.enumerated() {
      let canonical: Name = "\(prefix)features.\(index + 1)"
      var own: Name
      var parts: [Pair]
      if isStrided {
        (stage, block) = (stage + 1, 0)
        own = "\(prefix)stages.\(stage).downsample"
        parts = [
          ("token_mixer.0", "spatial_downsample"), ("token_mixer.2", "channel_downsample"),
          ("channel_mixer.m.0", "ffn.conv1"), ("channel_mixer.m.2", "ffn.conv2"),
        ]
      } else {
        own = "\(prefix)stages.\(stage).blocks.\(block)"
        block += 1
        if index + 1 < rows.areStrided.count, rows.areStrided[index + 1] {
          own = "\(prefix)stages.\(stage + 1).downsample.pre_block"
        }
        parts = [
          ("token_mixer.0", "token_mixer"), ("token_mixer.1.fc1", "se.fc1"),
          ("token_mixer.1.fc2", "se.fc2"), ("channel_mixer.m.0", "channel_mixer.conv1"),
          ("channel_mixer.m.2", "channel_mixer.conv2"),
        ]
      }
      pairs += parts.map { ("\(canonical).\($0.canonical)", "\(own).\($0.own)") }
    }
    return pairs
  }

  /// What stands before all paths, and for each block behind the stem whether it halves the resolution.
  private typealias Rows = (prefix: Name, areStrided: [Bool])

  private static func rowsInList(_ paths: [Name]) -> Rows? {
    guard let prefix = prefix(of: paths, before: "features.0.0") else { return nil }
    let numbers = numbers(in: paths, after: prefix + "features.")
    let strided = Set(
      paths.compactMap { path -> Int? in
        guard let parts = path.dropping(prefix: prefix + "features.")?.parts(),
          zip(parts, parts.dropFirst()).contains(where: { $0 == "token_mixer" && $1 == "2" })
        else { return nil }
        return Int(parts[0].text)
      })
    return (prefix, (1..<max(1, numbers)).map(strided.contains))
  }

  private static func rowsInStages(_ paths: [Name]) -> Rows? {
    guard let prefix = prefix(of: paths, before: "stages.0.blocks.0.") else { return nil }
    var areStrided: [Bool] = []
    let start = prefix + "stages."
    let stages = Dictionary(
      grouping: paths.lazy.filter { $0.hasPrefix(start) },
      by: { $0.dropping(prefix: start)!.firstPart })
    for stage in 0..<numbers(in: paths, after: start) {
      let paths = stages["\(stage)"] ?? []
      let path: Name = "\(start)\(stage)."
      if paths.contains(where: { $0.hasPrefix(path + "downsample.pre_block.") }) {
        areStrided.append(false)
      }
      if paths.contains(where: { $0.hasPrefix(path + "downsample.spatial_downsample") }) {
        areStrided.append(true)
      }
      areStrided += Array(repeating: false, count: numbers(in: paths, after: path + "blocks."))
    }
    return (prefix, areStrided)
  }

  private static func prefix(of paths: [Name], before text: Name) -> Name? {
    for path in paths {
      if path.hasPrefix(text) { return "" }
      if let prefix = path.prefix(before: "." + text) { return prefix + "." }
    }
    return nil
  }

  /// One more than the largest number that follows, as far as there can be paths with all of them.
  private static func numbers(in paths: [Name], after prefix: Name) -> Int {
    paths.lazy.compactMap { $0.dropping(prefix: prefix).flatMap { Int($0.firstPart.text) } }
      .max().map { max(0, min($0, paths.count) + 1) } ?? 0
  }
}
