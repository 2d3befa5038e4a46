internal import Graphs
internal import Tensors

// Functions of one number, with the formulas of `formats/rvd.md`. Those that need more than arithmetic are
// computed in float64.
extension LayerKind {
  static var relu: LayerKind { elementwise(.relu) { $0.rectified } }
  static var relu6: LayerKind { elementwise(.relu6) { clampedToSix($0) } }
  static var sigmoid: LayerKind {
    elementwise(.sigmoid) { Number(1 / (1 + exponential(-Double($0)))) }
  }
  static var silu: LayerKind {
    elementwise(.silu) { Number(Double($0) / (1 + exponential(-Double($0)))) }
  }
  static var tanh: LayerKind { elementwise(.tanh) { Number(hyperbolicTangent(Double($0))) } }
  static var gelu: LayerKind {
    elementwise(.gelu) { number in
      let x = Double(number)
      return Number(x * 0.5 * complementaryError(-x * 0.5.squareRoot()))
    }
  }
  static var geluTanh: LayerKind {
    elementwise(.geluTanh) { number in
      let x = Double(number)
      let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
      return Number(x * 0.5 * (1 + hyperbolicTangent(inner)))
    }
  }
  static var hardSigmoid: LayerKind { elementwise(.hardSigmoid) { clampedToSix($0 + 3) / 6 } }
  static var hardSwish: LayerKind { elementwise(.hardSwish) { $0 * clampedToSix($0 + 3) / 6 } }

  /// - Parameter function: becomes part of a loop.
  @inline(__always)
  private static func elementwise(
    _ kind: NodeKind, _ function: @escaping @Sendable (Number) -> Number
  ) -> LayerKind {
    LayerKind(kind) { call in
      let output = call.changeable()
      unsafe output.forEachBand(call.pool) { _, numbers in
        for index in 0..<numbers.count { unsafe numbers[index] = function(numbers[index]) }
      }
      return output
    }
  }

  @inline(__always)
  private static func clampedToSix(_ number: Number) -> Number {
    let number = number.rectified
    return number > 6 ? 6 : number
  }

  static var prelu: LayerKind {
    LayerKind(.prelu) { node in
      let slopes = try node.numbers("slope")
      return Layer { call in
        let output = call.changeable()
        unsafe output.forEachBand(call.pool) { _, numbers in
          for start in stride(from: 0, to: numbers.count, by: output.channels) {
            for channel in 0..<output.channels {
              let number = unsafe numbers[start + channel]
              let slope = slopes[slopes.count == 1 ? 0 : channel]
              unsafe numbers[start + channel] = number < 0 ? number * slope : number
            }
          }
        }
        return output
      }
    }
  }

  /// Over the channels, at each position by itself.
  static var softmax: LayerKind {
    LayerKind(.softmax) { call in
      let output = call.changeable()
      unsafe output.forEachBand(call.pool) { _, numbers in
        for start in stride(from: 0, to: numbers.count, by: output.channels) {
          // Safe: the channels of one position.
          let row = unsafe UnsafeMutableBufferPointer(
            start: numbers.baseAddress! + start, count: output.channels)
          var largest = -Number.infinity
          for index in 0..<row.count { unsafe largest = max(largest, row[index]) }
          var sum = 0.0
          for index in 0..<row.count {
            let power = unsafe exponential(Double(row[index] - largest))
            sum += power
            unsafe row[index] = Number(power)
          }
          for index in 0..<row.count { unsafe row[index] = Number(Double(row[index]) / sum) }
        }
      }
      return output
    }
  }
}
