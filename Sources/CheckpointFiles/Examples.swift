/// Things of one kind that a user should know of, of which a file may have very many: their number, and
/// the first few.
struct Examples {
  private var count = 0
  private var first: [String] = []

  private static let shownCount = 3

  mutating func add(_ example: @autoclosure () -> String) {
    count += 1
    if first.count < Examples.shownCount { first.append(example()) }
  }

  /// Appends `<what> (<count>): <first>, <second>.` to `notes`, if there are any.
  func note(_ what: String, in notes: inout [String]) {
    guard count > 0 else { return }
    let shown = first.joined(separator: ", ") + (count > first.count ? ", ..." : ".")
    notes.append("\(what) (\(count)): \(shown)")
  }
}
