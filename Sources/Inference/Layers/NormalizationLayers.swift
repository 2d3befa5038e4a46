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
        let bands = Bands(positions: output.columns, widest: 1024)
        unsafe call.pool.forEachTask(below: bands.count) { task, _ in
          let positions = bands[task]
          // Safe: positions that no other task works on.
          func row(_ channel: Int) -> UnsafeMutablePointer<Number> {
            unsafe output.plane(channel) + positions.lowerBound
          }
          let count = Double(output.channels)
          var means = [Double](repeating: 0, count: positions.count)
          for channel in 0..<output.channels {
            let row = unsafe row(channel)
            for index in means.indices { means[index] += unsafe Double(row[index]) }
          }
          for index in means.indices { means[index] /= count }
          var variances = [Double](repeating: 0, count: positions.count)
          for channel in 0..<output.channels {
            let row = unsafe row(channel)
            for index in means.indices {
              let difference = unsafe Double(row[index]) - means[index]
              variances[index] += difference * difference
            }
          }
          let factors = variances.map { 1 / ($0 / count + epsilon).squareRoot() }
          for channel in 0..<output.channels {
            let row = unsafe row(channel)
            let (gamma, beta) = (Double(gamma[channel]), Double(beta[channel]))
            for index in means.indices {
              let normalized = unsafe (Double(row[index]) - means[index]) * factors[index]
              unsafe row[index] = Number(normalized * gamma + beta)
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
        let (area, images) = (call.height * call.width, output.images)
        // Of each channel of each image, its length as a vector.
        let lengths = NumberBuffer<Double>(output.channels * images)
        unsafe output.forEachChannel(call.pool) { channel, numbers in
          for image in 0..<images {
            var squares = 0.0
            for index in image * area..<(image + 1) * area {
              let number = unsafe Double(numbers[index])
              squares += number * number
            }
            unsafe lengths.start[channel * images + image] = squares.squareRoot()
          }
        }
        var means = [Double](repeating: 0, count: images)
        for channel in 0..<output.channels {
          for image in 0..<images { means[image] += unsafe lengths.start[channel * images + image] }
        }
        for image in 0..<images { means[image] /= Double(output.channels) }
        unsafe output.forEachChannel(call.pool) { [means] channel, numbers in
          let gamma = Double(gamma[channel])
          let beta = beta.map { Double($0[channel]) } ?? 0
          for image in 0..<images {
            let length = unsafe lengths.start[channel * images + image]
            let factor = gamma * length / (means[image] + epsilon) + 1
            for index in image * area..<(image + 1) * area {
              unsafe numbers[index] = Number(Double(numbers[index]) * factor + beta)
            }
          }
        }
        return output
      }
    }
  }
}
