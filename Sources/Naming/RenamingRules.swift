internal import Checkpoints
internal import Tensors

extension [Correspondence] {
  /// The names of the tensors of each state dict after these rules, which a user gives and which are tried
  /// in order: the first that matches a name changes it.
  ///
  /// - Throws: `NamingError` if a rule matches no name at all, or two tensors of one state dict get the
  ///   same name.
  func renaming(_ stateDicts: [StateDict], path: String) throws(NamingError) -> [[Name]] {
    guard !isEmpty else { return stateDicts.map { $0.tensors.map(\.name) } }
    var used = Set<Int>()
    var result: [[Name]] = []
    for stateDict in stateDicts {
      var names: [Name] = []
      var originals: [Name: Name] = [:]
      for tensor in stateDict.tensors {
        let renamed = enumerated().lazy.compactMap { index, rule in
          rule.forward(tensor.name).map { (name: $0, rule: index) }
        }.first
        if let renamed { used.insert(renamed.rule) }
        let name = renamed?.name ?? tensor.name
        if let other = originals.updateValue(tensor.name, forKey: name) {
          throw .renamedAlike(path: path, first: other, second: tensor.name, name: name)
        }
        names.append(name)
      }
      result.append(names)
    }
    if let index = indices.first(where: { !used.contains($0) }) {
      throw .badRule(
        rule: "\(self[index].first)=\(self[index].second)",
        reason: "it matches no name, or an earlier rule matches all that it would")
    }
    return result
  }
}
