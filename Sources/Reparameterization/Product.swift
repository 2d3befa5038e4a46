internal import Tensors

/// One convolution after another as a single one, not yet computed; see `Kernel.then`.
final class Product: Sendable {
  let first, second: Kernel
  let height, width: Int

  init(first: Kernel, second: Kernel) {
    precondition(second.shape[1] > 0 && first.shape[0].isMultiple(of: second.shape[1]))
    precondition(second.shape[0].isMultiple(of: first.shape[0] / second.shape[1]))
    self.first = first
    self.second = second
    height = first.shape[2] + second.shape[2] - 1
    width = first.shape[3] + second.shape[3] - 1
  }

  /// Channels of the first that a row of the second takes.
  private func channels(of row: Int) -> Range<Int> {
    let count = second.shape[1]
    let rowsOfGroup = second.shape[0] / (first.shape[0] / count)
    let start = row / rowsOfGroup * count
    return start..<start + count
  }

  /// Weights of the first that are computed at a time.
  private static let pieceLength = 1 << 15

  /// The weights of some rows: `[rows, I/groups, height, width]`.
  ///
  /// The first's rows are gone through in pieces, so that memory does not grow with it; products are
  /// added in the order of its channels whatever the pieces, so every machine gets the same bits.
  func weights(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    if let diagonal = first.diagonal { return try weights(ofRows: rows, after: diagonal) }
    let (inputs, area) = (first.shape[1], height * width)
    let (firstTaps, secondTaps) = (
      first.shape[2] * first.shape[3], second.shape[2] * second.shape[3]
    )
    let taken = second.shape[1]
    let factors = try second.weights(ofRows: rows)
    // Taps before inputs, so that what is added lies side by side.
    var sums = [Double](repeating: 0, count: rows.count * area * inputs)
    let needed =
      channels(of: rows.lowerBound).lowerBound..<channels(of: rows.upperBound - 1).upperBound
    let step = max(1, Self.pieceLength / max(1, inputs * firstTaps))
    for start in stride(from: needed.lowerBound, to: needed.upperBound, by: step) {
      let piece = start..<min(start + step, needed.upperBound)
      let weights = transposed(
        try first.weights(ofRows: piece), count: piece.count, rows: inputs, columns: firstTaps)
      for (index, row) in rows.enumerated() {
        let channels = channels(of: row)
        for channel in channels.clamped(to: piece) {
          for secondTap in 0..<secondTaps {
            let factor = factors[
              (index * taken + channel - channels.lowerBound) * secondTaps + secondTap]
            if factor == 0 { continue }
            let (y, x) = secondTap.quotientAndRemainder(dividingBy: second.shape[3])
            for firstTap in 0..<firstTaps {
              let (v, u) = firstTap.quotientAndRemainder(dividingBy: first.shape[3])
              add(
                weights, from: ((channel - piece.lowerBound) * firstTaps + firstTap) * inputs,
                times: factor, to: &sums, at: (index * area + (y + v) * width + x + u) * inputs,
                count: inputs)
            }
          }
        }
      }
    }
    return transposed(sums, count: rows.count, rows: area, columns: inputs)
  }

  /// The weights of some rows where the first takes one input to each channel, times a number.
  private func weights(
    ofRows rows: Range<Int>, after diagonal: [Double]
  ) throws(ReadError) -> [Double] {
    let (inputs, area, taken) = (first.shape[1], height * width, second.shape[1])
    let weights = try second.weights(ofRows: rows)
    var sums = [Double](repeating: 0, count: rows.count * inputs * area)
    for (index, row) in rows.enumerated() {
      for (offset, channel) in channels(of: row).enumerated() {
        add(
          weights, from: (index * taken + offset) * area, times: diagonal[channel], to: &sums,
          at: (index * inputs + channel % inputs) * area, count: area)
      }
    }
    return sums
  }

  /// What the first's bias becomes in some rows.
  func bias(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    let biases = try first.bias()
    let (taken, taps) = (second.shape[1], second.shape[2] * second.shape[3])
    var result: [Double] = []
    result.reserveCapacity(rows.count)
    // As many rows of the second at a time as fit a piece.
    let step = max(1, Self.pieceLength / max(1, taken * taps))
    for start in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
      let piece = start..<min(start + step, rows.upperBound)
      let weights = try second.weights(ofRows: piece)
      for (index, row) in piece.enumerated() {
        var sum = 0.0
        for (offset, channel) in channels(of: row).enumerated() {
          for tap in 0..<taps {
            sum += weights[(index * taken + offset) * taps + tap] * biases[channel]
          }
        }
        result.append(sum)
      }
    }
    return result
  }
}

/// Adds `count` numbers, each times `factor`, to sums.
private func add(
  _ numbers: [Double], from: Int, times factor: Double, to sums: inout [Double], at: Int, count: Int
) {
  let numbers = numbers.span.extracting(from..<from + count)
  var sums = sums.mutableSpan
  for index in 0..<count { sums[at + index] += factor * numbers[index] }
}

/// `count` matrices of `rows` x `columns`, each transposed.
private func transposed(_ numbers: [Double], count: Int, rows: Int, columns: Int) -> [Double] {
  guard rows > 1, columns > 1 else { return numbers }
  var result = [Double](repeating: 0, count: count * rows * columns)
  for index in 0..<count {
    let start = index * rows * columns
    for row in 0..<rows {
      for column in 0..<columns {
        result[start + column * rows + row] = numbers[start + row * columns + column]
      }
    }
  }
  return result
}
