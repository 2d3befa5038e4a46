internal import Tensors

/// What training frameworks wrap around the names of a network, and how it comes off: always whole
/// parts of a name, from the front, and only if every name carries them.
enum Wrapper {
  /// Added by torch.compile wherever a compiled module sits, so also in the middle of a name.
  static let compiled: Name = "_orig_mod"

  /// DataParallel, DistributedDataParallel and AveragedModel.
  static let parallel = "module"

  /// Counters that stand beside the wrapped names (torch.optim.swa_utils.AveragedModel).
  static let counters: Set<Name> = ["n_averaged"]

  /// What was taken off a set of names.
  struct Result {
    /// The bare names, in the given order.
    var names: [Name]
    /// The prefix that every name had, with its final dot; empty if none.
    var prefix: Name
    /// Whether `_orig_mod` was inside names as well.
    var removedCompiled: Bool
  }

  /// Names without what wrappers put inside, to be looked at through several dialects.
  struct Names {
    /// The names with what wrappers put in front of all, and without what they put inside.
    let whole: [Name]
    /// Indices of names that carry the prefix.
    private let carriers: [Int]
    private let removedCompiled: Bool
    /// Where the leading parts end that all carriers have in common, in bytes with the final dots; each
    /// name has a part behind the last.
    private let sharedEnds: [Int]

    /// Parts in front of all names: wrappers in wrappers, and modules around the network.
    private static let maximumParts = 32

    init(_ names: [Name]) {
      let bare = names.map(Wrapper.withoutCompiled)
      whole = zip(bare, names).map { $0 ?? $1 }
      removedCompiled = bare.contains { $0 != nil }
      carriers = names.indices.filter { !counters.contains(names[$0]) }
      var ends: [Int] = []
      if let first = carriers.first.map({ [whole] in Array(whole[$0].utf8) }) {
        var common = first.count
        for index in carriers {
          common = zip(first.prefix(common), whole[index].utf8).prefix { $0 == $1 }.count
        }
        ends = first.prefix(common).indices.lazy.filter { first[$0] == UInt8(ascii: ".") }
          .prefix(Self.maximumParts).map { $0 + 1 }
      }
      sharedEnds = ends
    }

    /// The names without the first `end` bytes of those that carry the prefix.
    private func names(less end: Int) -> [Name] {
      guard end > 0 else { return whole }
      var result = whole
      for index in carriers { result[index] = Name(Substring(whole[index].utf8.dropFirst(end))) }
      return result
    }

    /// Takes `module.` and `_orig_mod.` off, and further leading parts as long as all names share them
    /// and `isRoot` recognises what comes to the front.
    ///
    /// - Parameter isRoot: whether a bare name begins a network of a known project (`stage0...`).
    func bare(isRoot: (Name) -> Bool) -> Result {
      func result(_ end: Int) -> Result {
        let prefix = carriers.first.map { Name(Substring(whole[$0].utf8.prefix(end))) } ?? ""
        return Result(names: names(less: end), prefix: prefix, removedCompiled: removedCompiled)
      }
      // As far as a known root asks for, else only what parallel wrappers added.
      for end in [0] + sharedEnds
      where carriers.contains(where: { isRoot(Name(Substring(whole[$0].utf8.dropFirst(end)))) }) {
        return result(end)
      }
      let parallels = zip([0] + sharedEnds, sharedEnds).prefix { start, end in
        whole[carriers[0]].utf8.dropFirst(start).prefix(end - start).elementsEqual(
          "\(parallel).".utf8)
      }
      return result(parallels.map(\.1).last ?? 0)
    }
  }

  /// A name of several parts without those that are `_orig_mod`; nil if there are none.
  private static func withoutCompiled(_ name: Name) -> Name? {
    let parts = name.parts()
    let kept = parts.filter { $0 != compiled }
    guard parts.count > 1, kept.count < parts.count else { return nil }
    return kept.joined(separator: ".")
  }
}
