public import Tensors

/// Writes tensors as a flat HDF5 file: one dataset for each below the root, `/` in names as `+`, as
/// ACNet, ResRep and DiverseBranchBlock keep state dicts.
///
/// Any HDF5 library since 1.8 reads it (`HDF5File` tells more of the format):
///
///     superblock 2            48 bytes, with the address of the root's header
///     header of the root      a compact group: link info, group info, one link message a tensor, with
///                             its place in the order of `tensors`
///     headers of datasets     dataspace, datatype, fill value, contiguous layout
///     elements                row-major and little-endian, each dataset at a multiple of 64
///
/// Written by hand like the reader, so that elements are computed and written side by side, and so that
/// the same tensors give the same bytes: no times, no addresses that depend on anything else.
public enum HDF5Writer {
  /// - Parameter file: empty so far; it is left for the caller to commit.
  /// - Throws: `WriteError.cannotExpress` for types that HDF5 and h5py have no convention for, for
  ///   names with `+` in them, empty or repeated names; whatever reading the tensors throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all
  ) throws {
    precondition(file.count == 0)
    try tensors.requireUniqueNames(path: file.path)
    for tensor in tensors { try check(tensor, path: file.path) }

    let names = tensors.map {
      $0.name.utf8.map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "+") : $0 }
    }
    // Lengths do not depend on the addresses, so headers are made twice.
    let rootLength = rootHeader(names, addresses: names.map { _ in 0 }).count
    var end = superblockLength + rootLength
    var headers: [Int] = []
    for tensor in tensors {
      headers.append(end)
      end += header(of: tensor, at: 0).count
    }
    var offsets: [Int] = []
    for tensor in tensors {
      end = (end + 63) / 64 * 64
      offsets.append(end)
      end += tensor.byteCount
    }
    try file.reserve(end)
    var bytes = superblock(end: end)
    bytes += rootHeader(names, addresses: headers)
    for (tensor, offset) in zip(tensors, offsets) { bytes += header(of: tensor, at: offset) }
    try file.overwrite(bytes, at: 0)
    try file.write(tensors, at: offsets, threads: threads)
  }

  private static func check(_ tensor: OutputTensor, path: String) throws(WriteError) {
    let shown = "'\(printable(tensor.name))'"
    let isName = !tensor.name.isEmpty && tensor.name != "." && !tensor.name.utf8.contains(0)
    guard isName, !tensor.name.contains("+"), tensor.name.utf8.count <= 0xF000 else {
      throw .cannotExpress(
        path: path, what: "\(shown) cannot be the name of a dataset ('+' stands for '/')",
        remedy: "Rename it, or write another format, as safetensors.")
    }
    guard datatype(of: tensor.elementType) != nil, tensor.shape.rank <= 32 else {
      throw .cannotExpress(
        path: path,
        what:
          "\(shown) is \(tensor.elementType.rawValue) \(tensor.shape), which HDF5 has no type for",
        remedy: "Write it as float32, or use .safetensors.")
    }
  }

  private static let superblockLength = 48
  private static let undefined = [UInt8](repeating: 0xFF, count: 8)

  private static func superblock(end: Int) -> [UInt8] {
    var bytes = HDF5File.signature + [2, 8, 8, 0]  // version, widths of addresses and lengths, flags
    bytes.appendLittleEndian(0, width: 8)  // base address
    bytes += undefined  // no extension
    bytes.appendLittleEndian(end, width: 8)
    bytes.appendLittleEndian(superblockLength, width: 8)  // the root's header
    return withChecksum(bytes)
  }

  private static func rootHeader(_ names: [[UInt8]], addresses: [Int]) -> [UInt8] {
    var info: [UInt8] = [0, 1]  // version; links have their order
    info.appendLittleEndian(names.count, width: 8)
    var messages = message(0x02, info + undefined + undefined)  // no heap, no index
    messages += message(0x0A, [0, 0])  // group info
    for (index, (name, address)) in zip(names, addresses).enumerated() {
      var link: [UInt8] = [1, 0x10 | 4 | 1]  // version; order, charset and a 2-byte length follow
      link.appendLittleEndian(index, width: 8)
      link.append(1)  // UTF-8
      link.appendLittleEndian(name.count, width: 2)
      link += name
      link.appendLittleEndian(address, width: 8)
      messages += message(0x06, link)
    }
    return objectHeader(messages)
  }

  private static func header(of tensor: OutputTensor, at offset: Int) -> [UInt8] {
    var dataspace: [UInt8] = [2, UInt8(tensor.shape.rank), 0, tensor.shape.rank == 0 ? 0 : 1]
    for size in tensor.shape.dimensions { dataspace.appendLittleEndian(size, width: 8) }
    var layout: [UInt8] = [3, 1]  // version, contiguous
    if tensor.byteCount == 0 {
      layout += undefined
    } else {
      layout.appendLittleEndian(offset, width: 8)
    }
    layout.appendLittleEndian(tensor.byteCount, width: 8)
    return objectHeader(
      message(0x01, dataspace)
        + message(0x03, datatype(of: tensor.elementType)!, isConstant: true)
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
