internal import Tensors

/// Names in the order of their bytes, to be asked what begins them: takes no more memory than the names,
/// however many parts they have.
struct SortedNames {
  private let names: [Name]

  init(_ names: [Name]) { self.names = names.sorted() }

  /// How many names begin with `prefix` and are longer.
  func count(withPrefix prefix: Name) -> Int {
    let start = firstIndex { $0 >= prefix }
    let end = firstIndex(from: start) { !$0.hasPrefix(prefix) }
    let isThere = start < end && names[start] == prefix
    return end - start - (isThere ? 1 : 0)
  }

  /// What stands before `text` in names, each once, in order, but for nothing; no more than `limit`.
  func prefixes(before text: Name, limit: Int) -> [Name] {
    var prefixes: [Name] = []
    for name in names where prefixes.count < limit {
      guard let prefix = name.prefix(before: text, ofAtLeast: 1) else { continue }
      if prefixes.last != prefix { prefixes.append(prefix) }
    }
    return prefixes
  }

  /// The first index whose name, and those of all behind it, is as wanted.
  private func firstIndex(from start: Int = 0, where isWanted: (Name) -> Bool) -> Int {
    var (low, high) = (start, names.count)
    while low < high {
      let middle = (low + high) / 2
      if isWanted(names[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
