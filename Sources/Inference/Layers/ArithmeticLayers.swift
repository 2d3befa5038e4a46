internal import Graphs
internal import Tensors

extension LayerKind {
  static var add: LayerKind {
    LayerKind(.add) { _ in BroadcastLayer<Number>(combine: { $0 + $1 }) }
  }

  static var multiply: LayerKind {
    LayerKind(.multiply) { _ in BroadcastLayer<Number>(combine: { $0 * $1 }) }
  }

  static var scale: LayerKind {
    LayerKind(.scale) { node in
      ScaleLayer<Number>(
        factors: try node.numbers("factor"), shifts: try node.numbers(ifPresent: "shift"))
    }
  }
}

/// Combines two maps number by number, or each position of one with the one number of a channel that the
/// other has.
@safe private struct BroadcastLayer<Number: NetworkNumber>: Layer {
  /// Both of a row of numbers, into the first.
  private let rows: Rows
  /// A number with each of a row.
  private let row: Row

  typealias Rows = @Sendable (UnsafeMutablePointer<Number>, UnsafePointer<Number>, Int) -> Void
  typealias Row = @Sendable (UnsafeMutablePointer<Number>, Number, Int) -> Void

  /// - Parameter combine: of any order.
  @inline(__always)
  init(combine: @escaping @Sendable (Number, Number) -> Number) {
    // Safe: both keep to as many numbers as they are told.
    unsafe rows = { numbers, others, count in
      for index in 0..<count { unsafe numbers[index] = combine(numbers[index], others[index]) }
    }
    unsafe row = { numbers, other, count in
      for index in 0..<count { unsafe numbers[index] = combine(numbers[index], other) }
    }
  }

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let area = call.height * call.width
    // The one that is as large as the result becomes it, if it is not needed any more.
    let isLarge = call.inputs.map { $0.height * $0.width == area }
    let first = isLarge[0] && (call.isSpare[0] || !(isLarge[1] && call.isSpare[1])) ? 0 : 1
    let (output, other) = (call.changeable(first), call.inputs[1 - first])
    unsafe call.pool.forEachTask(below: output.channels) { channel, _ in
      // Safe: one channel, which no other task works on.
      let (numbers, others) = unsafe (output.plane(channel), UnsafePointer(other.plane(channel)))
      if isLarge[1 - first] {
        unsafe rows(numbers, others, output.columns)
      } else {
        for image in 0..<output.images {
          unsafe row(numbers + image * area, others[image], area)
        }
      }
    }
    return output
  }
}

private struct ScaleLayer<Number: NetworkNumber>: Layer {
  var factors: [Number]
  var shifts: [Number]?

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number> {
    let output = call.changeable()
    output.scale(by: factors, adding: shifts, call.pool)
    return output
  }
}
