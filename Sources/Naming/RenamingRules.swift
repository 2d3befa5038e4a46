internal import Checkpoints
internal import Tensors

/// Rules that a user gives for names, tried in order; the first that matches a name changes it.
struct RenamingRules {
  private let rules: [Correspondence]

  init(_ rules: [Correspondence]) {
    self.rules = rules
  }

  /// The names of the tensors of each state dict after the rules.
  ///
  /// - Throws: `NamingError` if a rule matches no name at all, or two tensors of one state dict get the
  ///   same name.
  func apply(to stateDicts: [StateDict], path: String) throws(NamingError) -> [[String]] {
    guard !rules.isEmpty else { return stateDicts.map { $0.tensors.map(\.name) } }
    var used = Set<Int>()
    var result: [[String]] = []
    for stateDict in stateDicts {
      var names: [String] = []
      var originals: [String: String] = [:]
      for tensor in stateDict.tensors {
        var name = tensor.name
        for (index, rule) in rules.enumerated() {
          if let renamed = rule.forward(tensor.name) {
            used.insert(index)
            name = renamed
            break
          }
        }
        if let other = originals.updateValue(tensor.name, forKey: name) {
          throw .renamedAlike(path: path, first: other, second: tensor.name, name: name)
        }
        names.append(name)
      }
      result.append(names)
    }
    if let index = rules.indices.first(where: { !used.contains($0) }) {
      let rule = rules[index]
      throw .badRule(
        rule: "\(rule.first)=\(rule.second)",
        reason: "it matches no name, or an earlier rule matches all that it would")
    }
    return result
  }
}
