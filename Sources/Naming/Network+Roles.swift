package import Checkpoints
package import Tensors

extension Network {
  /// The deploy form of a training network, of tensors whose roles are known by other means than their
  /// names, such as their place in a graph.
  ///
  /// - Parameters:
  ///   - parameters: each role once, in the shapes that roles ask for.
  ///   - stateDict: all tensors of the file.
  package init(
    deployFormOf train: Network, path: String,
    parameters: [(role: Role, name: Name, tensor: Tensor)], stateDict: StateDict
  ) {
    let parameters = parameters.map {
      Parameter(role: $0.role, originalName: $0.name, tensor: $0.tensor)
    }
    var blocks: [Name: Block] = [:]
    for parameter in parameters {
      guard case .block(let address, let place) = parameter.role else { continue }
      blocks[address.path, default: Block(address: address)].parameters[place] = parameter
    }
    self.path = path
    self.stateDict = stateDict
    dialect = train.dialect
    prefix = ""
    self.parameters = parameters
    self.blocks = blocks.values.sorted { naturallyPrecedes($0.path, $1.path) }
    (trainingBlocks, wrapperCounters, unknownInBlocks, notes) = ([], [], [], [])
    indexOfRole = Dictionary(
      parameters.enumerated().map { ($1.role, $0) }, uniquingKeysWith: { first, _ in first })
    indexOfBlock = Dictionary(
      self.blocks.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
  }
}
