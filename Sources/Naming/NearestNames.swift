package import Tensors

/// The names most like `name`, best first: what to show when a name is missing or unknown.
///
/// - Parameter limit: how many at most.
public func nearestNames(to name: String, in names: some Sequence<String>, limit: Int = 3)
  -> [String]
{
  // What is longer was not mistyped, and distances take the time of both lengths multiplied.
  let longest = 256
  guard name.utf8.count <= longest else { return [] }
  let scored = names.lazy.filter { $0.utf8.count <= longest }
    .map { (name: $0, distance: editDistance(name, $0)) }
    .filter { $0.distance <= max(2, name.utf8.count / 2) }
  return scored.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(limit).map(\.name)
}

/// Likewise of names in files.
package func nearestNames(to name: Name, in names: some Sequence<Name>, limit: Int = 3) -> [Name] {
  nearestNames(to: name.text, in: names.map(\.text), limit: limit).map { Name($0) }
}

/// The number of bytes to insert, delete or replace to turn one text into the other (Levenshtein).
private func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  var row = Array(0...b.count)
  for i in a.indices {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
