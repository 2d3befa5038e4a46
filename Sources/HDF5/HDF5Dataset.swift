package import Tensors

/// A dataset by its header: what its elements are, how many, and where.
package struct HDF5Dataset {
  enum Storage {
    /// One after the other from this address on; nil if never written.
    case contiguous(address: Int?, byteCount: Int)
    /// In the header.
    case compact([UInt8], location: Location)
    case chunked(HDF5Chunks)
    /// Numbers put together from other datasets or files, so told by name only.
    case virtual, external

    /// Whether it is in one piece that is not empty.
    var hasBytes: Bool {
      switch self {
      case .contiguous(_, let byteCount): byteCount > 0
      case .compact(let bytes, _): !bytes.isEmpty
      case .chunked, .virtual, .external: false
      }
    }
  }

  var type: HDF5Type
  /// Nil if there are no elements and no shape either (a null dataspace).
  package internal(set) var shape: Shape?
  var storage: Storage
  /// The path in the file.
  package internal(set) var path: Name
  /// The address of the object header, where the attributes are.
  package internal(set) var header: HDF5Header

  init(_ header: HDF5Header, in file: HDF5File, path: Name) throws(ReadError) {
    self.path = path
    self.header = header
    guard var space = try header.message(.dataspace, in: file),
      var type = try header.message(.datatype, in: file),
      var layout = try header.message(.layout, in: file)
    else {
      throw .malformed(
        file.location(of: path), expected: "a dataset with its shape, type and layout",
        found: "one of them missing", remedy: fetchAgain)
    }
    self.type = try HDF5Type(&type)
    let extent = try HDF5Extent(&space)
    shape = extent.shape
    if header.has(.externalFiles) {
      storage = .external
      return
    }
    let filters = try header.message(.filters, in: file).map(HDF5Filter.list) ?? []
    storage = try Self.storage(
      &layout, extent: extent, elementSize: self.type.size, filters: filters, in: file)
    // Elements of other types may claim any size.
    if case .element = self.type.kind { _ = try fillValue(in: file) }
  }

  /// A layout message:
  ///
  ///     versions 1 and 2: version, rank, class, 0 (5), [not compact: address O],
  ///                       sizes of a chunk (4 each), [compact: size (4), bytes]
  ///     versions 3 to 5: version, class, then
  ///       compact (0): size (2), bytes   contiguous (1): address O, size L
  ///       chunked (2), version 3: rank, B-tree O, sizes of a chunk (4 each)
  ///       chunked (2), versions 4 and 5: flags, rank, width of sizes, sizes of a chunk,
  ///                               kind of index, its parameters, index O
  ///       virtual (3): ...
  ///
  /// The rank of a chunk counts one more: the size of an element. From version 5 on (HDF5 2.0) indexes tell
  /// the stored size of a chunk in as many bytes as any length.
  private static func storage(
    _ layout: inout HDF5Cursor, extent: HDF5Extent, elementSize: Int, filters: [HDF5Filter],
    in file: HDF5File
  ) throws(ReadError) -> Storage {
    let version = try layout.integer(1, "the version of a layout")
    let elements = extent.shape?.elementCount ?? 0
    switch version {
    case 1, 2:
      let rank = try layout.integer(1, "the rank of a layout")
      let kind = try layout.integer(1, "the class of a layout")
      try layout.skip(5, "padding")
      let address = kind == 0 ? nil : try layout.address("the data")
      var sizes: [Int] = []
      for _ in 0..<rank { sizes.append(try layout.integer(4, "the size of a chunk")) }
      switch kind {
      case 0:
        let count = try layout.integer(4, "the size of the data")
        return try compact(&layout, count)
      case 1:
        let (size, overflow) = elements.multipliedReportingOverflow(by: elementSize)
        guard !overflow else {
          throw layout.malformed(
            expected: "data of fewer than 2^63 bytes", found: "\(elements) elements")
        }
        return .contiguous(address: address, byteCount: size)
      case 2:
        return .chunked(
          try HDF5Chunks(
            sizes: sizes, extent: extent, elementSize: elementSize, filters: filters,
            index: address.map { .tree1($0) } ?? .none, in: file, layout))
      default:
        throw layout.malformed(expected: "a layout of class 0, 1 or 2", found: "class \(kind)")
      }
    case 3, 4, 5:
      switch try layout.integer(1, "the class of a layout") {
      case 0:
        let count = try layout.integer(2, "the size of the data")
        return try compact(&layout, count)
      case 1:
        let address = try layout.address("the data")
        return .contiguous(address: address, byteCount: try layout.length("the size of the data"))
      case 2:
        let flags = version > 3 ? try layout.integer(1, "flags") : 0
        let rank = try layout.integer(1, "the rank of a layout")
        var sizes: [Int] = []
        var index = HDF5ChunkIndex.none
        if version == 3 {
          let address = try layout.address("the index of chunks")
          for _ in 0..<rank { sizes.append(try layout.integer(4, "the size of a chunk")) }
          if let address { index = .tree1(address) }
        } else {
          let width = try layout.integer(1, "the width of sizes")
          guard (1...8).contains(width) else {
            throw layout.malformed(expected: "sizes of 1 to 8 bytes", found: "\(width)")
          }
          for _ in 0..<rank { sizes.append(try layout.integer(width, "the size of a chunk")) }
          index = try HDF5ChunkIndex(&layout, flags: flags)
        }
        return .chunked(
          try HDF5Chunks(
            sizes: sizes, extent: extent, elementSize: elementSize, filters: filters,
            index: index, hasLongSizes: version > 4, in: file, layout))
      case 3: return .virtual
      case let other:
        throw layout.malformed(expected: "a layout of class 0 to 3", found: "class \(other)")
      }
    default:
      throw .unsupported(
        layout.place, what: "the dataset has a layout of version \(version)",
        remedy: "Rewrite the file with h5repack --high=2.")
    }
  }

  private static func compact(
    _ layout: inout HDF5Cursor, _ count: Int
  ) throws(ReadError) -> Storage {
    let place = layout.place.at((layout.place.offset ?? 0) + layout.next)
    return .compact(Array(try layout.take(count, "the data")), location: place)
  }
}

