internal import Graphs
internal import Tensors

extension LayerKind {
  static var batchNorm: LayerKind {
    LayerKind(.batchNorm) { node in
      func vector(_ operand: String) throws -> [Double] {
        try node.parameters.numbers(of: node.node.operand(operand)!)
      }
      let (gamma, beta) = (try vector("gamma"), try vector("beta"))
      let (mean, variance) = (try vector("mean"), try vector("variance"))
      let factors = zip(gamma, variance).map { $0 / ($1 + node.node.epsilon!).squareRoot() }
      let shifts = factors.indices.map { beta[$0] - mean[$0] * factors[$0] }
      return Layer { [factors = factors.map { Number($0) }, shifts = shifts.map { Number($0) }] in
        let output = $0.changeable()
        output.scale(by: factors, adding: shifts, $0.pool)
        return output
      }
    }
  }

  /// Sums are taken in float64.
  static var layerNorm: LayerKind {
    LayerKind(.layerNorm) { node in
      let (gamma, beta) = (try node.numbers("gamma"), try node.numbers("beta"))
      let epsilon = node.node.epsilon!
      return Layer { call in
        let output = call.changeable()
        let count = output.channels
        unsafe output.forEachBand(call.pool) { _, numbers in
          for start in stride(from: 0, to: numbers.count, by: count) {
            // Safe: the channels of one position.
            let row = unsafe numbers.baseAddress! + start
            var sum = 0.0
            for channel in 0..<count { sum += unsafe Double(row[channel]) }
            let mean = sum / Double(count)
            var squares = 0.0
            for channel in 0..<count {
              let difference = unsafe Double(row[channel]) - mean
              squares += difference * difference
            }
            let factor = 1 / (squares / Double(count) + epsilon).squareRoot()
            for channel in 0..<count {
              let normalized = unsafe (Double(row[channel]) - mean) * factor
              unsafe row[channel] = Number(
                normalized * Double(gamma[channel]) + Double(beta[channel]))
            }
          }
        }
        return output
      }
    }
  }

  /// Sums are taken in float64.
  static var globalResponseNorm: LayerKind {
    LayerKind(.globalResponseNorm) { node in
      let (gamma, beta) = (try node.numbers("gamma"), try node.numbers(ifPresent: "beta"))
      let epsilon = node.node.epsilon!
      return Layer { call in
        let output = call.changeable()
        let (count, area) = (output.channels, call.height * call.width)
        // One image at a time: all its positions count.
        unsafe call.pool.forEachTask(below: output.images) { image, _ in
          var lengths = [Double](repeating: 0, count: count)
          for index in 0..<area {
            let row = unsafe output.position(image * area + index)
            for channel in 0..<count {
              let number = unsafe Double(row[channel])
              lengths[channel] += number * number
            }
          }
          var sum = 0.0
          for channel in 0..<count {
            lengths[channel] = lengths[channel].squareRoot()
            sum += lengths[channel]
          }
          let mean = sum / Double(count)
          let factors = lengths.indices.map {
            Double(gamma[$0]) * lengths[$0] / (mean + epsilon) + 1
          }
          for index in 0..<area {
            // Safe: positions of an image that no other task works on.
            let row = unsafe output.position(image * area + index)
            for channel in 0..<count {
              let shift = beta.map { Double($0[channel]) } ?? 0
              unsafe row[channel] = Number(Double(row[channel]) * factors[channel] + shift)
            }
          }
        }
        return output
      }
    }
  }
}
