internal import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

extension FeatureMap {
  /// Sets what is negative to zero.
  func rectify(_ team: Team<Number>) {
    unsafe team.forEachTask(below: channels) { channel, _ in
      // Safe: one channel, which no other task works on.
      let plane = unsafe plane(channel)
      for index in 0..<columns { unsafe plane[index] = plane[index].rectified }
    }
  }

  /// The mean of each image's channels over height and width: `C x N`.
  func means(_ team: Team<Number>) -> FeatureMap {
    let result = team.map(channels: channels, images: images, height: 1, width: 1)
    let area = height * width
    unsafe team.forEachTask(below: channels) { channel, _ in
      // Safe: one channel of both, which no other task works on.
      let (plane, means) = unsafe (plane(channel), result.plane(channel))
      for image in 0..<images {
        let pixels = unsafe UnsafeBufferPointer(start: plane + image * area, count: area)
        unsafe means[image] = Number(sum(pixels) / Double(area))
      }
    }
    return result
  }
}

/// The sum in float64: of many thousand numbers float32 would keep few digits.
private func sum<Number: NetworkNumber>(_ numbers: UnsafeBufferPointer<Number>) -> Double {
  var sums = SIMD8<Double>(repeating: 0)
  let whole = numbers.count / 8 * 8
  for index in stride(from: 0, to: whole, by: 8) {
    for lane in 0..<8 { unsafe sums[lane] += Double(numbers[index + lane]) }
  }
  var total = sums.sum()
  for index in whole..<numbers.count { unsafe total += Double(numbers[index]) }
  return total
}

/// A linear layer over columns of numbers: `weights` is `[outputs, inputs]`.
struct LinearLayer<Number: NetworkNumber>: Sendable {
  var inputs, outputs: Int
  var weights, bias: [Number]

  /// - Precondition: `input` is of height and width 1.
  func apply(to input: FeatureMap<Number>, team: Team<Number>) -> FeatureMap<Number> {
    precondition(input.height == 1 && input.width == 1 && input.channels == inputs)
    let output = team.map(channels: outputs, images: input.images, height: 1, width: 1)
    // Enough rows for a product to be efficient.
    let rowsPerTask = 256
    unsafe team.forEachTask(below: (outputs + rowsPerTask - 1) / rowsPerTask) { task, _ in
      let rows = task * rowsPerTask..<min((task + 1) * rowsPerTask, outputs)
      // Safe: the rows of the result that no other task works on.
      unsafe weights.withUnsafeBufferPointer { weights in
        unsafe Number.multiply(
          rows: rows.count, columns: input.images, depth: inputs,
          weights.baseAddress! + rows.lowerBound * inputs, inputs, input.plane(0), input.images,
          into: output.plane(rows.lowerBound), input.images)
      }
      for row in rows {
        let numbers = unsafe output.plane(row)
        for image in 0..<input.images { unsafe numbers[image] += bias[row] }
      }
    }
    return output
  }
}

/// Squeeze-and-Excitation: two linear layers over the channels' means, and what they give as factors.
struct SqueezeExcitationLayer<Number: NetworkNumber>: Sendable {
  var squeeze, excite: LinearLayer<Number>

  /// Multiplies the channels of `map`, in place.
  func apply(to map: FeatureMap<Number>, team: Team<Number>) {
    let means = map.means(team)
    let squeezed = squeeze.apply(to: means, team: team)
    squeezed.rectify(team)
    let excited = excite.apply(to: squeezed, team: team)
    let area = map.height * map.width
    unsafe team.forEachTask(below: map.channels) { channel, _ in
      // Safe: one channel, which no other task works on.
      let (plane, factors) = unsafe (map.plane(channel), excited.plane(channel))
      for image in 0..<map.images {
        let factor = unsafe Number(1 / (1 + exp(-Double(factors[image]))))
        let pixels = unsafe plane + image * area
        for index in 0..<area { unsafe pixels[index] *= factor }
      }
    }
    for small in [means, squeezed, excited] { team.reuse(small) }
  }
}