/// A dataspace message: how many elements there are in each direction.
///
///     01, rank, flags, 0 (5), sizes L, [1: largest sizes L]
///     02, rank, flags, kind (0 scalar, 1 simple, 2 null), sizes L, [1: largest sizes L]
struct HDF5Extent {
  /// Nil for a null dataspace.
  var shape: Shape?
  /// The sizes that the dataset may grow to; nil for "without limit".
  var largestSizes: [Int?]

  init(_ cursor: inout HDF5Cursor) throws(ReadError) {
    let version = try cursor.integer(1, "the version of a dataspace")
    let rank = try cursor.integer(1, "a rank")
    let flags = try cursor.integer(1, "flags")
    guard version == 1 || version == 2, rank <= 32 else {
      throw cursor.malformed(
        expected: "a dataspace of version 1 or 2 and rank up to 32",
        found: "version \(version) and rank \(rank)")
    }
    let kind = version == 2 ? try cursor.integer(1, "the kind of a dataspace") : 1
    guard kind <= 2, kind == 1 || rank == 0 else {
      throw cursor.malformed(
        expected: "a dataspace of kind 1, or of kind 0 or 2 and rank 0",
        found: "kind \(kind) and rank \(rank)")
    }
    if version == 1 { try cursor.skip(5, "padding") }
    var sizes: [Int] = []
    for _ in 0..<rank { sizes.append(try cursor.length("a size")) }
    largestSizes = sizes
    if flags & 1 != 0 {
      largestSizes = []
      for _ in 0..<rank {
        let size = try cursor.bits(cursor.lengthSize, "a largest size")
        largestSizes.append(Int(exactly: size))
      }
      guard zip(sizes, largestSizes).allSatisfy({ $0 <= $1 ?? .max }) else {
        throw cursor.malformed(
          expected: "sizes up to the largest that they may have", found: "larger ones")
      }
    }
    guard kind != 2 else { return }
    shape = Shape(checking: sizes)
    guard shape != nil else {
      throw cursor.malformed(
        expected: "fewer than 2^63 elements",
        found: "a shape of \(sizes.map(String.init).joined(separator: "x"))")
    }
  }
}

