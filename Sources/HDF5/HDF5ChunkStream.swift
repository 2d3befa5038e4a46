internal import Tensors

/// The elements of a chunked dataset in row-major order.
///
/// A window of the dataset is put together at a time: whole rows along one axis, up to the end of a
/// chunk, as many as fit `windowSize`. Read forward, each chunk is decoded once if the rows of a chunk
/// fit, and no more often than there are windows in its rows otherwise.
struct HDF5ChunkStream: ByteStream {
  private let chunks: HDF5Chunks
  private let shape: [Int]
  private let elementSize: Int
  private let file: HDF5File
  private let location: Location
  private let decoder: HDF5FilterDecoder
  /// The elements of a chunk that was never written.
  private let fill: [UInt8]
  /// The outermost axis of whose rows the window holds several, and bytes of a row of each axis.
  private let axis: Int
  private let rowSizes: [Int]
  private var window: [UInt8] = []
  /// Bytes of the window, counted from the dataset's first.
  private var range = 0..<0
  private var position = 0

  static let windowSize = 16 << 20

  /// - Parameter fillValue: the bytes of an element that was never written.
  init(
    _ chunks: HDF5Chunks, shape: Shape, fillValue: [UInt8], in file: HDF5File,
    at location: Location
  ) {
    let elementSize = fillValue.count
    self.chunks = chunks
    self.shape = shape.dimensions
    self.elementSize = elementSize
    self.file = file
    self.location = location
    decoder = HDF5FilterDecoder(chunks.filters, byteCount: chunks.byteCount)
    let isWhole = chunks.writtenCount == chunks.neededCount
    fill =
      isWhole ? [] : Array(repeatElement(fillValue, count: chunks.byteCount / elementSize).joined())
    rowSizes = shape.rowMajorStrides.map { $0 * elementSize }
    axis = rowSizes.firstIndex { $0 <= Self.windowSize }!
  }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ReadError) {
    var done = 0
    while done < buffer.count {
      if position == range.upperBound { try fillWindow() }
      let count = min(buffer.count - done, range.upperBound - position)
      let start = position - range.lowerBound
      unsafe window.withBytes { bytes in
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyMemory(
          from: .init(rebasing: bytes[start..<start + count]))
      }
      done += count
      position += count
    }
  }

  mutating func finish() throws(ReadError) {
    // The chunks have their own checksums; the file that they are in may have one too.
    try file.source.verify()
  }

  /// Puts the window together that begins at `position`.
  private mutating func fillWindow() throws(ReadError) {
    // The indices of the first element, and from each axis how many of them the window holds.
    var firsts: [Int] = []
    var rest = position
    for size in rowSizes {
      firsts.append(rest / size)
      rest %= size
    }
    var counts = shape
    for outer in 0..<axis { counts[outer] = 1 }
    let endOfChunk = (firsts[axis] / chunks.sizes[axis] + 1) * chunks.sizes[axis]
    counts[axis] = min(
      min(shape[axis], endOfChunk) - firsts[axis], max(1, Self.windowSize / rowSizes[axis]))

    let byteCount = counts[axis] * rowSizes[axis]
    if window.count < byteCount { window = [UInt8](repeating: 0, count: byteCount) }
    let touched = zip(zip(firsts, counts), chunks.sizes).map { box, size in
      box.0 / size...(box.0 + box.1 - 1) / size
    }
    var place = touched.map(\.lowerBound)
    repeat {
      try copyChunk(at: place, firsts: firsts, counts: counts)
    } while advance(&place, in: touched)
    range = position..<position + byteCount
  }

  /// Copies what a chunk and the window have in common.
  private mutating func copyChunk(
    at place: [Int], firsts: [Int], counts: [Int]
  ) throws(ReadError) {
    let bytes = try chunk(at: place)
    // The box in common, in indices of the dataset, and the strides of chunk and window in bytes.
    let origin = zip(place, chunks.sizes).map(*)
    let common = shape.indices.map { axis in
      max(
        origin[axis], firsts[axis])..<min(
          origin[axis] + chunks.sizes[axis], firsts[axis] + counts[axis])
    }
    let chunkStrides = Shape(chunks.sizes).rowMajorStrides.map { $0 * elementSize }
    let last = shape.count - 1
    let runLength = common[last].count * elementSize
    var index = common.map(\.lowerBound)
    let outer = common.dropLast().map { $0.lowerBound...$0.upperBound - 1 }
    unsafe window.withMutableBytes { target in
      // Safe: slices of the buffers are checked.
      unsafe bytes.withBytes { source in
        repeat {
          var (from, to) = (0, 0)
          for axis in shape.indices {
            from += (index[axis] - origin[axis]) * chunkStrides[axis]
            to += (index[axis] - firsts[axis]) * rowSizes[axis]
          }
          unsafe UnsafeMutableRawBufferPointer(rebasing: target[to..<to + runLength]).copyMemory(
            from: .init(rebasing: source[from..<from + runLength]))
        } while advance(&index, in: outer)
      }
    }
  }

  /// The elements of one chunk.
  private func chunk(at place: [Int]) throws(ReadError) -> [UInt8] {
    let number = zip(place, chunks.counts).reduce(0) { $0 * $1.1 + $1.0 }
    guard let chunk = chunks.chunk(number) else { return fill }
    // Deflate makes incompressible bytes a little longer.
    guard chunk.size <= chunks.byteCount + chunks.byteCount / 100 + 1024 else {
      throw .malformed(
        location, expected: "a chunk of at most about \(chunks.byteCount) bytes",
        found: "\(chunk.size)", remedy: fetchAgain)
    }
    let stored = try file.bytes(at: chunk.address, count: chunk.size, of: "a chunk")
    return try decoder.decode(
      stored.bytes, mask: chunk.mask, at: location.at(file.base + chunk.address))
  }
}

/// Steps to the next index in row-major order of `box`; its rank may be less than that of the index,
/// whose last axes then stay. False behind the last.
private func advance(_ index: inout [Int], in box: some RandomAccessCollection<ClosedRange<Int>>)
  -> Bool
{
  for (axis, range) in box.enumerated().reversed() {
    if index[axis] < range.upperBound {
      index[axis] += 1
      return true
    }
    index[axis] = range.lowerBound
  }
  return false
}
