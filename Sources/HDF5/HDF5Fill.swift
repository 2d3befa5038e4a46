internal import Tensors

extension HDF5Dataset {
  /// The bytes of an element that was never written; zeros if the file does not say.
  ///
  ///     fill value message, versions 1 and 2: version, when storage is allocated, when it is filled,
  ///             whether there is a value (1 each), [1, or there is one: its size (4), value]
  ///     version 3: 03, flags (bit 5: there is a value), [its size (4), value]
  ///     of HDF5 before 1.6: size (4), value
  ///
  /// A value of no bytes is 0.
  func fillValue(in file: HDF5File) throws(ReadError) -> [UInt8] {
    let zeros = [UInt8](repeating: 0, count: type.size)
    var value: HDF5Cursor
    if let message = try header.message(.fillValue, in: file) {
      value = message
      let version = try value.integer(1, "the version of a fill value")
      guard (1...3).contains(version) else {
        throw value.malformed(
          expected: "a fill value of version 1 to 3", found: "version \(version)")
      }
      let flags = try value.integer(version == 3 ? 1 : 3, "flags of a fill value")
      guard version < 3 || flags < 0x40 && flags & 0x30 != 0x30 else {
        throw value.malformed(expected: "flags of a fill value", found: "\(flags)")
      }
      let isDefined =
        switch version {
        case 1: true
        case 2: flags >> 16 != 0
        default: flags & 0x20 != 0
        }
      guard isDefined else { return zeros }
    } else if let message = try header.message(.oldFillValue, in: file) {
      value = message
    } else {
      return zeros
    }
    // "Undefined" is a size of -1 in version 1.
    let size = try value.integer(4, "the size of a fill value")
    if size == 0 || size == UInt32.max { return zeros }
    guard size == type.size else {
      throw value.malformed(
        expected: "a fill value of \(type.size) bytes", found: "\(size) bytes")
    }
    return Array(try value.take(size, "a fill value"))
  }

  /// Whether elements were never written, and have the fill value.
  package var isPartlyUnwritten: Bool {
    guard let shape, shape.elementCount > 0 else { return false }
    return switch storage {
    case .contiguous(let address, _): address == nil
    case .chunked(let chunks): chunks.writtenCount < chunks.neededCount
    case .compact, .virtual, .external: false
    }
  }
}

/// An element over and over.
final class RepeatedBytes: ByteSource {
  let location: Location
  let count: Int
  private let element: [UInt8]

  init(_ element: [UInt8], count: Int, location: Location) {
    precondition(!element.isEmpty)
    self.element = element
    self.count = count
    self.location = location
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    var phase = offset % element.count
    for index in buffer.indices {
      // Safe: within the buffer.
      unsafe buffer[index] = element[phase]
      phase = phase + 1 == element.count ? 0 : phase + 1
    }
  }
}
