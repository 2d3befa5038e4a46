extension Tensor {
  /// Fills `buffer` with the elements of `range`, counted in row-major order, packed and in
  /// little-endian byte order.
  public func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ReadError) {
    let size = elementType.byteCount
    precondition(range.lowerBound >= 0 && range.upperBound <= shape.elementCount)
    precondition(buffer.count == range.count * size)
    guard !range.isEmpty else { return }
    if isContiguous {
      try unsafe source.read(into: buffer, at: byteOffset + range.lowerBound * size)
    } else {
      var scratch: [UInt8] = []
      try forEachBox(covering: range) { (box, position) throws(ReadError) in
        let part = unsafe UnsafeMutableRawBufferPointer(
          rebasing: buffer[position * size..<(position + box.elementCount) * size])
        try unsafe gather(box, into: part, scratch: &scratch)
      }
    }
    if byteOrder == .big {
      unsafe reverseBytes(of: buffer, each: elementType.swapCount)
    }
  }

  /// All elements, packed and little-endian.
  public func bytes() throws(ReadError) -> [UInt8] {
    try requireMemory(for: byteCount, UInt8.self, at: source.location)
    var result = [UInt8](repeating: 0, count: byteCount)
    try unsafe result.withMutableBytes { (buffer) throws(ReadError) in
      try unsafe read(0..<shape.elementCount, into: buffer)
    }
    return result
  }
}

/// A part of a tensor: per axis the first index and how many follow.
private struct Box {
  var starts: [Int]
  var counts: [Int]
  var elementCount: Int { counts.reduce(1, *) }
}

extension Tensor {
  /// Cuts a run of elements into boxes, in order: whole slices of an axis, with ragged ends cut along
  /// the axes inside it.
  private func forEachBox(
    covering range: Range<Int>, _ body: (Box, _ position: Int) throws(ReadError) -> Void
  ) throws(ReadError) {
    let sizes = axes.dimensions
    var position = 0

    func cut(_ axis: Int, _ prefix: [Int], _ range: Range<Int>) throws(ReadError) {
      let inner = sizes[(axis + 1)...].reduce(1, *)
      var next = range.lowerBound
      func emit(_ start: Int, _ count: Int) throws(ReadError) {
        let tail = sizes[(axis + 1)...]
        let box = Box(
          starts: prefix + [start] + tail.map { _ in 0 },
          counts: prefix.map { _ in 1 } + [count] + tail)
        try body(box, position)
        position += box.elementCount
      }
      func ragged(upTo end: Int) throws(ReadError) {
        let index = next / inner
        try cut(axis + 1, prefix + [index], next - index * inner..<end - index * inner)
        next = end
      }
      if next % inner != 0 {
        try ragged(upTo: min(range.upperBound, (next / inner + 1) * inner))
      }
      let whole = (range.upperBound - next) / inner
      if whole > 0 {
        try emit(next / inner, whole)
        next += whole * inner
      }
      if next < range.upperBound {
        try ragged(upTo: range.upperBound)
      }
    }
    try cut(0, [], range)
  }

