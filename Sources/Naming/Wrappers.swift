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

  /// Names taken apart, to be looked at through several dialects.
  struct Names {
    private let names: [String]
    private var parts: [[Substring]]
    /// Indices of names that carry the prefix.
    private let carriers: [Int]
    private var removedCompiled = false
    /// Leading parts that all carriers have in common, less the last part of any.
    private let shared: Int
    /// The names with what wrappers put in front of all, and without what they put inside.
    private(set) var whole: [String] = []

    init(_ names: [String]) {
      self.names = names
      parts = names.map {
        $0.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
          .map { Substring($0) }
      }
      for index in parts.indices
      where parts[index].count > 1 && parts[index].contains(Substring(compiled)) {
        parts[index].removeAll { $0 == compiled }
        removedCompiled = true
      }
      let carriers = names.indices.filter { !counters.contains(names[$0]) }
      self.carriers = carriers
      let first = carriers.first.map { [parts] in parts[$0] } ?? []
      var shared = max(0, first.count - 1)
      for index in carriers where shared > 0 {
        shared = min(shared, zip(first, parts[index].dropLast()).prefix { $0 == $1 }.count)
      }
      self.shared = shared
      whole = self.names(less: 0)
    }

    /// The names without `_orig_mod` and without the first parts of those that carry the prefix.
    private func names(less count: Int) -> [String] {
      guard count > 0 || removedCompiled else { return names }
      var result = parts.map { $0.joined(separator: ".") }
      for index in carriers { result[index] = parts[index].dropFirst(count).joined(separator: ".") }
      return result
    }

    /// Takes `module.` and `_orig_mod.` off, and further leading parts as long as all names share them
    /// and `isRoot` recognises what comes to the front.
    ///
    /// - Parameter isRoot: whether a bare name begins a network of a known project (`stage0...`).
    func bare(isRoot: (String) -> Bool) -> Result {
      func result(_ count: Int, _ names: [String]) -> Result {
        let prefix = carriers.first.map { parts[$0].prefix(count) } ?? []
        return Result(
          names: names, prefix: prefix.map { $0 + "." }.joined(), removedCompiled: removedCompiled)
      }
      // As far as a known root asks for, else only what parallel wrappers added.
      for count in 0...shared {
        let names = names(less: count)
        if carriers.contains(where: { isRoot(names[$0]) }) { return result(count, names) }
      }
      let parallels =
        carriers.first.map { parts[$0].prefix(shared).prefix { $0 == parallel }.count } ?? 0
      return result(parallels, names(less: parallels))
    }
  }
}