extension HDF5Cursor {
  /// Whether a datatype of this class follows.
  fileprivate func nextIsType(ofClass number: UInt8) -> Bool {
    next < bytes.count && bytes[next] & 0x0F == number
  }
}

/// A datatype message.
///
///     class (low 4 bits) and version (high 4), bits (3), size (4), then
///       integer (0): offset and precision in bits (2 each)
///         bits: 0 big-endian, 3 signed
///       float (1): offset, precision (2 each), place and width of the exponent and of the mantissa
///         (1 each), bias (4)
///         bits: 0 and 6 byte order, 4-5 leading bit (2: not stored), 8-15 place of the sign
///       compound (6): members, each name, offset, [version 1: 28 bytes], type. bits 0-15: members
///       enumeration (8): the integer type; names; values. bits 0-15: members
struct HDF5Type {
  enum Kind: Equatable {
    case element(ElementType, ByteOrder)
    /// A number of a kind that no tensor has.
    case oddNumber(String)
    case other(String)
  }
  var kind: Kind
  /// Bytes of an element.
  var size: Int
  /// Whether the elements are text, and if so whether each is a reference to the global heap.
  var text: Text?

  enum Text { case fixed, variable }

  init(_ cursor: inout HDF5Cursor) throws(ReadError) {
    let head = try cursor.integer(1, "the class of a datatype")
    let bits = try cursor.integer(3, "the bits of a datatype")
    size = try cursor.integer(4, "the size of a datatype")
    guard size > 0, (1...5).contains(head >> 4) else {
      throw cursor.malformed(
        expected: "a datatype of version 1 to 5 and of at least a byte",
        found: "version \(head >> 4) and \(size) bytes")
    }
    switch head & 0x0F {
    case 0: kind = try Self.integer(&cursor, bits, size)
    case 1: kind = try Self.float(&cursor, bits, size)
    case 2: kind = .other("a time")
    case 3:
      kind = .other("text")
      text = .fixed
    case 4: kind = .other("a bit field")
    case 5: kind = .other("opaque")
    case 6: kind = try Self.compound(&cursor, bits, size, version: head >> 4)
    case 7: kind = .other("a reference")
    case 8: kind = try Self.enumeration(&cursor, bits, size, version: head >> 4)
    case 9:
      kind = .other(bits & 0x0F == 1 ? "text" : "of variable length")
      if bits & 0x0F == 1 { text = .variable }
    case 10: kind = .other("an array of its own")
    case 11: kind = .other("complex")
    case let other:
      throw cursor.malformed(expected: "a datatype of class 0 to 11", found: "class \(other)")
    }
  }

  private static func integer(
    _ cursor: inout HDF5Cursor, _ bits: Int, _ size: Int
  ) throws(ReadError) -> Kind {
    let offset = try cursor.integer(2, "the offset of an integer")
    let precision = try cursor.integer(2, "the precision of an integer")
    let isSigned = bits & 8 != 0
    let types: [Int: (ElementType, ElementType)] = [
      1: (.int8, .uint8), 2: (.int16, .uint16), 4: (.int32, .uint32), 8: (.int64, .uint64),
    ]
    guard offset == 0, precision == 8 * size, let (signed, unsigned) = types[size] else {
      return .oddNumber("integers of \(precision) bits in \(size) bytes")
    }
    return .element(isSigned ? signed : unsigned, bits & 1 == 0 ? .little : .big)
  }

