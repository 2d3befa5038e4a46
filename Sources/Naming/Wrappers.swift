/// What training frameworks wrap around the names of a network, and how it comes off: always whole
/// parts of a name, from the front, and only if every name carries them.
enum Wrapper {
  /// Added by torch.compile wherever a compiled module sits, so also in the middle of a name.
  static let compiled = "_orig_mod"

  /// DataParallel, DistributedDataParallel and AveragedModel.
  static let parallel = "module"

  /// Counters that stand beside the wrapped names (torch.optim.swa_utils.AveragedModel).
  static let counters: Set<String> = ["n_averaged"]

  /// What was taken off a set of names.
  struct Result {
    /// The bare names, in the given order.
    var names: [String]
    /// The prefix that every name had, with its final dot; empty if none.
    var prefix: String
    /// Whether `_orig_mod` was inside names as well.
    var removedCompiled: Bool
  }

  /// Takes `module.` and `_orig_mod.` off, and further leading parts as long as all names share them
  /// and `isRoot` recognises what comes to the front.
  ///
  /// - Parameter isRoot: whether a bare name begins a network of a known project (`stage0...`).
  static func remove(from names: [String], isRoot: (String) -> Bool) -> Result {
    var parts = names.map { $0.split(separator: ".", omittingEmptySubsequences: false) }
    var removedCompiled = false
    for index in parts.indices where parts[index].count > 1 && parts[index].contains(Substring(compiled)) {
      parts[index].removeAll { $0 == compiled }
      removedCompiled = true
    }
    let carriers = parts.indices.filter { !counters.contains(names[$0]) }
    let first = carriers.first.map { parts[$0] } ?? []
    var shared = max(0, first.count - 1)
    for index in carriers {
      shared = min(shared, zip(first, parts[index].dropLast()).prefix { $0 == $1 }.count)
    }
    // As far as a known root asks for, else only what parallel wrappers added.
    let root = (0...shared).first { cut in
      carriers.contains { isRoot(parts[$0].dropFirst(cut).joined(separator: ".")) }
    }
    let prefix = first.prefix(root ?? first.prefix(shared).prefix { $0 == parallel }.count)
    for index in carriers { parts[index].removeFirst(prefix.count) }
    return Result(
      names: parts.map { $0.joined(separator: ".") },
      prefix: prefix.map { $0 + "." }.joined(),
      removedCompiled: removedCompiled)
  }
}
