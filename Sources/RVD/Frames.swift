internal import Tensors

/// How the elements of a tensor are cut into frames, of which each is coded by itself: as many planes as
/// an element has bytes, plane `k` with byte `k` of every element.
enum Frames {
  /// Bytes of a frame, decoded; the last of a tensor may be shorter. All sizes of elements divide it.
  static let byteCount = 1 << 18

  /// The frames of a tensor.
  static func count(ofBytes bytes: Int) -> Int {
    bytes / byteCount + (bytes.isMultiple(of: byteCount) ? 0 : 1)
  }

  /// Decoded bytes of a frame of a tensor.
  static func range(of frame: Int, ofBytes bytes: Int) -> Range<Int> {
    frame * byteCount..<min((frame + 1) * byteCount, bytes)
  }

  /// Takes elements of `size` bytes apart.
  static func split(
    _ elements: UnsafeRawBufferPointer, elementSize size: Int,
    into planes: UnsafeMutableRawBufferPointer
  ) {
    precondition(elements.count == planes.count && elements.count.isMultiple(of: size))
    switch size {
    case 1: unsafe planes.copyMemory(from: elements)
    case 2: unsafe split(elements, as: UInt16.self, into: planes)
    case 4: unsafe split(elements, as: UInt32.self, into: planes)
    case 8: unsafe split(elements, as: UInt64.self, into: planes)
    default:
      let count = elements.count / size
      for plane in 0..<size {
        for index in 0..<count {
          unsafe planes[plane * count + index] = elements[index * size + plane]
        }
      }
    }
  }

  /// The loop is one that the compiler makes vectors of: 12 GB of float32 a second.
  private static func split<Element: FixedWidthInteger & BitwiseCopyable>(
    _ elements: UnsafeRawBufferPointer, as type: Element.Type,
    into planes: UnsafeMutableRawBufferPointer
  ) {
    guard let from = elements.baseAddress, let to = planes.baseAddress else { return }
    let size = MemoryLayout<Element>.size
    let count = elements.count / size
    for plane in 0..<size {
      let shift = Element(truncatingIfNeeded: 8 * plane)
      // Safe: plane `plane` of `size` has `count` bytes from here on, and so many elements there are.
      let bytes = unsafe to + plane * count
      for index in 0..<count {
        let element = unsafe from.loadUnaligned(fromByteOffset: index &* size, as: type)
        unsafe bytes.storeBytes(
          of: UInt8(truncatingIfNeeded: element &>> shift), toByteOffset: index, as: UInt8.self)
      }
    }
  }

  /// Puts elements together of their planes, one for each byte of an element.
  static func join(
    _ planes: [UnsafeRawBufferPointer], into elements: UnsafeMutableRawBufferPointer
  ) {
    let (size, count) = unsafe (planes.count, planes[0].count)
    precondition(elements.count == size * count)
    precondition(unsafe planes.allSatisfy { $0.count == count })
    guard let to = elements.baseAddress else { return }
    // Safe, in both loops: each plane has `count` bytes, and there is room for as many elements. The
    // compiler makes vectors of them: 13 GB of float32 a second.
    switch size {
    case 1: unsafe elements.copyMemory(from: planes[0])
    case 2:
      let (low, high) = unsafe (planes[0].baseAddress!, planes[1].baseAddress!)
      for index in 0..<count {
        let bits = unsafe (
          UInt16(low.load(fromByteOffset: index, as: UInt8.self)),
          UInt16(high.load(fromByteOffset: index, as: UInt8.self))
        )
        unsafe to.storeBytes(
          of: bits.0 | bits.1 &<< 8, toByteOffset: index &* 2, as: UInt16.self)
      }
    case 4:
      let first = unsafe (planes[0].baseAddress!, planes[1].baseAddress!)
      let last = unsafe (planes[2].baseAddress!, planes[3].baseAddress!)
      for index in 0..<count {
        let low = unsafe (
          UInt32(first.0.load(fromByteOffset: index, as: UInt8.self)),
          UInt32(first.1.load(fromByteOffset: index, as: UInt8.self))
        )
        let high = unsafe (
          UInt32(last.0.load(fromByteOffset: index, as: UInt8.self)),
          UInt32(last.1.load(fromByteOffset: index, as: UInt8.self))
        )
        unsafe to.storeBytes(
          of: low.0 | low.1 &<< 8 | high.0 &<< 16 | high.1 &<< 24, toByteOffset: index &* 4,
          as: UInt32.self)
      }
    default:
      for plane in 0..<size {
        for index in 0..<count {
          unsafe elements[index * size + plane] = planes[plane][index]
        }
      }
    }
  }
}

