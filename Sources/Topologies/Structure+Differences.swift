internal import Blocks
public import Naming
internal import Tensors

extension Structure {
  /// A parameter that is not as it should be.
  public struct Difference: Equatable, Sendable {
    /// What it is, in words.
    public var text: String
    /// Whether the structure has no such parameter.
    public var isUnexpected = false
  }

  /// Where the parameters of a network are not those of this structure, in words: what is missing, of
  /// another shape, or unexpected. Blocks that have branches are held to the training form, others to the
  /// deploy form.
  public func differences(from network: Network) -> [Difference] {
    var differences: [Difference] = []
    let names = network.parameters.map { network.dialect.label(of: $0.role) }
    let deployed = Set(network.blocks.filter { !$0.hasBranches }.map(\.path))
    func isDeployed(_ role: Role) -> Bool {
      if case .block(let block, _) = role { deployed.contains(block.path) } else { false }
    }
    let wanted =
      trainParameters.filter { !isDeployed($0.role) }
      + deployParameters.filter { isDeployed($0.role) }
    for parameter in wanted {
      let name = network.dialect.label(of: parameter.role)
      if let found = network[parameter.role]?.tensor.shape {
        if found != parameter.shape {
          differences.append(
            Difference(text: "'\(printable(name))' is \(found), not \(parameter.shape)"))
        }
      } else {
        let nearest = differences.count < 6 ? nearestNames(to: name, in: names, limit: 1) : []
        differences.append(
          Difference(
            text: "'\(printable(name))' is missing"
              + (nearest.first.map { " (nearest: '\(printable($0))')" } ?? "")))
      }
    }
    let roles = Set(wanted.map(\.role))
    let blocks = Set(
      wanted.compactMap { if case .block(let block, _) = $0.role { block } else { nil } })
    for parameter in network.parameters where !roles.contains(parameter.role) {
      if parameter.role.isStepCounter(amid: roles) { continue }
      if case .block(let block, let place) = parameter.role {
        if block.family.isForTrainingOnly, hasAuxiliaryHeads { continue }
        // Allowed beside the branches of a block that is expected.
        let isExtra =
          place.part == .batchesTracked || place.layer == .fused || place.part == .bias
          || block.family.mayHave(place.layer)
        let squeezes = !block.family.isOwn(place.layer) && place.layer != .fused
        if isExtra, !squeezes, blocks.contains(block) { continue }
      }
      differences.append(
        Difference(text: "'\(printable(parameter.originalName))' is unexpected", isUnexpected: true)
      )
    }
    return differences
  }
}

extension Role {
  /// Whether it counts the steps of a BatchNorm whose variance is one of `roles`: the network can be
  /// without.
  public func isStepCounter(amid roles: Set<Role>) -> Bool {
    guard case .other(let name) = self, name.lastPart == "num_batches_tracked",
      let module = name.module
    else { return false }
    return roles.contains(.other(name: "\(module).running_var"))
  }
}

extension BlockFamily {
  /// Whether it is left to training if a block has this layer, whose deploy form is the same either way:
  /// a second classifier, for distillation.
  fileprivate func mayHave(_ layer: LayerAddress) -> Bool {
    hasMatrices && self.layer(named: layer.name)?.isOptional == true
  }
}
