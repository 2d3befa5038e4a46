package import Blocks
public import Naming

/// A published network under the name that its authors gave it.
public struct Architecture: Equatable, Sendable {
  /// The authors' name: `RepVGG-A0`.
  public let name: String
  /// The name of its topology: `RepVGG`.
  public let topology: String
  /// What else it is called, without the topology's name.
  let aliases: [String]
  private let make: @Sendable (_ classes: Int) -> Structure

  init(
    name: String, topology: String, aliases: [String],
    make: @escaping @Sendable (_ classes: Int) -> Structure
  ) {
    self.name = name
    self.topology = topology
    self.aliases = aliases
    self.make = make
  }

  public static func == (a: Architecture, b: Architecture) -> Bool { a.name == b.name }

  /// Every published architecture of a known topology.
  public static let all: [Architecture] = Topology.all.flatMap(\.architectures)

  /// Those whose networks are known by blocks of a family.
  package static func known(by family: BlockFamily) -> [Architecture] {
    Topology.all.filter { $0.family == family }.flatMap(\.architectures)
  }

  /// The architecture of this name in any project's spelling: `RepVGG-A0`, `RepVGGA0`, `repvgg_a0`,
  /// `A0`.
  ///
  /// - Throws: `UnknownArchitecture`.
  public static func named(_ name: String) throws(UnknownArchitecture) -> Architecture {
    func key(_ name: String) -> String {
      name.lowercased().filter { $0.isLetter || $0.isNumber }
    }
    let wanted = key(name)
    for architecture in all {
      let (topology, whole) = (key(architecture.topology), key(architecture.name))
      let short = whole.hasPrefix(topology) ? String(whole.dropFirst(topology.count)) : whole
      let names = [whole, short] + architecture.aliases.flatMap { [$0, topology + $0] }
      if names.contains(wanted) { return architecture }
    }
    throw UnknownArchitecture(name: name, nearest: nearestNames(to: name, in: all.map(\.name)))
  }

  /// Those of ImageNet-1k, which published weights have.
  public static let usualClasses = 1000

  /// How many outputs the classifier of a network has, at the place where networks of this topology have
  /// one; nil if there is none.
  public func classes(of network: Network) -> Int? {
    Topology.named(topology)!.classes(of: network)
  }

  /// The network with a classifier of `classes` outputs.
  public func structure(classes: Int) -> Structure { make(classes) }
}

/// No architecture has this name; those that have one like it.
public struct UnknownArchitecture: Error, Equatable, Sendable {
  /// What was asked for.
  public var name: String
  /// Published names like it, nearest first.
  public var nearest: [String]
}

extension UnknownArchitecture: CustomStringConvertible {
  public var description: String {
    """
    no architecture is called '\(name)'.
      \(nearest.isEmpty ? "`Architecture.all` has them." : "Nearest: \(nearest.joined(separator: ", ")).")
    """
  }
}

/// `a custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels; 2/4 groups; SE before ReLU)`.
func describeChain(
  _ name: String, unit: String, _ structure: Structure, depths: [Int]
) -> String {
  func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ",") }
  var text = "custom \(name) (\(list(depths)) \(unit); "
  text += "\(list([structure.stemChannels] + structure.stages.map(\.channels))) channels"
  let groups = Set(structure.blocks.filter { $0.groups < $0.inputChannels }.map(\.groups))
    .subtracting([1]).sorted()
  if !groups.isEmpty { text += "; \(groups.map(String.init).joined(separator: "/")) groups" }
  if let placement = structure.blocks.lazy.compactMap(\.squeezeExcitation).first?.placement {
    text += placement == .beforeActivation ? "; SE before ReLU" : "; SE after ReLU"
  }
  return text + ")"
}
