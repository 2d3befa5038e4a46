internal import Graphs
internal import Tensors

extension LayerKind {
  /// One head of one image at a time; the softmax is taken in float64.
  static var attention: LayerKind {
    LayerKind(.attention) { node in
      let heads = node.node.attribute("heads")[0]
      return Layer { call in
        let (input, output) = (call.inputs[0], call.result())
        let (width, area) = (call.channels / heads, call.height * call.width)
        let scale = Number(1 / Double(width).squareRoot())
        unsafe call.pool.forEachTask(below: heads * call.images) { task, _ in
          let (head, image) = (task % heads, task / heads)
          // The positions of a channel of the queries, keys or values of this head.
          func row(_ part: Int, _ channel: Int) -> UnsafeMutablePointer<Number> {
            unsafe input.plane((part * heads + head) * width + channel) + image * area
          }
          var shares = [Number](repeating: 0, count: area)
          var powers = [Double](repeating: 0, count: area)
          for position in 0..<area {
            for index in 0..<area { shares[index] = 0 }
            for channel in 0..<width {
              let (query, keys) = unsafe (row(0, channel)[position] * scale, row(1, channel))
              for index in 0..<area { shares[index] += unsafe query * keys[index] }
            }
            let largest = Double(shares.max()!)
            var sum = 0.0
            for index in 0..<area {
              powers[index] = exponential(Double(shares[index]) - largest)
              sum += powers[index]
            }
            for index in 0..<area { shares[index] = Number(powers[index] / sum) }
            for channel in 0..<width {
              let values = unsafe row(2, channel)
              var result: Number = 0
              for index in 0..<area { result += unsafe shares[index] * values[index] }
              // Safe: a position of channels that no other task works on.
              unsafe output.plane(head * width + channel)[image * area + position] = result
            }
          }
        }
        return output
      }
    }
  }
}
