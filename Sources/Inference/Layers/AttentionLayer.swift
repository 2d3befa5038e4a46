internal import Graphs
internal import Tensors

extension LayerKind {
  /// One head of one image at a time, of which positions are rows and channels columns; the softmax is taken
  /// in float64.
  static var attention: LayerKind {
    LayerKind(.attention) { node in
      let heads = node.node.attribute("heads")[0]
      return Layer { call in
        let (input, output) = (call.inputs[0], call.result())
        let (width, area) = (call.channels / heads, call.height * call.width)
        let scale = 1 / Double(width).squareRoot()
        unsafe call.pool.forEachTask(below: heads * call.images) { task, _ in
          let (head, image) = (task % heads, task / heads)
          // The channels of this head at a position, of the queries, keys or values.
          func row(_ part: Int, _ position: Int) -> UnsafeMutablePointer<Number> {
            unsafe input.position(image * area + position) + (part * heads + head) * width
          }
          let keys = Factor<Number>(depth: width, columns: area) { unsafe row(1, $1)[$0] }
          let values = Factor<Number>(depth: area, columns: width) { unsafe row(2, $0)[$1] }
          // So many positions at a time: shares of all of them would take the square of their number.
          let bandWidth = 256
          let rowLength = rowStride(area)
          let shares = NumberBuffer<Number>(min(bandWidth, area) * rowLength)
          for first in stride(from: 0, to: area, by: bandWidth) {
            let count = min(bandWidth, area - first)
            unsafe keys.multiply(
              rows: count, row(0, first), input.channels, part: 0..<area, into: shares.start,
              rowLength)
            for index in 0..<count {
              // Safe: one row of the shares.
              unsafe softmax(
                UnsafeMutableBufferPointer(start: shares.start + index * rowLength, count: area),
                scale: scale)
            }
            // Safe: positions of channels that no other task works on.
            unsafe values.multiply(
              rows: count, shares.start, rowLength, part: 0..<width,
              into: output.position(image * area + first) + head * width, output.channels)
          }
        }
        return output
      }
    }
  }

  private static func softmax(_ row: UnsafeMutableBufferPointer<Number>, scale: Double) {
    var largest = -Double.infinity
    for index in 0..<row.count { largest = unsafe max(largest, Double(row[index]) * scale) }
    var sum = 0.0
    for index in 0..<row.count {
      let power = unsafe exponential(Double(row[index]) * scale - largest)
      sum += power
      unsafe row[index] = Number(power)
    }
    for index in 0..<row.count { unsafe row[index] = Number(Double(row[index]) / sum) }
  }
}
