internal import Synchronization
internal import Tensors

/// The elements of a tensor that is stored in frames, any range of which can be read.
///
/// A frame that a range covers is decoded where it is wanted; one that it cuts is kept until its end is
/// read, or another is cut.
final class FramedBytes: ByteSource {
  let count: Int
  /// The tensor's name and the file's.
  let location: Location
  private let stored: ByteRegion
  /// What the planes of each frame take.
  private let frames: [[Int]]
  /// Where each frame begins in `stored`; and where the last ends.
  private let starts: [Int]
  private let decoders: Pool<FrameDecoder>
  private let cut = Mutex(Cut())

  /// A frame of which a part was read.
  private struct Cut {
    var frame: Int?
    var bytes: [UInt8] = []
  }

  /// - Parameters:
  ///   - stored: just the bytes of the frames.
  ///   - frames: checked with the manifest.
  init(_ stored: ByteRegion, frames: [[Int]], count: Int, _ coding: PlaneCoding) {
    self.stored = stored
    self.frames = frames
    self.count = count
    location = stored.location
    decoders = coding.decoders
    var starts = [0]
    for frame in frames { starts.append(starts.last! + frame.reduce(0, +)) }
    self.starts = starts
  }

  /// Where frames are in the stored bytes.
  func place(of frames: Range<Int>) -> Range<Int> {
    starts[frames.lowerBound]..<starts[frames.upperBound]
  }

  /// Decodes frames whose stored bytes were read.
  func decode(
    _ frames: Range<Int>, from stored: UnsafeRawBufferPointer,
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(ReadError) {
    let origin = (stored: starts[frames.lowerBound], decoded: frames.lowerBound * Frames.byteCount)
    try decoders.withObject { (decoder) throws(ReadError) in
      for frame in frames {
        let from = starts[frame] - origin.stored..<starts[frame + 1] - origin.stored
        let to = Frames.range(of: frame, ofBytes: count)
        try unsafe decode(
          frame, from: .init(rebasing: stored[from]),
          into: .init(
            rebasing: buffer[to.lowerBound - origin.decoded..<to.upperBound - origin.decoded]),
          with: decoder)
      }
    }
  }

  private func decode(
    _ frame: Int, from stored: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer,
    with decoder: FrameDecoder
  ) throws(ReadError) {
    do {
      try unsafe decoder.decode(stored, planes: frames[frame], into: buffer)
    } catch {
      throw .malformed(
        location, expected: "each plane of frame \(frame) as it is, or as \(error.expected)",
        found: error.found, remedy: fetchAgain)
    }
  }

  /// Reads and decodes one frame.
  private func read(
    frame: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ReadError) {
    let place = place(of: frame..<frame + 1)
    try decoders.withObject { (decoder) throws(ReadError) in
      try unsafe decoder.withBuffer(place.count) { (bytes) throws(ReadError) in
        try unsafe stored.read(into: bytes, at: place.lowerBound)
        try unsafe decode(frame, from: UnsafeRawBufferPointer(bytes), into: buffer, with: decoder)
      }
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    var next = offset
    while next < offset + buffer.count {
      let frame = next / Frames.byteCount
      let whole = Frames.range(of: frame, ofBytes: count)
      let wanted = next..<min(whole.upperBound, offset + buffer.count)
      let part = unsafe UnsafeMutableRawBufferPointer(
        rebasing: buffer[wanted.lowerBound - offset..<wanted.upperBound - offset])
      if wanted == whole {
        try unsafe read(frame: frame, into: part)
      } else {
        try cut.withLock { (cut) throws(ReadError) in
          if cut.frame != frame {
            cut.frame = nil
            if cut.bytes.count != whole.count {
              cut.bytes = [UInt8](repeating: 0, count: whole.count)
            }
            try unsafe cut.bytes.withMutableBytes { (bytes) throws(ReadError) in
              try unsafe read(frame: frame, into: bytes)
            }
            cut.frame = frame
          }
          // So that of a tensor that was read from front to back no memory is kept.
          defer { if wanted.upperBound == whole.upperBound { cut = Cut() } }
          unsafe cut.bytes.withBytes { bytes in
            unsafe part.copyMemory(
              from: .init(
                rebasing: bytes[
                  wanted.lowerBound - whole.lowerBound..<wanted.upperBound - whole.lowerBound]))
          }
        }
      }
      next = wanted.upperBound
    }
  }

  /// Compares the stored bytes with their checksum.
  func verify() throws(ReadError) { try stored.verify() }
}