  /// Reads the elements of `box` into `buffer`, packed in row-major order of the box.
  ///
  /// What lies between wanted bytes is read with them where that is little: stretches of the source then
  /// take few system calls in any order of axes.
  private func gather(
    _ box: Box, into buffer: UnsafeMutableRawBufferPointer, scratch: inout [UInt8]
  ) throws(ReadError) {
    /// Reading so many bytes costs what a system call costs.
    let gapLimit = 1 << 12
    /// A stretch that stays in a processor's own cache.
    let stretchLimit = 1 << 19
    let size = elementType.byteCount
    var (outer, origin) = loops(over: box)

    // Loops inside one stretch of the source, which reaches from `first` to `last`.
    var inner: [Loop] = []
    var (first, last) = (0, 0)
    while let loop = outer.last {
      let (length, step) = (last - first + 1, abs(loop.stride))
      guard (step - length) * size <= gapLimit else { break }
      let fitting = step == 0 ? loop.count : 1 + max(0, stretchLimit / size - length) / step
      let count = largestDivisor(of: loop.count, upTo: fitting)
      guard count > 1 else { break }
      outer.removeLast()
      inner.insert(Loop(count: count, stride: loop.stride, packed: loop.packed), at: 0)
      let reach = (count - 1) * loop.stride
      if reach < 0 { first += reach } else { last += reach }
      guard count == loop.count else {
        outer.append(
          Loop(
            count: loop.count / count, stride: loop.stride * count, packed: loop.packed * count))
        break
      }
    }
    let span = (last - first + 1) * size
    if scratch.count < span { scratch = [UInt8](repeating: 0, count: span) }
    try unsafe scratch.withMutableBytes { (bytes) throws(ReadError) in
      let stretch = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<span])
      try forEachStart(of: outer[...]) { (from, to) throws(ReadError) in
        try unsafe source.read(into: stretch, at: byteOffset + (origin + from + first) * size)
        unsafe scatter(
          UnsafeRawBufferPointer(stretch), from: -first, into: buffer, at: to, inner[...])
      }
    }
  }

  /// One axis of a box with more than one index; distances are in elements.
  private struct Loop {
    var count: Int
    /// From one index to the next in the source.
    var stride: Int
    /// From one index to the next in the packed result.
    var packed: Int
  }

  /// The loops over a box, that with the longest steps in the source first, and where in the source it
  /// begins.
  private func loops(over box: Box) -> (loops: [Loop], origin: Int) {
    let packed = Shape(box.counts).rowMajorStrides
    var loops: [Loop] = []
    var origin = 0
    for axis in strides.indices {
      origin += box.starts[axis] * strides[axis]
      if box.counts[axis] > 1 {
        loops.append(
          Loop(count: box.counts[axis], stride: strides[axis], packed: packed[axis]))
      }
    }
    loops.sort { $0.stride.magnitude > $1.stride.magnitude }
    return (loops, origin)
  }

  /// Calls `body` with each start of what the loops go over: in the source, and in the packed result.
  private func forEachStart(
    of loops: ArraySlice<Loop>, _ body: (_ from: Int, _ to: Int) throws(ReadError) -> Void
  ) throws(ReadError) {
    var indices = [Int](repeating: 0, count: loops.count)
    var (from, to) = (0, 0)
    while true {
      try body(from, to)
      var depth = loops.count - 1
      while depth >= 0 {
        let loop = loops[loops.startIndex + depth]
        indices[depth] += 1
        if indices[depth] < loop.count {
          from += loop.stride
          to += loop.packed
          break
        }
        from -= (loop.count - 1) * loop.stride
        to -= (loop.count - 1) * loop.packed
        indices[depth] = 0
        depth -= 1
      }
      if depth < 0 { return }
    }
  }

  /// Copies what the loops go over; both offsets are in elements.
  private func scatter(
    _ stretch: UnsafeRawBufferPointer, from: Int, into buffer: UnsafeMutableRawBufferPointer,
    at target: Int, _ loops: ArraySlice<Loop>
  ) {
    guard let loop = loops.first else {
      return unsafe scatter(
        stretch, from: from, into: buffer, at: target, Loop(count: 1, stride: 1, packed: 1))
    }
    if loops.count == 1 {
      return unsafe scatter(stretch, from: from, into: buffer, at: target, loop)
    }
    guard let last = loops.dropFirst().first, loops.count == 2, last.packed != 1 else {
      for index in 0..<loop.count {
        unsafe scatter(
          stretch, from: from + index * loop.stride, into: buffer, at: target + index * loop.packed,
          loops.dropFirst())
      }
      return
    }
    // In strips: lines of the processor's cache that a strip writes to are still there when the next
    // index along the other axis writes beside.
    let width = 16
    for start in stride(from: 0, to: last.count, by: width) {
      var strip = last
      strip.count = min(width, last.count - start)
      for index in 0..<loop.count {
        unsafe scatter(
          stretch, from: from + index * loop.stride + start * last.stride, into: buffer,
          at: target + index * loop.packed + start * last.packed, strip)
      }
    }
  }

  private func scatter(
    _ stretch: UnsafeRawBufferPointer, from: Int, into buffer: UnsafeMutableRawBufferPointer,
    at target: Int, _ loop: Loop
  ) {
    let size = elementType.byteCount
    /// Copies elements as numbers of the same size, several times as fast as groups of bytes.
    func copy<Bits: BitwiseCopyable>(_ type: Bits.Type) {
      var (source, destination) = (from * size, target * size)
      for _ in 0..<loop.count {
        unsafe buffer.storeBytes(
          of: stretch.loadUnaligned(fromByteOffset: source, as: type), toByteOffset: destination,
          as: type)
        source &+= loop.stride &* size
        destination &+= loop.packed &* size
      }
    }
    switch size {
    case _ where loop.stride == 1 && loop.packed == 1:
      let bytes = unsafe UnsafeRawBufferPointer(
        rebasing: stretch[from * size..<(from + loop.count) * size])
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[(target * size)...])
        .copyMemory(from: bytes)
    case 1: copy(UInt8.self)
    case 2: copy(UInt16.self)
    case 4: copy(UInt32.self)
    case 8: copy(UInt64.self)
    default: copy(UInt128.self)
    }
  }
}

/// Reverses each group of `width` bytes.
private func reverseBytes(of buffer: UnsafeMutableRawBufferPointer, each width: Int) {
  guard width > 1 else { return }
  for start in stride(from: 0, to: buffer.count, by: width) {
    for index in 0..<width / 2 {
      unsafe buffer.swapAt(start + index, start + width - 1 - index)
    }
  }
}

/// A loop of as many steps can be cut into loops of this many.
private func largestDivisor(of count: Int, upTo limit: Int) -> Int {
  stride(from: min(limit, count), through: 1, by: -1).first { count % $0 == 0 } ?? 1
}
