internal import Blocks
public import Tensors

/// Why the tensors of a file could not be given roles.
@nonexhaustive
public enum NamingError: Error, Equatable, Sendable {
  /// No name in any state dict belongs to a block of a known dialect.
  /// If the names are those of a family that is known and not fused, its name.
  case noBlocks(path: String, found: [Name], resembles: String? = nil)
  /// The file is known, and is no network.
  case noNetwork(path: String, what: String)
  /// Several state dicts are equally good; each with its number of tensors.
  case ambiguous(path: String, candidates: [String])
  /// A tensor of a block is in the file, but cannot be read.
  case unreadable(ReadError)
  /// The key that was asked for is that of no state dict.
  case noSuchKey(path: String, key: Name, candidates: [String])
  /// Two tensors have the same role once wrappers are taken off.
  case collision(path: String, first: Name, second: Name)
  /// Rules of renaming give two tensors the same name.
  case renamedAlike(path: String, first: Name, second: Name, name: Name)
  /// A tensor cannot have the shape or element type its role asks for.
  case misfit(path: String, name: Name, role: String, found: String)
  /// A block holds parameters that blocks of its family do not have; with the nearest that they have,
  /// and the family whose names these are, if it is known.
  case unknownInBlock(
    path: String, block: Name, family: String, names: [Name], known: [Name],
    resembles: String? = nil)
  /// The file has no shapes, and the family has kernels of several.
  case noShape(path: String, name: Name, family: String)
  /// A dialect's table is not one.
  case badDialect(place: String, line: Int?, reason: String)
  /// A rule of renaming is not one, or changes no name.
  case badRule(rule: String, reason: String)
  /// A dialect has no name for a parameter.
  case noName(dialect: String, parameter: Name)
  /// A dialect shapes kernels by groups, but how many there are cannot be told.
  case unknownGroups(dialect: String, parameter: Name)
}

extension NamingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noBlocks(let path, _, let family?):
      """
      \(path): its names are those of \(family).
        Families that are: \(knownFamilies).
      """
    case .noBlocks(let path, let found, nil):
      """
      \(path): no re-parameterizable block of a known dialect in it.
        \(found.isEmpty ? "It holds no tensors under names." : "Its names begin: " + found.map(printable).joined(separator: ", ") + ".")
        Known block names: \(knownBlockNames).
      """
    case .unreadable(let error): error.description
    case .noNetwork(let path, let what):
      """
      \(path): it holds \(what) and no network: there is nothing to fuse.
        Use the checkpoint of the network that was trained.
      """
    case .ambiguous(let path, let candidates):
      """
      \(path): it holds \(candidates.count) state dicts, none of which is the obvious one: \(candidates.joined(separator: ", ")).
        Choose one by its key.
      """
    case .noSuchKey(let path, let key, let candidates):
      """
      \(path): it has no state dict '\(printable(key))'.
        \(candidates.isEmpty ? "It holds none." : "Those it has: " + candidates.joined(separator: ", ") + ".")
      """
    case .collision(let path, let first, let second):
      """
      \(path): '\(printable(first))' and '\(printable(second))' are the same parameter once prefixes are taken off.
        Save the state dict of one network only.
      """
    case .renamedAlike(let path, let first, let second, let name):
      """
      \(path): by the rules, '\(printable(first))' and '\(printable(second))' are both called '\(printable(name))'.
        Change the rules so that every tensor keeps a name of its own.
      """
    case .misfit(let path, let name, let role, let found):
      "\(path): '\(printable(name))' should be \(role), but is \(found).\n  Check that the file comes from the code it seems to be from."
    case .noShape(let path, let name, let family):
      """
      \(path): it has no shapes, and that of '\(printable(name))' cannot be found again: kernels of \(family) are of several sizes.
        Use the file that it was written from.
      """
    case .unknownInBlock(let path, let block, let family, let names, let known, let resembles):
      """
      \(path): block '\(printable(block))' has parameters that a \(family) block does not have: \(names.map(printable).joined(separator: ", ")).
        \(resembles.map { "Its names are those of \($0)." } ?? (known.isEmpty ? "" : "Nearest that it has: \(known.map(printable).joined(separator: ", ")). ") + "It may be a variant of the block, which is not fused; or a name is misspelt.")
      """
    case .badDialect(let place, let line, let reason):
      "\(place)\(line.map { " at line \($0)" } ?? ""): \(reason).\n  Start from a built-in table."
    case .badRule(let rule, let reason):
      "the rule '\(rule)': \(reason).\n  Rules are as in 'encoder.*=*' or 'layer{s}.{b}.*=stage{s}.{b}.*'."
    case .noName(let dialect, let parameter):
      "the dialect '\(dialect)' has no name for '\(printable(parameter))'.\n  Its networks have no such parameter; choose another."
    case .unknownGroups(let dialect, let parameter):
      "the dialect '\(dialect)' shapes kernels by their groups, but how many '\(printable(parameter))' has cannot be told outside a network that is known as a whole.\n  Choose another."
    }
  }
}

/// `RepVGG, MobileOne, ...`
private var knownFamilies: String {
  BlockFamily.all.filter { !$0.standsBesideOthers }.map(\.name).joined(separator: ", ")
}

/// `….rbr_dense.conv.weight (official, basecls), ...`: the first name of each dialect's first family that tells
/// of a block.
private var knownBlockNames: String {
  var distinct: [(name: String, dialects: [String])] = []
  for dialect in Dialect.all {
    guard let layer = dialect.family.layers.first(where: { $0.tells }),
      let suffix = dialect.pattern(of: layer.name, layer.parts[0], in: dialect.tables[0])
    else { continue }
    let name = "…\(dialect.separator.text)\(suffix)"
    if let index = distinct.firstIndex(where: { $0.name == name }) {
      distinct[index].dialects.append(dialect.name)
    } else {
      distinct.append((name, [dialect.name]))
    }
  }
  return distinct.map { "\($0.name) (\($0.dialects.joined(separator: ", ")))" }
    .joined(separator: ", ")
}
