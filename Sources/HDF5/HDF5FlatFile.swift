package import Tensors

/// Where everything is in an HDF5 file that has one dataset for each tensor below its root, and the
/// bytes of all that is not elements.
///
/// Any HDF5 library since 1.8 reads it (`HDF5File` tells more of the format):
///
///     superblock 2            48 bytes, with the address of the root's header
///     header of the root      a compact group: link info, group info, one link message a dataset, with
///                             its place in their order
///     headers of datasets     dataspace, datatype, fill value, contiguous layout
///     elements                row-major and little-endian, each dataset at a multiple of 64
///
/// Made by hand like the reader, so that elements can be written side by side, and so that the same
/// datasets give the same bytes: no times, no addresses that depend on anything else.
package struct HDF5FlatFile {
  package struct Dataset {
    var name: Name
    var elementType: ElementType
    var shape: Shape
    var byteCount: Int { shape.elementCount * elementType.byteCount }

    /// Nil if HDF5 and h5py have no convention for such elements, or HDF5 has no such shape.
    ///
    /// - Precondition: the name is one (`canName`), and the elements take less than 2^63 bytes.
    package init?(name: Name, _ elementType: ElementType, shape: Shape) {
      precondition(HDF5FlatFile.canName(name))
      guard HDF5FlatFile.datatype(of: elementType) != nil, shape.rank <= 32 else { return nil }
      self.name = name
      self.elementType = elementType
      self.shape = shape
    }
  }

  /// What the file begins with: superblock and headers.
  package let head: [UInt8]
  /// Where the elements of each dataset begin.
  package let offsets: [Int]
  /// Of the whole file.
  package let byteCount: Int

  /// Whether a dataset can have this name: a path has no other meaning for it, and it fits a link
  /// message.
  package static func canName(_ name: Name) -> Bool {
    !name.isEmpty && name != "." && name.utf8.count <= 0xF000
      && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  }

  /// - Parameter datasets: in their order; each name once.
  package init(_ datasets: [Dataset]) {
    let names = datasets.map(\.name)
    // Lengths do not depend on the addresses, so headers are made twice.
    var end = Self.superblockLength + Self.rootHeader(names, addresses: names.map { _ in 0 }).count
    var headers: [Int] = []
    for dataset in datasets {
      headers.append(end)
      end += Self.header(of: dataset, at: 0).count
    }
    var offsets: [Int] = []
    for dataset in datasets {
      end = (end + 63) / 64 * 64
      offsets.append(end)
      end += dataset.byteCount
    }
    var bytes = Self.superblock(end: end) + Self.rootHeader(names, addresses: headers)
    for (dataset, offset) in zip(datasets, offsets) {
      bytes += Self.header(of: dataset, at: offset)
    }
    head = bytes
    self.offsets = offsets
    byteCount = end
  }

  private static let superblockLength = 48
  private static let undefined = [UInt8](repeating: 0xFF, count: 8)

  private static func superblock(end: Int) -> [UInt8] {
    // Version, widths of addresses and lengths, flags.
    var bytes = HDF5File.signature + [2, 8, 8, 0]
    bytes.appendLittleEndian(0, width: 8)  // base address
    bytes += undefined  // no extension
    bytes.appendLittleEndian(end, width: 8)
    bytes.appendLittleEndian(superblockLength, width: 8)  // the root's header
    return withChecksum(bytes)
  }

  private static func rootHeader(_ names: [Name], addresses: [Int]) -> [UInt8] {
    var info: [UInt8] = [0, 1]  // version; links have their order
    info.appendLittleEndian(names.count, width: 8)
    var messages = message(0x02, info + undefined + undefined)  // no heap, no index
    messages += message(0x0A, [0, 0])  // group info
    for (index, (name, address)) in zip(names, addresses).enumerated() {
      var link: [UInt8] = [1, 0x10 | 4 | 1]  // version; order, charset and a 2-byte length follow
      link.appendLittleEndian(index, width: 8)
      link.append(1)  // UTF-8
      link.appendLittleEndian(name.utf8.count, width: 2)
      link += name.utf8
      link.appendLittleEndian(address, width: 8)
      messages += message(0x06, link)
    }
    return objectHeader(messages)
  }

  private static func header(of dataset: Dataset, at offset: Int) -> [UInt8] {
    var dataspace: [UInt8] = [2, UInt8(dataset.shape.rank), 0, dataset.shape.rank == 0 ? 0 : 1]
    for size in dataset.shape.dimensions { dataspace.appendLittleEndian(size, width: 8) }
    var layout: [UInt8] = [3, 1]  // version, contiguous
    if dataset.byteCount == 0 {
      layout += undefined
    } else {
      layout.appendLittleEndian(offset, width: 8)
    }
    layout.appendLittleEndian(dataset.byteCount, width: 8)
    return objectHeader(
      message(0x01, dataspace)
        + message(0x03, datatype(of: dataset.elementType)!, isConstant: true)
        + message(0x05, [3, 0x0A])  // fill value: allocated late, written if set; none set
        + message(0x08, layout))
  }

  private static func objectHeader(_ messages: [UInt8]) -> [UInt8] {
    var bytes = Array("OHDR".utf8) + [2, 2]  // version; the size takes 4 bytes
    bytes.appendLittleEndian(messages.count, width: 4)
    return withChecksum(bytes + messages)
  }

  private static func message(_ type: UInt8, _ body: [UInt8], isConstant: Bool = false) -> [UInt8] {
    var bytes = [type]
    bytes.appendLittleEndian(body.count, width: 2)
    return bytes + [isConstant ? 1 : 0] + body
  }

  private static func withChecksum(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    bytes.appendLittleEndian(Int(lookup3(bytes[...])), width: 4)
    return bytes
  }

  /// h5py's Booleans: an enumeration of signed bytes, the names padded to 8 bytes.
  private static var boolean: [UInt8] {
    let head: [UInt8] = [0x18, 2, 0, 0, 1, 0, 0, 0]  // two members, 1 byte
    return head + datatype(of: .int8)! + Array("FALSE\0\0\0TRUE\0\0\0\0".utf8) + [0, 1]
  }

  /// A datatype message of version 1; nil if there is none for the type.
  private static func datatype(of type: ElementType) -> [UInt8]? {
    func integer(isSigned: Bool) -> [UInt8] {
      var bytes: [UInt8] = [0x10, isSigned ? 0x08 : 0, 0, 0]
      bytes.appendLittleEndian(type.byteCount, width: 4)
      bytes.appendLittleEndian(0, width: 2)
      bytes.appendLittleEndian(8 * type.byteCount, width: 2)
      return bytes
    }
    /// As IEEE 754: sign, exponent and fraction from the top, the fraction's first bit implied.
    func float(exponent: Int, fraction: Int) -> [UInt8] {
      let bits = 8 * type.byteCount
      var bytes: [UInt8] = [0x11, 0x20, UInt8(bits - 1), 0]
      bytes.appendLittleEndian(type.byteCount, width: 4)
      bytes.appendLittleEndian(0, width: 2)
      bytes.appendLittleEndian(bits, width: 2)
      bytes += [UInt8(fraction), UInt8(exponent), 0, UInt8(fraction)]
      bytes.appendLittleEndian(1 << (exponent - 1) - 1, width: 4)
      return bytes
    }
    return switch type {
    case .float64: float(exponent: 11, fraction: 52)
    case .float32: float(exponent: 8, fraction: 23)
    case .float16: float(exponent: 5, fraction: 10)
    case .bfloat16: float(exponent: 8, fraction: 7)
    case .int64, .int32, .int16, .int8: integer(isSigned: true)
    case .uint64, .uint32, .uint16, .uint8: integer(isSigned: false)
    case .bool: boolean
    case .float8e4m3fn, .float8e5m2, .complex64, .complex128: nil
    }
  }
}
