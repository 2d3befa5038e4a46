internal import Tensors

extension FeatureMap {
  /// Hands out the numbers of one channel after the other, to be changed.
  func forEachChannel(
    _ pool: WorkerPool<Number>,
    _ body: @Sendable (_ channel: Int, UnsafeMutableBufferPointer<Number>) -> Void
  ) {
    unsafe pool.forEachTask(below: channels) { channel, _ in
      // Safe: one channel, which no other task works on.
      unsafe body(channel, UnsafeMutableBufferPointer(start: plane(channel), count: columns))
    }
  }

  /// Multiplies each channel by its factor and adds its shift, as BatchNorm does with its running
  /// statistics.
  ///
  /// - Parameters:
  ///   - factors: one for each channel, or one for all.
  ///   - shifts: likewise; nil for none.
  func scale(by factors: [Number], adding shifts: [Number]? = nil, _ pool: WorkerPool<Number>) {
    unsafe forEachChannel(pool) { channel, numbers in
      let factor = factors[factors.count == 1 ? 0 : channel]
      if let shifts {
        let shift = shifts[shifts.count == 1 ? 0 : channel]
        for index in 0..<numbers.count { unsafe numbers[index] = numbers[index] * factor + shift }
      } else {
        for index in 0..<numbers.count { unsafe numbers[index] *= factor }
      }
    }
  }

  /// Makes what is negative zero.
  func rectify(_ pool: WorkerPool<Number>) {
    unsafe forEachChannel(pool) { _, numbers in
      for index in 0..<numbers.count { unsafe numbers[index] = numbers[index].rectified }
    }
  }

  /// Adds the numbers of another map.
  ///
  /// - Precondition: it is of the same shape.
  func add(_ other: FeatureMap, _ pool: WorkerPool<Number>) {
    precondition(channels == other.channels && columns == other.columns)
    unsafe forEachChannel(pool) { channel, numbers in
      let others = unsafe UnsafePointer(other.plane(channel))
      for index in 0..<numbers.count { unsafe numbers[index] += others[index] }
    }
  }

  /// The mean of each image's channels over height and width: `C x N`.
  func means(_ pool: WorkerPool<Number>) -> FeatureMap {
    let result = pool.map(channels: channels, images: images, height: 1, width: 1)
    let area = height * width
    unsafe pool.forEachTask(below: channels) { channel, _ in
      // Safe: one channel of both, which no other task works on.
      let (plane, means) = unsafe (plane(channel), result.plane(channel))
      for image in 0..<images {
        let pixels = unsafe UnsafeBufferPointer(start: plane + image * area, count: area)
        unsafe means[image] = Number(sum(pixels) / Double(area))
      }
    }
    return result
  }

  /// The mean of what a window sees of each channel, zeros around the image counted.
  func means(
    of window: Window, height: Int, width: Int, _ pool: WorkerPool<Number>
  ) -> FeatureMap {
    let share = 1 / Number(window.taps)
    let result = pool.map(channels: channels, images: images, height: height, width: width)
    unsafe window.forEachTap(of: self, result, pool, initial: 0) { sums, tap, inside, stride in
      for column in inside { unsafe sums[column] += tap[column * stride] }
    }
    result.scale(by: [share], pool)
    return result
  }

  /// Every `stride`-th row and column, beginning at `first`; zero outside the image. So the identity at a
  /// stride, a crop (`first` above zero), and a border (below).
  func sampled(
    from first: (y: Int, x: Int), stride: (y: Int, x: Int), height: Int, width: Int,
    _ pool: WorkerPool<Number>
  ) -> FeatureMap {
    let window = Window(
      kernel: (1, 1), stride: stride, padding: (-first.y, -first.x), dilation: (1, 1))
    let result = pool.map(channels: channels, images: images, height: height, width: width)
    unsafe window.forEachTap(of: self, result, pool, initial: 0) { numbers, tap, inside, stride in
      for column in inside { unsafe numbers[column] = tap[column * stride] }
    }
    return result
  }
}

extension FeatureMap {
  /// Channels that are the values of maps of `height` x `width`, as such maps: one image for each position.
  ///
  /// - Precondition: `channels` is a multiple of `height * width`.
  func gathered(_ height: Int, _ width: Int, _ pool: WorkerPool<Number>) -> FeatureMap {
    let area = height * width
    let result = pool.map(channels: channels / area, images: columns, height: height, width: width)
    unsafe pool.forEachTask(below: result.channels) { channel, _ in
      // Safe: one channel of the result, which no other task works on.
      let target = unsafe result.plane(channel)
      for place in 0..<area {
        let source = unsafe UnsafePointer(plane(channel * area + place))
        for column in 0..<columns { unsafe target[column * area + place] = source[column] }
      }
    }
    return result
  }

  /// Puts maps back into the channels that they were gathered from.
  func scatter(into target: FeatureMap, _ pool: WorkerPool<Number>) {
    let area = height * width
    precondition(target.channels == channels * area && target.columns == images)
    unsafe pool.forEachTask(below: channels) { channel, _ in
      // Safe: the channels of one map, which no other task works on.
      let source = unsafe UnsafePointer(plane(channel))
      for place in 0..<area {
        let values = unsafe target.plane(channel * area + place)
        for column in 0..<images { unsafe values[column] = source[column * area + place] }
      }
    }
  }
}

extension Window {
  /// Goes over what the kernel sees of each channel by itself, row by row and tap by tap.
  ///
  /// - Parameters:
  ///   - result: as many channels as `input`; all numbers are `initial` at first.
  ///   - body: given a row of the result, a row of the input moved so that column `c` of the result sees
  ///     element `c * stride`, and the columns whose tap lies inside the image.
  @inline(__always)
  func forEachTap<Number>(
    of input: FeatureMap<Number>, _ result: FeatureMap<Number>, _ pool: WorkerPool<Number>,
    initial: Number,
    _ body:
      @Sendable (
        UnsafeMutablePointer<Number>, UnsafePointer<Number>, _ inside: Range<Int>, _ stride: Int
      ) -> Void
  ) {
    unsafe pool.forEachTask(below: input.channels) { channel, _ in
      // Safe: one channel, which no other task works on; rows and columns inside the image.
      let (source, target) = unsafe (
        UnsafePointer(input.plane(channel)), result.plane(channel)
      )
      for line in 0..<result.images * result.height {
        let (image, row) = line.quotientAndRemainder(dividingBy: result.height)
        let numbers = unsafe target + line * result.width
        unsafe numbers.update(repeating: initial, count: result.width)
        for y in 0..<kernel.height {
          let inputRow = row * stride.y - padding.y + y * dilation.y
          guard inputRow >= 0, inputRow < input.height else { continue }
          for x in 0..<kernel.width {
            let right = x * dilation.x - padding.x
            let inside = columns(of: input.width, right: right, among: result.width)
            let tap = unsafe source + ((image * input.height + inputRow) * input.width + right)
            unsafe body(numbers, tap, inside, stride.x)
          }
        }
      }
    }
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
