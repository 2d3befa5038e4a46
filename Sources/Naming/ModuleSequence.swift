public import Tensors

/// Modules that the family's first project counts in one row, `network.0`, `network.1`, ..., and another in
/// groups: `stages.0.blocks`, `stages.1.downsample`, `stages.1.blocks`, ....
///
/// Which module is where depends on which of them a network has, so that names are only known of a whole
/// network: `Numbering`.
///
///     sequence: network = stages / downsample proj / pos_emb pos_enc reparam_conv / blocks *
public struct ModuleSequence: Equatable, Sendable {
  /// What the modules in a row are called: `network`.
  public var row: Name
  /// What the groups are called: `stages`.
  public var groups: Name
  /// The modules that a group can have, in their order.
  public var members: [Member]

  /// A module of a group.
  public struct Member: Equatable, Sendable {
    /// What it is called there: `downsample`.
    public var name: Name
    /// What names inside it begin with; none if with anything that is not another's.
    public var firstParts: [Name]
  }

  /// From `network = stages / downsample proj / blocks *`; nil if it is not like that.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map {
      $0.split(separator: " ").map { Name($0) }
    }
    guard let first = parts.first, first.count == 3, first[1] == "=" else { return nil }
    (row, groups) = (first[0], first[2])
    members = parts.dropFirst().map { words in
      Member(name: words.first ?? "", firstParts: words.dropFirst().filter { $0 != "*" })
    }
    guard !members.isEmpty, parts.dropFirst().allSatisfy({ $0.count > 1 }),
      Set(members.map(\.name)).count == members.count,
      zip(members, parts.dropFirst()).allSatisfy({
        $0.firstParts.isEmpty || $1.count == $0.firstParts.count + 1
      })
    else { return nil }
  }

  /// Where the modules of one network are: their paths in both ways of counting.
  struct Numbering: Sendable {
    fileprivate(set) var grouped: [Name: Name] = [:]
    fileprivate(set) var inRow: [Name: Name] = [:]
  }

  /// A module that a name is inside of.
  private struct Place: Hashable {
    /// What stands before it: `backbone.`, or nothing.
    var prefix: Name
    /// Of the group, or of the module in the row.
    var number: Int
    var member: Int
  }

  /// The numbering of a network whose names are grouped; nil if its groups are not counted from 0 without
  /// a gap.
  func numbering(ofGrouped names: some Sequence<Name>) -> Numbering? {
    numbering(names.compactMap { grouped($0)?.place }) { places in
      guard Set(places.map(\.number)).count - 1 == places.last!.number else { return nil }
      return places.enumerated().map { (path(inRow: $1, $0), path(grouped: $1, $1.number)) }
    }
  }

  /// The numbering of a network whose modules are in a row; nil if they are not counted from 0 without a
  /// gap. A module that has no place behind the last one's begins a group.
  func numbering(ofRow names: some Sequence<Name>) -> Numbering? {
    numbering(names.compactMap { inRow($0)?.place }) { places in
      guard places.enumerated().allSatisfy({ $0 == $1.number }) else { return nil }
      var group = 0
      return places.indices.map { index in
        if index > 0, places[index].member <= places[index - 1].member { group += 1 }
        return (path(inRow: places[index], index), path(grouped: places[index], group))
      }
    }
  }

  /// - Parameter paths: of places with one prefix, in their order.
  private func numbering(
    _ places: [Place], _ paths: ([Place]) -> [(inRow: Name, grouped: Name)]?
  ) -> Numbering? {
    var result = Numbering()
    for (_, places) in Dictionary(grouping: Set(places), by: \.prefix) {
      let sorted = places.sorted { ($0.number, $0.member) < ($1.number, $1.member) }
      guard let paths = paths(sorted) else { return nil }
      for (inRow, grouped) in paths {
        result.grouped[inRow] = grouped
        result.inRow[grouped] = inRow
      }
    }
    return result
  }

  private func path(inRow place: Place, _ number: Int) -> Name {
    "\(place.prefix)\(row).\(number)"
  }

  private func path(grouped place: Place, _ number: Int) -> Name {
    "\(place.prefix)\(groups).\(number).\(members[place.member].name)"
  }

  /// A grouped name as it is in a row; nil if it is in a module that the numbering does not have.
  func inRow(_ name: Name, _ numbering: Numbering?) -> Name? {
    guard let (place, rest) = grouped(name) else { return name }
    return numbering?.inRow[path(grouped: place, place.number)].map { $0 + rest }
  }

  /// The way back; also of the path of a block.
  func grouped(_ name: Name, _ numbering: Numbering?) -> Name? {
    guard let (prefix, number, rest) = split(name, at: row) else { return name }
    return numbering?.grouped["\(prefix)\(row).\(number)"].map { $0 + rest }
  }

  /// `rest` begins with its dot, if there is any.
  private func grouped(_ name: Name) -> (place: Place, rest: Name)? {
    guard let (prefix, number, rest) = split(name, at: groups),
      let member = members.firstIndex(where: { rest.dropping(prefix: ".")?.firstPart == $0.name }),
      let rest = rest.dropping(prefix: "." + members[member].name)
    else { return nil }
    return (Place(prefix: prefix, number: number, member: member), rest)
  }

  private func inRow(_ name: Name) -> (place: Place, rest: Name)? {
    guard let (prefix, number, rest) = split(name, at: row),
      let word = rest.dropping(prefix: ".")?.firstPart
    else { return nil }
    let member =
      members.firstIndex { $0.firstParts.contains(word) }
      ?? members.firstIndex { $0.firstParts.isEmpty }
    return member.map { (Place(prefix: prefix, number: number, member: $0), rest) }
  }

  /// `backbone.`, 3 and `.proj.0.weight` of `backbone.network.3.proj.0.weight`, at `network`.
  private func split(_ name: Name, at word: Name) -> (prefix: Name, number: Int, rest: Name)? {
    let bytes = name.utf8
    var start = bytes.startIndex
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: ".")) {
      let next = bytes.index(after: end)
      if bytes[start..<end].elementsEqual(word.utf8) {
        let digits = Substring(bytes[next...].prefix { $0 != UInt8(ascii: ".") })
        // Without leading zeros, so that the way back gives the same text.
        if let number = Int(digits), String(number).utf8.elementsEqual(digits.utf8) {
          return (Name(name.text[..<start]), number, Name(name.text[digits.endIndex...]))
        }
      }
      start = next
    }
    return nil
  }
}
