package import Checkpoints
internal import Tensors

extension Checkpoint {
  /// The state dicts with this path, or if there is none, with this last part of it; all without a key.
  ///
  /// - Throws: `NamingError.noSuchKey`.
  package func stateDicts(called key: String?) throws(NamingError) -> [StateDict] {
    guard let key = key.map({ Name($0) }) else { return stateDicts }
    let whole = stateDicts.filter { $0.path.joined(separator: ".") == key }
    let found = whole.isEmpty ? stateDicts.filter { $0.path.last == key } : whole
    guard !found.isEmpty else {
      throw .noSuchKey(path: path, key: key, candidates: stateDicts.map(\.label))
    }
    return found
  }
}

extension StateDict {
  /// `model_ema (92 tensors)`
  package var label: String { "\(pathDescription) (\(tensors.count) tensors)" }
}