  /// IEEE 754's binary16, binary32 and binary64, and bfloat16.
  private static func float(
    _ cursor: inout HDF5Cursor, _ bits: Int, _ size: Int
  ) throws(ReadError) -> Kind {
    struct Fields: Hashable { var sign, exponentAt, exponent, mantissaAt, mantissa, bias: Int }
    let types: [Fields: (ElementType, Int)] = [
      Fields(sign: 15, exponentAt: 10, exponent: 5, mantissaAt: 0, mantissa: 10, bias: 15):
        (.float16, 2),
      Fields(sign: 15, exponentAt: 7, exponent: 8, mantissaAt: 0, mantissa: 7, bias: 127):
        (.bfloat16, 2),
      Fields(sign: 31, exponentAt: 23, exponent: 8, mantissaAt: 0, mantissa: 23, bias: 127):
        (.float32, 4),
      Fields(sign: 63, exponentAt: 52, exponent: 11, mantissaAt: 0, mantissa: 52, bias: 1023):
        (.float64, 8),
    ]
    let offset = try cursor.integer(2, "the offset of a float")
    let precision = try cursor.integer(2, "the precision of a float")
    let fields = Fields(
      sign: bits >> 8 & 0xFF, exponentAt: try cursor.integer(1, "the place of an exponent"),
      exponent: try cursor.integer(1, "the width of an exponent"),
      mantissaAt: try cursor.integer(1, "the place of a mantissa"),
      mantissa: try cursor.integer(1, "the width of a mantissa"),
      bias: try cursor.integer(4, "the bias of an exponent"))
    guard let (type, typeSize) = types[fields], size == typeSize, offset == 0,
      precision == 8 * size, bits & 0x40 == 0, bits >> 4 & 3 == 2
    else {
      return .oddNumber(
        "floats of \(precision) bits (exponent \(fields.exponent), mantissa \(fields.mantissa)) in "
          + "\(size) byte\(size == 1 ? "" : "s")")
    }
    return .element(type, bits & 1 == 0 ? .little : .big)
  }

  /// h5py stores complex numbers as a compound of the floats `r` and `i`.
  private static func compound(
    _ cursor: inout HDF5Cursor, _ bits: Int, _ size: Int, version: Int
  ) throws(ReadError) -> Kind {
    guard bits & 0xFFFF == 2 else { return .other("a compound") }
    var members: [(name: Name, offset: Int, kind: Kind)] = []
    for _ in 0..<2 {
      let name = try memberName(&cursor, version: version)
      // From version 3 on as wide as the largest offset takes.
      let offset = try cursor.integer(
        version < 3 ? 4 : bytesNeeded(for: size), "the offset of a member")
      // Once members could be arrays.
      try cursor.skip(version == 1 ? 28 : 0, "the axes of a member")
      // Only floats, so that types in one another end here.
      guard cursor.nextIsType(ofClass: 1) else { return .other("a compound") }
      members.append((name, offset, try HDF5Type(&cursor).kind))
    }
    guard members.map(\.name) == ["r", "i"], members[0].kind == members[1].kind,
      case .element(let part, let order) = members[0].kind,
      let type = [.float32: .complex64, .float64: .complex128][part] as ElementType?,
      members.map(\.offset) == [0, part.byteCount], size == type.byteCount
    else { return .other("a compound") }
    return .element(type, order)
  }

  private static func memberName(
    _ cursor: inout HDF5Cursor, version: Int
  ) throws(ReadError) -> Name {
    // Before version 3, names are padded with NULs to a multiple of 8 bytes.
    let length = cursor.bytes[cursor.next...].prefix { $0 != 0 }.count + 1
    let padded = version < 3 ? (length + 7) / 8 * 8 : length
    return try cursor.take(padded, "the name of a member").textUntilNUL
  }

  /// h5py stores Booleans as an enumeration of bytes: FALSE is 0, TRUE is 1.
  private static func enumeration(
    _ cursor: inout HDF5Cursor, _ bits: Int, _ size: Int, version: Int
  ) throws(ReadError) -> Kind {
    guard cursor.nextIsType(ofClass: 0) else { return .other("an enumeration") }
    let base = try HDF5Type(&cursor)
    guard bits & 0xFFFF == 2, size == 1, base.kind == .element(.int8, .little) else {
      return .other("an enumeration")
    }
    var names: [Name] = []
    for _ in 0..<2 { names.append(try memberName(&cursor, version: version)) }
    let values = [try cursor.integer(1, "a value"), try cursor.integer(1, "a value")]
    return names == ["FALSE", "TRUE"] && values == [0, 1]
      ? .element(.bool, .little) : .other("an enumeration")
  }
}
