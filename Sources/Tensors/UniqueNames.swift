/// Names that are given once: those that would be the same get a number.
package struct UniqueNames {
  private var taken: Set<Name>
  /// The next number to tell apart those that would be called the same.
  private var numbers: [Name: Int] = [:]

  /// - Parameter taken: names that are given already.
  package init(taken: some Sequence<Name> = []) { self.taken = Set(taken) }

  /// The name itself, or with the first number behind it that makes it another: `Conv`, `Conv_1`.
  package mutating func next(_ wanted: Name) -> Name {
    var result = wanted
    while !taken.insert(result).inserted {
      numbers[wanted, default: 0] += 1
      result = "\(wanted)_\(numbers[wanted]!)"
    }
    return result
  }
}