/// Codes frames.
///
/// `@unchecked Sendable`: used by one thread at a time, which a `Pool` sees to.
final class FrameEncoder: @unchecked Sendable {
  private let coder: any PlaneEncoder
  private var planes: [UInt8] = []
  private var output: [UInt8] = []
  private var outputCount = 0

  init(_ coder: any PlaneEncoder) { self.coder = coder }

  /// Codes frames that follow each other, all but the last of `Frames.byteCount`.
  ///
  /// - Returns: what the planes of each take.
  func encode(_ frames: UnsafeRawBufferPointer, elementSize: Int) -> [[Int]] {
    if planes.isEmpty { planes = [UInt8](repeating: 0, count: Frames.byteCount) }
    // Nothing takes more than it did.
    if output.count < frames.count { output = [UInt8](repeating: 0, count: frames.count) }
    outputCount = 0
    return unsafe output.withMutableBytes { output in
      (0..<Frames.count(ofBytes: frames.count)).map { frame in
        let range = Frames.range(of: frame, ofBytes: frames.count)
        let sizes = unsafe encode(
          frame: .init(rebasing: frames[range]), elementSize: elementSize,
          into: .init(rebasing: output[outputCount...]))
        outputCount += sizes.reduce(0, +)
        return sizes
      }
    }
  }

  /// What the frames coded last became.
  func withOutput<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try unsafe output.withBytes { (all) throws(Failure) in
      try unsafe body(UnsafeRawBufferPointer(rebasing: all[..<outputCount]))
    }
  }

  private func encode(
    frame: UnsafeRawBufferPointer, elementSize: Int, into output: UnsafeMutableRawBufferPointer
  ) -> [Int] {
    let count = frame.count / elementSize
    return unsafe planes.withMutableBytes { all in
      let planes = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<frame.count])
      unsafe Frames.split(frame, elementSize: elementSize, into: planes)
      var sizes: [Int] = []
      var end = 0
      for plane in 0..<elementSize {
        let bytes = unsafe UnsafeRawBufferPointer(
          rebasing: planes[plane * count..<(plane + 1) * count])
        // Coded if that is shorter, by a byte at least.
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: output[end..<end + count - 1])
        if let size = unsafe coder.encode(bytes, into: room) {
          sizes.append(size)
        } else {
          let room = unsafe UnsafeMutableRawBufferPointer(rebasing: output[end..<end + count])
          unsafe room.copyMemory(from: bytes)
          sizes.append(count)
        }
        end += sizes[plane]
      }
      return sizes
    }
  }
}

/// Decodes frames.
///
/// `@unchecked Sendable`: used by one thread at a time, which a `Pool` sees to.
final class FrameDecoder: @unchecked Sendable {
  private let coder: any PlaneDecoder
  private var planes: [UInt8] = []
  private var buffer: [UInt8] = []

  init(_ coder: any PlaneDecoder) { self.coder = coder }

  /// Memory for the stored bytes of a frame.
  func withBuffer<Result>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(ReadError) -> Result
  ) throws(ReadError) -> Result {
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: Frames.byteCount) }
    return try unsafe buffer.withMutableBytes { (all) throws(ReadError) in
      try unsafe body(UnsafeMutableRawBufferPointer(rebasing: all[..<count]))
    }
  }

  /// Fills all of `frame`.
  ///
  /// - Precondition: `sizes` are what the planes take of `stored`, one size for each byte of an element,
  ///   from 1 to as many bytes as the plane has.
  func decode(
    _ stored: UnsafeRawBufferPointer, planes sizes: [Int],
    into frame: UnsafeMutableRawBufferPointer
  ) throws(UndecodablePlane) {
    if planes.isEmpty { planes = [UInt8](repeating: 0, count: Frames.byteCount) }
    let count = frame.count / sizes.count
    try unsafe planes.withMutableBytes { (all) throws(UndecodablePlane) in
      var parts: [UnsafeRawBufferPointer] = unsafe []
      var start = 0
      for (plane, size) in sizes.enumerated() {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: stored[start..<start + size])
        start += size
        if size == count {
          unsafe parts.append(bytes)
        } else {
          let place = plane * count..<(plane + 1) * count
          // A single plane is the frame.
          let decoded = unsafe UnsafeMutableRawBufferPointer(
            rebasing: sizes.count == 1 ? frame[place] : all[place])
          try unsafe coder.decode(bytes, into: decoded)
          if sizes.count == 1 { return }
          unsafe parts.append(UnsafeRawBufferPointer(decoded))
        }
      }
      unsafe Frames.join(parts, into: frame)
    }
  }
}
