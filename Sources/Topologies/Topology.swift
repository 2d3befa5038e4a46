internal import Blocks
public import Naming
internal import Tensors

/// A kind of network that is known as a whole: which blocks it consists of and how they are put
/// together. Both ways: what the tensors of a file are, and what tensors a named network has.
///
/// Each has a file in this folder, and a line in `all`.
public struct Topology: Sendable {
  /// What its authors call it: `RepVGG`.
  public let name: String
  /// The family that its networks are known by.
  let family: BlockFamily
  /// Further families whose blocks can stand in the place of these.
  var otherFamilies: [BlockFamily] = []
  /// The structure of a network, from its paths and shapes alone; strides from whole modules if the file
  /// has them. `epsilon` is that of its BatchNorms, where the file does not say it.
  ///
  /// - Throws: `Deviation` if it is not exactly such a network.
  let structure: @Sendable (Network, _ epsilon: Double?) throws(Deviation) -> Structure
  /// Those that have been published.
  let architectures: [Architecture]
  /// What a network without a published name is like.
  let describe: @Sendable (Structure) -> String

  /// The weight of the classifier in either form; the first that is there counts.
  var classifiers: [Role] = [.classifier(.weight)]

  /// Every kind of network that is known as a whole.
  public static let all: [Topology] = [
    .repVGG, .mobileOne, .repViT, .repViTLegacy, .repLKNet, .uniRepLKNet, .acNet, .dbb, .fastViT,
  ]

  func classes(of network: Network) -> Int? { try? network.classes(by: classifiers) }

  /// The one of this name; nil if none is known.
  public static func named(_ name: String) -> Topology? { all.first { $0.name == name } }

  /// The one whose blocks are of this family; nil if none is known.
  static func of(_ family: BlockFamily) -> Topology? {
    all.first { $0.family == family || $0.otherFamilies.contains(family) }
  }
}

extension Structure {
  /// The structure of `network`.
  ///
  /// - Parameter epsilon: of BatchNorms that deploy form has, too, where the file does not say it; by
  ///   default the dialect's.
  /// - Throws: `Deviation` if it is not exactly a network of a known topology: other tensors beside the
  ///   blocks, gaps in the numbering, channels that do not fit, no classifier.
  public init(of network: Network, epsilon: Double? = nil) throws(Deviation) {
    let family = network.dialect.family
    guard let topology = Topology.of(family) else {
      throw Deviation(
        reason: "no tensor tells how blocks of \(family.name) are put together",
        isForeign: true)
    }
    if let (block, names) = network.unknownInBlocks.first {
      let resembles = network.resembles.map { ": it is a name of \($0)" }
      throw Deviation(
        reason: "'\(names[0])' is not part of a \(block.family.name) block\(resembles ?? "")",
        isForeign: true)
    }
    self = try topology.structure(network, epsilon)
  }

  /// Throws unless the parameters of a network are just those of this structure.
  func require(of network: Network) throws(Deviation) {
    let differences = differences(from: network)
    guard let first = differences.first else { return }
    throw Deviation(reason: first.text, isForeign: differences.contains(where: \.isUnexpected))
  }
}

extension Network {
  /// The shape of the kernel that a block is told by.
  ///
  /// - Throws: `Deviation` if there is no block at the path, or only parts of one.
  func kernelShape(at path: Name) throws(Deviation) -> Shape {
    guard let kernel = block(at: path)?.mainKernel?.tensor.shape else {
      throw Deviation(reason: "there is no block '\(path)'")
    }
    return kernel
  }

  /// How many classes there are, by the first of these weights that is there.
  ///
  /// - Throws: `Deviation` if none is.
  func classes(by weights: [Role]) throws(Deviation) -> Int {
    guard
      let classes = weights.lazy.compactMap({ self[$0]?.tensor.shape.dimensions.first }).first
    else { throw Deviation(reason: "there is no classifier") }
    return classes
  }
}
