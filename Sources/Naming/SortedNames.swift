/// Names in the order of their bytes, to be asked what begins them: takes no more memory than the names,
/// however many parts they have.
struct SortedNames {
  private let names: [String]

  init(_ names: [String]) {
    self.names = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// How many names begin with `prefix` and are longer.
  func count(withPrefix prefix: String) -> Int {
    let start = firstIndex { !$0.utf8.lexicographicallyPrecedes(prefix.utf8) }
    let end = firstIndex(from: start) { !$0.utf8.starts(with: prefix.utf8) }
    let isThere = start < end && names[start].utf8.count == prefix.utf8.count
    return end - start - (isThere ? 1 : 0)
  }

  /// What stands before `text` in names, each once, in order, but for nothing; no more than `limit`.
  func prefixes(before text: String, limit: Int) -> [String] {
    var prefixes: [String] = []
    let text = Array(text.utf8)
    for name in names where prefixes.count < limit {
      let bytes = Array(name.utf8)
      guard bytes.count > text.count,
        let start = (1...bytes.count - text.count).first(where: {
          bytes[$0] == text[0] && bytes[$0...].starts(with: text)
        })
      else { continue }
      let prefix = String(decoding: bytes[..<start], as: UTF8.self)
      if prefixes.last != prefix { prefixes.append(prefix) }
    }
    return prefixes
  }

  /// The first index whose name, and those of all behind it, is as wanted.
  private func firstIndex(from start: Int = 0, where isWanted: (String) -> Bool) -> Int {
    var (low, high) = (start, names.count)
    while low < high {
      let middle = (low + high) / 2
      if isWanted(names[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
