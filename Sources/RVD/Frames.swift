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
    guard let from = elements.baseAddress, let to = planes.baseAddress else { return }
    let count = elements.count / size
    // Safe, all accesses: element `index` of `count` has `size` bytes from `index * size` on, and plane
    // `k` of `size` has `count` from `k * count` on. Loops over vectors stop before the last would reach
    // beyond.
    var index = 0
    switch size {
    case 1: unsafe planes.copyMemory(from: elements)
    case 2:
      while index + 16 <= count {
        let both = unsafe from.loadUnaligned(fromByteOffset: 2 * index, as: SIMD32<UInt8>.self)
        unsafe to.storeBytes(of: both.evenHalf, toByteOffset: index, as: SIMD16<UInt8>.self)
        unsafe to.storeBytes(of: both.oddHalf, toByteOffset: count + index, as: SIMD16<UInt8>.self)
        index += 16
      }
    case 4:
      while index + 16 <= count {
        let all = unsafe from.loadUnaligned(fromByteOffset: 4 * index, as: SIMD64<UInt8>.self)
        let (even, odd) = (all.evenHalf, all.oddHalf)
        unsafe to.storeBytes(of: even.evenHalf, toByteOffset: index, as: SIMD16<UInt8>.self)
        unsafe to.storeBytes(of: odd.evenHalf, toByteOffset: count + index, as: SIMD16<UInt8>.self)
        unsafe to.storeBytes(
          of: even.oddHalf, toByteOffset: 2 * count + index, as: SIMD16<UInt8>.self)
        unsafe to.storeBytes(
          of: odd.oddHalf, toByteOffset: 3 * count + index, as: SIMD16<UInt8>.self)
        index += 16
      }
    default: break
    }
    guard size > 1 else { return }
    for plane in 0..<size {
      for index in index..<count {
        unsafe planes[plane * count + index] = elements[index * size + plane]
      }
    }
  }

  /// Puts elements together of their planes, one for each byte of an element.
  static func join(
    _ planes: [UnsafeRawBufferPointer], into elements: UnsafeMutableRawBufferPointer
  ) {
    let (size, count) = unsafe (planes.count, planes[0].count)
    precondition(elements.count == size * count)
    precondition(unsafe planes.allSatisfy { unsafe $0.count == count })
    guard let to = elements.baseAddress else { return }
    // Safe, all accesses: as in `split`.
    func part(_ plane: Int, _ index: Int) -> SIMD16<UInt8> {
      unsafe planes[plane].loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
    }
    var index = 0
    switch size {
    case 1: unsafe elements.copyMemory(from: planes[0])
    case 2:
      while index + 16 <= count {
        var both = SIMD32<UInt8>()
        both.evenHalf = part(0, index)
        both.oddHalf = part(1, index)
        unsafe to.storeBytes(of: both, toByteOffset: 2 * index, as: SIMD32<UInt8>.self)
        index += 16
      }
    case 4:
      while index + 16 <= count {
        var (even, odd) = (SIMD32<UInt8>(), SIMD32<UInt8>())
        even.evenHalf = part(0, index)
        odd.evenHalf = part(1, index)
        even.oddHalf = part(2, index)
        odd.oddHalf = part(3, index)
        var all = SIMD64<UInt8>()
        all.evenHalf = even
        all.oddHalf = odd
        unsafe to.storeBytes(of: all, toByteOffset: 4 * index, as: SIMD64<UInt8>.self)
        index += 16
      }
    default: break
    }
    guard size > 1 else { return }
    for plane in 0..<size {
      for index in index..<count { unsafe elements[index * size + plane] = planes[plane][index] }
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
