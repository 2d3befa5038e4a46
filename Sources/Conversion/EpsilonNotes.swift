internal import Blocks
internal import Checkpoints
internal import Naming
internal import Reparameterization

// No format but whole modules and Keras' configurations has a place for an epsilon.

extension Network {
  /// That the epsilon which the branches need cannot be told from the output, where its names stand for
  /// another one.
  func epsilonNotes(writtenAs names: Dialect) -> [Note] {
    let epsilons = epsilons { _, _ in true }
    if epsilons.isSubset(of: [names.epsilon]) { return [] }
    return [.epsilonLeftOut(epsilons.sorted(), names: names.name, standFor: names.epsilon)]
  }

  /// The epsilons of BatchNorms in blocks: of the module if the file holds modules, else what was given,
  /// else the dialect's.
  fileprivate func epsilons(
    given epsilon: Double? = nil, where isCounted: (BlockAddress, LayerAddress) -> Bool
  ) -> Set<Double> {
    Set(
      parameters.compactMap { parameter in
        guard case .block(let block, let address) = parameter.role,
          address.part == .runningVariance, isCounted(block, address.layer)
        else { return nil }
        return module(of: parameter)?.epsilon ?? epsilon ?? dialect.epsilon
      })
  }
}

extension FusionPlan {
  /// The same of the BatchNorms that stay, behind the sums of blocks and in blocks that are left.
  ///
  /// - Parameter epsilon: what was given.
  func epsilonNotes(given epsilon: Double?, writtenAs names: Dialect) -> [Note] {
    let behind = network.epsilons(given: epsilon) { block, layer in
      block.family.kept.contains { $0.name == layer.name }
    }
    let left = Set(blocksLeft.map(\.path))
    let inside = network.epsilons(given: epsilon) { block, _ in left.contains(block.path) }
    var notes: [Note] = []
    if !behind.isSubset(of: [names.epsilon]) {
      let numbers = behind.sorted().map { "\($0)" }.joined(separator: " and ")
      notes.append(
        .remark(
          "the epsilon of the BatchNorms that stay, \(numbers), is not in the output, and names of \(names.name) stand for \(names.epsilon): set it where the output is loaded"
        ))
    }
    if !inside.isSubset(of: [names.epsilon]) {
      notes.append(
        .epsilonLeftOut(inside.sorted(), names: names.name, standFor: names.epsilon))
    }
    return notes
  }
}
