internal import Checkpoints
internal import Naming
internal import Tensors

/// The epsilons of a network's BatchNorms that stay in deploy form: of each module if the file holds
/// modules, else what was given, else the dialect's.
struct NormEpsilons {
  private var usual: Double
  private var ofModules: [Name: Double] = [:]

  /// The same of all.
  init(usual: Double) { self.usual = usual }

  init(of network: Network, given: Double?) {
    usual = given ?? network.dialect.epsilon
    for (path, module) in network.stateDict.modules {
      guard let epsilon = module.epsilon, let path = path.dropping(prefix: network.prefix) else {
        continue
      }
      ofModules[path] = epsilon
    }
  }

  /// Of the BatchNorm at a path.
  subscript(path: Name) -> Double { ofModules[path] ?? usual }
}
