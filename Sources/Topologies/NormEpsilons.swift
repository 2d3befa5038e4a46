internal import Checkpoints
internal import Naming

/// The epsilons of a network's BatchNorms that stay in deploy form: of each module if the file holds
/// modules, else what was given, else the dialect's.
struct NormEpsilons {
  private var usual: Double
  private var ofModules: [String: Double] = [:]

  /// The same of all.
  init(usual: Double) { self.usual = usual }

  init(of network: Network, given: Double?) {
    usual = given ?? network.dialect.epsilon
    for (path, module) in network.stateDict.modules {
      guard let epsilon = module.epsilon, path.hasPrefix(network.prefix) else { continue }
      ofModules[String(path.dropFirst(network.prefix.count))] = epsilon
    }
  }

  /// Of the BatchNorm at a path.
  subscript(path: String) -> Double { ofModules[path] ?? usual }
}
