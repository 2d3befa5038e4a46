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
  /// Reads the whole stretch of the source that the box touches if most of it is wanted or it is
  /// small, and otherwise cuts the box along its longest stride: any order of axes costs at most a
  /// few times the bytes wanted.
  private func gather(
    _ box: Box, into buffer: UnsafeMutableRawBufferPointer, scratch: inout [UInt8]
  ) throws(ReadError) {
    /// A stretch this long is read whole even if little of it is wanted: a system call costs as much.
    let alwaysRead = 1 << 14
    let size = elementType.byteCount
    let packed = Shape(box.counts).rowMajorStrides
    var box = box

    func fetch(_ target: Int) throws(ReadError) {
      var (first, last) = (0, 0)
      var origin = 0
      for (axis, stride) in strides.enumerated() {
        origin += box.starts[axis] * stride
        let reach = (box.counts[axis] - 1) * stride
        if reach < 0 { first += reach } else { last += reach }
      }
      let span = (last - first + 1) * size
      let wanted = box.elementCount * size
      let longest = strides.indices.filter { box.counts[$0] > 1 }
        .max { strides[$0].magnitude < strides[$1].magnitude }
      if span > alwaysRead, span > 4 * wanted, let longest {
        let (start, count) = (box.starts[longest], box.counts[longest])
        box.counts[longest] = 1
        for index in 0..<count {
          box.starts[longest] = start + index
          try fetch(target + index * packed[longest])
        }
        (box.starts[longest], box.counts[longest]) = (start, count)
        return
      }
      if scratch.count < span { scratch = [UInt8](repeating: 0, count: span) }
      try unsafe scratch.withMutableBytes { (bytes) throws(ReadError) in
        let stretch = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<span])
        try unsafe source.read(into: stretch, at: byteOffset + (origin + first) * size)
        unsafe scatter(
          UnsafeRawBufferPointer(stretch), from: -first, into: buffer, at: target, axis: 0)
      }
    }

    /// Copies one axis after the other; both offsets are in elements.
    func scatter(
      _ stretch: UnsafeRawBufferPointer, from: Int, into buffer: UnsafeMutableRawBufferPointer,
      at target: Int, axis: Int
    ) {
      if axis == strides.count {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: stretch[from * size..<(from + 1) * size])
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[(target * size)...]).copyMemory(from: bytes)
        return
      }
      if axis == strides.count - 1 && strides[axis] == 1 {
        let length = box.counts[axis] * size
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: stretch[from * size..<from * size + length])
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[(target * size)...]).copyMemory(from: bytes)
        return
      }
      for index in 0..<box.counts[axis] {
        unsafe scatter(
          stretch, from: from + index * strides[axis], into: buffer,
          at: target + index * packed[axis], axis: axis + 1)
      }
    }
    try fetch(0)
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
