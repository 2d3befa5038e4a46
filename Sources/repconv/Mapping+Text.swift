import Conversion
import JSON
import Naming
import Tensors

extension Mapping {
  /// What `--dry-run` prints.
  func text(isJSON: Bool, notes: [String]) throws -> String {
    isJSON ? try json(notes: notes).indented() : table(notes: notes)
  }

  private func table(notes: [String]) -> String {
    var lines = [
      repconv.table(
        ["\(dialect?.name ?? "old") names", "shape", "\(names.name) names", "shape"],
        renamings.map { [$0.from, $0.fromShape.description, $0.to, $0.toShape.description] },
        numeric: [])
    ]
    for (reason, names) in dropped { lines.append(row("dropped", "\(reason): \(sample(names))")) }
    for note in notes { lines.append(row("note", note)) }
    return lines.joined(separator: "\n")
  }

  private func json(notes: [String]) -> JSONValue {
    func integers(_ shape: Shape) -> JSONValue { .array(shape.dimensions.map { .integer($0) }) }
    return [
      "dialect": dialect.map { .string($0.name) } ?? .null,
      "names": .string(names.name),
      "tensors": .array(
        renamings.map {
          [
            "from": .string($0.from), "fromShape": integers($0.fromShape), "to": .string($0.to),
            "toShape": integers($0.toShape),
          ]
        }),
      "dropped": .array(
        dropped.map {
          ["reason": .string($0.reason), "names": .array($0.names.map { .string($0) })]
        }),
      "notes": .array(notes.map { .string($0) }),
    ]
  }
}
