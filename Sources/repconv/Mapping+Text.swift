import Conversion
import JSON
import Naming
import Tensors

extension Mapping {
  /// What `--dry-run` prints.
  func text(notes: [Note]) -> String {
    var lines = [
      table(
        ["\(dialect ?? "old") names", "shape", "\(names ?? "new") names", "shape"],
        renamings.map {
          [$0.from.shown, $0.fromShape.description, $0.to.shown, $0.toShape.description]
        },
        numeric: [])
    ]
    lines += droppedRows
    for note in notes where !note.isWarning { lines.append(row("note", note.advised)) }
    return lines.joined(separator: "\n")
  }

  var droppedRows: [String] { dropped.map(\.row) }
}

extension DroppedTensors {
  var row: String {
    // Every file of PyTorch's has one for each BatchNorm: their names tell nothing.
    let isCounters = names.allSatisfy { $0.hasSuffix("num_batches_tracked") }
    return repconv.row(
      "dropped",
      isCounters ? count(names.count, "BatchNorm step counter") : "\(reason): \(sample(names))")
  }
}
