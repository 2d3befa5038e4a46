internal import Blocks
public import Naming

/// A kind of network that is known as a whole: which blocks it consists of and how they are put
/// together. Both ways: what the tensors of a file are, and what tensors a named network has.
///
/// Each has a file in this folder, and a line in `all`.
public struct Topology: Sendable {
  /// That of the family whose blocks it is made of: `RepVGG`.
  public let name: String
  /// Further families whose blocks can stand in the place of these.
  var otherFamilies: [BlockFamily] = []
  /// The structure of a network, from its paths and shapes alone; strides from whole modules if the file
  /// has them.
  ///
  /// - Throws: `Deviation` if it is not exactly such a network.
  let structure: @Sendable (Network) throws(Deviation) -> Structure
  /// Those that have been published.
  let architectures: [Architecture]
  /// What a network without a published name is like.
  let describe: @Sendable (Structure) -> String

  /// Every kind of network that is known as a whole.
  public static let all: [Topology] = [.repVGG, .mobileOne]

  /// The one that is called so; nil if none is.
  public static func named(_ name: String) -> Topology? { all.first { $0.name == name } }

  /// The one whose blocks are of this family; nil if none is known.
  static func of(_ family: BlockFamily) -> Topology? {
    all.first { $0.name == family.name || $0.otherFamilies.contains(family) }
  }
}

extension Structure {
  /// The structure of `network`.
  ///
  /// - Throws: `Deviation` if it is not exactly a network of a known topology: other tensors beside the
  ///   blocks, gaps in the numbering, channels that do not fit, no classifier.
  public init(of network: Network) throws(Deviation) {
    let family = network.dialect.family
    guard let topology = Topology.of(family) else {
      throw Deviation(reason: "no tensor tells how blocks of \(family.name) are put together")
    }
    if let (block, names) = network.unknownInBlocks.first {
      let resembles = network.resembles.map { ": it is a name of \($0), which is not fused yet" }
      throw Deviation(
        reason: "'\(names[0])' is not part of a \(block.family.name) block\(resembles ?? "")")
    }
    self = try topology.structure(network)
  }
}
