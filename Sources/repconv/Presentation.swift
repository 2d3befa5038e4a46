import Checkpoints
import Tensors

/// `8,309,384`
func grouped(_ number: Int) -> String {
  var digits = Array(String(number.magnitude))
  var index = digits.count - 3
  while index > 0 {
    digits.insert(",", at: index)
    index -= 3
  }
  return (number < 0 ? "-" : "") + String(digits)
}

/// `33.2 MB`, in powers of ten as disks are sold and `ls -h --si` prints.
func size(_ bytes: Int) -> String {
  var value = Double(bytes)
  for unit in ["bytes", "kB", "MB", "GB"] {
    if value < 1000 || unit == "GB" {
      return unit == "bytes" ? "\(bytes) bytes" : "\((value * 10).rounded() / 10) \(unit)"
    }
    value /= 1000
  }
  return "\(bytes) bytes"
}

/// `1 block`, `22 blocks`; `plural` where it is not the noun with an s.
func count(_ number: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(grouped(number)) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// A label in a column of its own, and what it is about.
func row(_ label: String, _ text: String) -> String {
  "  " + label + String(repeating: " ", count: max(1, 14 - label.count)) + text
}

/// A few names, and how many more there are.
func sample(_ names: [String], _ limit: Int = 3) -> String {
  names.prefix(limit).joined(separator: ", ")
    + (names.count > limit ? ", … (\(grouped(names.count)) in all)" : "")
}

/// Rows of cells as columns: text to the left, numbers to the right.
func table(_ header: [String], _ rows: [[String]], numeric: Set<Int>) -> String {
  let all = [header] + rows
  let widths = header.indices.map { column in all.map { $0[column].count }.max()! }
  return all.map { cells in
    var line = cells.enumerated().map { column, cell in
      let space = String(repeating: " ", count: widths[column] - cell.count)
      return numeric.contains(column) ? space + cell : cell + space
    }.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return "  " + line
  }.joined(separator: "\n")
}

extension InputConvention {
  /// `RGB, 0...1, mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225`
  var summary: String {
    func list(_ values: [Double]) -> String { values.map { "\($0)" }.joined(separator: " ") }
    let white = scale == scale.rounded() ? "\(Int(scale))" : "\(scale)"
    return
      "\(channelOrder.rawValue), values 0…\(white), mean \(list(mean)), deviation \(list(standardDeviation))"
      + (size.map { ", \($0)x\($0) pixels" } ?? "")
  }
}
