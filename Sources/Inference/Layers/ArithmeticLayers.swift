internal import Graphs
internal import Tensors

extension LayerKind {
  static var add: LayerKind { combining(.add) { $0 + $1 } }
  static var multiply: LayerKind { combining(.multiply) { $0 * $1 } }

  /// Combines two maps number by number, or each position of one with the one number of a channel that
  /// the other has.
  ///
  /// - Parameter combine: of any order; becomes part of a loop.
  @inline(__always)
  private static func combining(
    _ kind: NodeKind, _ combine: @escaping @Sendable (Number, Number) -> Number
  ) -> LayerKind {
    LayerKind(kind) { call in
      let area = call.height * call.width
      // The one that is as large as the result becomes it, if it is not needed any more.
      let isLarge = call.inputs.map { $0.height * $0.width == area }
      let first = isLarge[0] && (call.isSpare[0] || !(isLarge[1] && call.isSpare[1])) ? 0 : 1
      let (output, other) = (call.changeable(first), call.inputs[1 - first])
      let isAlike = isLarge[1 - first]
      unsafe output.forEachBand(call.pool) { positions, numbers in
        // Safe: as many channels, of the same position, or of the one that an image has.
        if isAlike {
          let others = unsafe UnsafePointer(other.position(positions.lowerBound))
          for index in 0..<numbers.count {
            unsafe numbers[index] = combine(numbers[index], others[index])
          }
          return
        }
        var row = numbers.baseAddress!
        for position in positions {
          let others = unsafe UnsafePointer(other.position(position / area))
          for channel in 0..<output.channels {
            unsafe row[channel] = combine(row[channel], others[channel])
          }
          unsafe row += output.channels
        }
      }
      return output
    }
  }

  static var scale: LayerKind {
    LayerKind(.scale) { node in
      let (factors, shifts) = (try node.numbers("factor"), try node.numbers(ifPresent: "shift"))
      return Layer { call in
        let output = call.changeable()
        output.scale(by: factors, adding: shifts, call.pool)
        return output
      }
    }
  }
}
