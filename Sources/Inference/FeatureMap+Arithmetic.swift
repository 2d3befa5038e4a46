internal import Tensors

extension FeatureMap {
  /// Hands out the numbers of some positions at a time, to be changed: `channels` for each position, one
  /// position after the other.
  @inline(__always)
  func forEachBand(
    _ pool: WorkerPool<Number>,
    _ body:
      @Sendable (_ positions: Range<Int>, UnsafeMutableBufferPointer<Number>) -> Void
  ) {
    guard channels > 0 else { return }
    // What stays in a processor's cache.
    let numbersInCache = 1 << 16
    let width = max(1, numbersInCache / channels)
    unsafe pool.forEachTask(below: (positions + width - 1) / width) { task, _ in
      let band = task * width..<min((task + 1) * width, positions)
      // Safe: positions that no other task works on.
      unsafe body(
        band,
        UnsafeMutableBufferPointer(
          start: position(band.lowerBound), count: band.count * channels))
    }
  }

  /// Multiplies each channel by its factor and adds its shift, as BatchNorm does with its running
  /// statistics.
  ///
  /// - Parameters:
  ///   - factors: one for each channel, or one for all.
  ///   - shifts: likewise; nil for none.
  func scale(by factors: [Number], adding shifts: [Number]? = nil, _ pool: WorkerPool<Number>) {
    func forAllChannels(_ numbers: [Number]) -> NumberBuffer<Number> {
      NumberBuffer(
        numbers.count == 1 ? [Number](repeating: numbers[0], count: channels) : numbers)
    }
    let (factors, shifts) = (forAllChannels(factors), shifts.map(forAllChannels))
    unsafe forEachBand(pool) { _, numbers in
      // Safe: so many channels have all three.
      for start in stride(from: 0, to: numbers.count, by: channels) {
        let row = unsafe numbers.baseAddress! + start
        if let shifts {
          for channel in 0..<channels {
            unsafe row[channel] = row[channel] * factors.start[channel] + shifts.start[channel]
          }
        } else {
          for channel in 0..<channels { unsafe row[channel] *= factors.start[channel] }
        }
      }
    }
  }

  /// Makes what is negative zero.
  func rectify(_ pool: WorkerPool<Number>) {
    unsafe forEachBand(pool) { _, numbers in
      for index in 0..<numbers.count { unsafe numbers[index] = numbers[index].rectified }
    }
  }

  /// Adds the numbers of another map.
  ///
  /// - Precondition: it is of the same shape.
  func add(_ other: FeatureMap, _ pool: WorkerPool<Number>) {
    precondition(channels == other.channels && positions == other.positions)
    unsafe forEachBand(pool) { positions, numbers in
      let others = unsafe UnsafePointer(other.position(positions.lowerBound))
      for index in 0..<numbers.count { unsafe numbers[index] += others[index] }
    }
  }

  /// The mean of each image's channels over height and width: `N x C`.
  func means(_ pool: WorkerPool<Number>) -> FeatureMap {
    let result = pool.map(channels: channels, images: images, height: 1, width: 1)
    let (area, block) = (height * width, 64)
    let blocks = (channels + block - 1) / block
    unsafe pool.forEachTask(below: images * blocks) { task, _ in
      let (image, first) = (task / blocks, task % blocks * block)
      let count = min(block, channels - first)
      // In float64: of many thousand numbers float32 would keep few digits.
      unsafe withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { sums in
        unsafe sums.initialize(repeating: 0)
        // Safe: some channels of one image, which no other task works on.
        for index in 0..<area {
          let numbers = unsafe position(image * area + index) + first
          for channel in 0..<count { unsafe sums[channel] += Double(numbers[channel]) }
        }
        let means = unsafe result.position(image) + first
        for channel in 0..<count { unsafe means[channel] = Number(sums[channel] / Double(area)) }
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
    unsafe window.forEachTap(of: self, result, pool, initial: 0) { sums, tap in
      for channel in 0..<channels { unsafe sums[channel] += tap[channel] }
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
    unsafe window.forEachTap(of: self, result, pool, initial: 0) { numbers, tap in
      unsafe numbers.update(from: tap, count: channels)
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
    let result = pool.map(
      channels: channels / area, images: positions, height: height, width: width)
    unsafe pool.forEachTask(below: positions) { index, _ in
      // Safe: one position, and the map it becomes, which no other task works on.
      let source = unsafe UnsafePointer(position(index))
      for place in 0..<area {
        let target = unsafe result.position(index * area + place)
        for channel in 0..<result.channels {
          unsafe target[channel] = source[channel * area + place]
        }
      }
    }
    return result
  }

  /// Puts maps back into the channels that they were gathered from.
  func scatter(into target: FeatureMap, _ pool: WorkerPool<Number>) {
    let area = height * width
    precondition(target.channels == channels * area && target.positions == images)
    unsafe pool.forEachTask(below: images) { index, _ in
      // Safe: one map, and the position it is put into, which no other task works on.
      let values = unsafe target.position(index)
      for place in 0..<area {
        let source = unsafe UnsafePointer(position(index * area + place))
        for channel in 0..<channels { unsafe values[channel * area + place] = source[channel] }
      }
    }
  }
}

extension Window {
  /// Goes over what the kernel sees of each channel by itself, position by position and tap by tap.
  ///
  /// - Parameters:
  ///   - result: as many channels as `input`; all numbers are `initial` at first.
  ///   - body: given the numbers of a position of the result, and those of a position of the input that its
  ///     window has a tap on; taps outside the image are left out.
  @inline(__always)
  func forEachTap<Number>(
    of input: FeatureMap<Number>, _ result: FeatureMap<Number>, _ pool: WorkerPool<Number>,
    initial: Number,
    _ body: @Sendable (UnsafeMutablePointer<Number>, UnsafePointer<Number>) -> Void
  ) {
    unsafe pool.forEachTask(below: result.images * result.height) { line, _ in
      let (image, row) = line.quotientAndRemainder(dividingBy: result.height)
      let (top, rows) = taps(y: row, of: input.height)
      for column in 0..<result.width {
        let (left, columns) = taps(x: column, of: input.width)
        // Safe: a position of a row that no other task works on; taps inside the image.
        let numbers = unsafe result.position(line * result.width + column)
        unsafe numbers.update(repeating: initial, count: result.channels)
        for y in rows {
          let seen = (image * input.height + top + y * dilation.y) * input.width + left
          for x in columns {
            unsafe body(numbers, UnsafePointer(input.position(seen + x * dilation.x)))
          }
        }
      }
    }
  }
}
