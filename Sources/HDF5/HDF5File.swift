internal import Synchronization
package import Tensors

/// An HDF5 file (https://docs.hdfgroup.org, "HDF5 File Format Specification", version 3.0).
///
/// Numbers are little-endian. An *address* counts from the superblock's first byte; all ones is
/// "undefined". Addresses and lengths have the widths that the superblock declares, written O and L
/// below (8 in practice).
///
///     superblock, at byte 0, 512, 1024, 2048, ... (what is before it is a user block)
///       89 "HDF" 0D 0A 1A 0A, version
///       0, 1: 0 (4), width O, width L, 0, half the entries in a node of symbols and in one of a
///             B-tree of groups (2 each), flags (4), [1: the same of chunks (2), 0 (2)], base address O,
///             undefined O, end of file O, driver information O,
///             the root's entry: name O, object header O, kind (4; 2 at most), ...
///       2, 3: width O, width L, flags, base address O, extension O, end of file O,
///             root's object header O, checksum
///     object header: messages that make an object a group, a dataset or a named datatype
///
/// What is read is what h5py, Keras, h5repack and other users of the C library write: superblocks 0 to
/// 3, object headers 1 and 2, groups as symbol tables, as link messages and as fractal heaps. Every
/// structure is looked at once, so that cycles end; checksums are verified where the format has them.
///
/// This does not go through the C library, which follows addresses and lengths of a file into memory
/// without looking: of files with a few flipped bits, 1 in 300 crashed version 1.10, most by writing
/// past the end of a buffer where Keras keeps its layer names.
package final class HDF5File: Sendable {
  package let source: any ByteSource
  /// Bytes before the superblock.
  let base: Int
  /// Bytes of an address and of a length.
  let offsetSize: Int
  let lengthSize: Int
  /// Behind the last address. What follows in the file does not belong to it.
  let end: Int
  /// The most entries in the nodes of B-trees of version 1, which take the room of as many; nil if that is
  /// not in the superblock.
  let nodeSizes: HDF5NodeSizes?
  /// Address of the root group's object header.
  let root: Int
  /// Whether the program that wrote the file did not close it.
  package let isOpenForWriting: Bool
  /// Where text of attributes is.
  let globalHeap = Mutex(HDF5GlobalHeap())
  /// What has been read of it.
  let regions = Mutex(HDF5Regions())

  static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Where the superblock is; nil if the file is not HDF5.
  package static func superblock(of source: any ByteSource) throws(ReadError) -> Int? {
    var offset = 0
    while offset <= source.count - signature.count {
      if try source.bytes(offset..<offset + signature.count, field: "a signature") == signature {
        return offset
      }
      offset = offset == 0 ? 512 : 2 * offset
    }
    return nil
  }

  /// - Parameter start: where the superblock is.
  package init(_ source: any ByteSource, superblockAt start: Int) throws(ReadError) {
    self.source = source
    base = start
    var cursor = HDF5Cursor(
      try source.bytes(start..<min(start + 128, source.count), field: "the superblock"),
      at: source.location(at: start), of: "the superblock", offsetSize: 8, lengthSize: 8)
    cursor.skip(Self.signature.count)
    let version = try cursor.integer(1, "the version")
    func sizes() throws(ReadError) -> (Int, Int) {
      let (offsets, lengths) = (try cursor.integer(1, "a width"), try cursor.integer(1, "a width"))
      guard [2, 4, 8].contains(offsets), [2, 4, 8].contains(lengths) else {
        throw cursor.malformed(
          expected: "addresses and lengths of 2, 4 or 8 bytes",
          found: "addresses of \(offsets) and lengths of \(lengths) bytes")
      }
      cursor.offsetSize = offsets
      cursor.lengthSize = lengths
      return (offsets, lengths)
    }
    let recordedBase: Int
    let recordedEnd: Int
    switch version {
    case 0, 1:
      guard try cursor.take(4, "versions").allSatisfy({ $0 == 0 }) else {
        throw cursor.malformed(expected: "the versions of three structures as 0", found: "others")
      }
      (offsetSize, lengthSize) = try sizes()
      try cursor.skip(1, "padding")
      let symbols = try cursor.integer(2, "the size of nodes")
      let groups = try cursor.integer(2, "the size of nodes")
      try Self.check(flags: try cursor.integer(4, "flags"), cursor)
      let chunks = version == 0 ? 32 : try cursor.integer(2, "the size of nodes")
      try cursor.skip(version == 0 ? 0 : 2, "padding")
      guard symbols > 0, groups > 0, chunks > 0 else {
        throw cursor.malformed(expected: "nodes with entries", found: "nodes of 0")
      }
      nodeSizes = HDF5NodeSizes(symbols: 2 * symbols, groups: 2 * groups, chunks: 2 * chunks)
      recordedBase = try cursor.definedAddress("the superblock")
      guard try cursor.address("the free space's address") == nil else {
        throw cursor.malformed(expected: "no address of free space", found: "one")
      }
      recordedEnd = try cursor.definedAddress("the end of the file")
      guard try cursor.address("the driver information's address") == nil else {
        throw .unsupported(
          source.location, what: "the HDF5 file is one part of several (a family or multi file)",
          remedy: "Join them with h5repart, or h5repack, and convert the result.")
      }
      _ = try cursor.address("the root's name")
      root = try cursor.definedAddress("the root group")
      let kind = try cursor.integer(4, "the kind of an entry")
      guard kind <= 2 else {
        throw cursor.malformed(expected: "an entry of kind 0 to 2", found: "kind \(kind)")
      }
      isOpenForWriting = false
    case 2, 3:
      (offsetSize, lengthSize) = try sizes()
      let flags = try cursor.integer(1, "flags")
      try Self.check(flags: flags, cursor)
      isOpenForWriting = flags & 1 != 0
      nodeSizes = nil
      recordedBase = try cursor.definedAddress("the superblock")
      _ = try cursor.address("the superblock extension")
      recordedEnd = try cursor.definedAddress("the end of the file")
      root = try cursor.definedAddress("the root group")
      try cursor.checkChecksum(of: cursor.bytes[..<cursor.next])
    default:
      throw .unsupported(
        source.location(at: start), what: "the HDF5 superblock has version \(version)",
        remedy: "Versions up to 3 are read: rewrite the file with h5repack --high=2.")
    }
    // Behind what was read: the rest of the root's entry, or the checksum.
    let length = cursor.next + (version < 2 ? 20 : 0)
    // A user block that was prepended later is not in the addresses.
    let there = source.count - start
    let announced = recordedEnd.subtractingReportingOverflow(recordedBase)
    end = announced.partialValue
    guard !announced.overflow, end >= length else {
      throw .malformed(
        source.location(at: start), expected: "the end of the file behind the superblock",
        found: "address \(end)", remedy: fetchAgain)
    }
    guard end <= there else {
      throw .truncated(
        source.location, field: "the data that the superblock announces", needed: end,
        available: there)
    }
    regions.withLock { $0.note(structureAt: 0..<length) }
  }

  /// Bits 0 to 2 say how the file was opened.
  private static func check(flags: Int, _ cursor: HDF5Cursor) throws(ReadError) {
    guard flags < 8 else {
      throw cursor.malformed(expected: "flags below 8", found: "\(flags)")
    }
  }

  package var location: Location { source.location }

  /// The place of an object inside the file.
  package func location(of path: Name) -> Location {
    let file = source.location
    let shown = path.isEmpty ? "/" : printable(path)
    return Location(path: file.path, member: file.member.map { "\($0): \(shown)" } ?? shown)
  }

  /// The place of a byte by its address.
  func location(at address: Int) -> Location { source.location(at: base + address) }

  /// `count` bytes from `address` on, all of which are a structure or a part of one.
  ///
  /// - Parameter structure: what they are, for errors.
  func block(
    at address: Int, count: Int, of structure: String
  ) throws(ReadError) -> HDF5Cursor {
    let block = try bytes(at: address, count: count, of: structure)
    try countStructure(of: count)
    note(structureAt: address, count: count)
    return block
  }

  /// Throws if structures were read again and again: links may lead to one object, and trees lie over each
  /// other.
  private func countStructure(of count: Int) throws(ReadError) {
    let read = regions.withLock {
      $0.structureBytes += count
      return $0.structureBytes
    }
    let (product, overflow) = source.count.multipliedReportingOverflow(
      by: source.limits[.structureReads])
    let allowed = overflow ? Int.max : product.addingReportingOverflow(1 << 20).partialValue
    guard read <= allowed else {
      throw source.exceeded(
        .structureReads, at: location,
        what: "bytes of structures, as often as they are reached", allowed: allowed,
        found: "\(read) or more")
    }
  }

  /// Throws if these chunks are too many, with all that were counted before.
  func countChunks(_ count: Int, at place: Location) throws(ReadError) {
    let all = regions.withLock {
      $0.chunkCount = $0.chunkCount.addingReportingOverflow(count).partialValue
      return $0.chunkCount
    }
    guard (0...source.limits[.chunks]).contains(all) else {
      throw source.exceeded(.chunks, at: place, found: "\(all) or more")
    }
  }

  /// `count` bytes from `address` on, which are a structure, without the checksum that follows them.
  ///
  /// - Parameters:
  ///   - signature: what it begins with; nil if it has none. The cursor is behind it and its version.
  ///   - structure: what it is, for errors.
  func checkedBlock(
    _ signature: StaticString?, version: Int? = 0, at address: Int, count: Int, of structure: String
  ) throws(ReadError) -> HDF5Cursor {
    var block = try block(at: address, count: count + 4, of: structure)
    if let signature { try block.expect(signature, version: version) }
    var end = block
    try end.skip(to: count)
    try end.checkChecksum(of: end.bytes[..<count])
    return block.upTo(count)
  }

  /// Notes that these bytes, which are in the file, are a structure.
  func note(structureAt address: Int, count: Int) {
    regions.withLock { $0.note(structureAt: address..<address + count) }
  }

  /// `count` bytes from `address` on, whatever they are.
  ///
  /// - Parameter structure: what they are, for errors.
  func bytes(
    at address: Int, count: Int, of structure: String
  ) throws(ReadError) -> HDF5Cursor {
    try check(address, count: count, of: structure)
    return HDF5Cursor(
      try source.bytes(base + address..<base + address + count, field: structure),
      at: location(at: address), of: structure, offsetSize: offsetSize, lengthSize: lengthSize)
  }

  /// Throws unless `count` bytes from `address` on belong to the file.
  func check(_ address: Int, count: Int, of structure: String) throws(ReadError) {
    guard address >= 0, address < end else {
      throw .malformed(
        location, expected: "\(structure) inside the file",
        found: "its address \(address) beyond the end", remedy: fetchAgain)
    }
    guard count >= 0, count <= end - address else {
      throw .malformed(
        location(at: address), expected: "\(structure) of \(count) bytes",
        found: "the end of the file after \(end - address)", remedy: fetchAgain)
    }
  }

  /// As much as there is of `count` bytes from `address` on: for structures that tell their size. They
  /// are not noted.
  func blockIfAny(
    at address: Int, upTo count: Int, of structure: String
  ) throws(ReadError) -> HDF5Cursor {
    try bytes(
      at: address, count: min(count, max(1, end - max(0, address))), of: structure)
  }
}

/// The most entries in nodes of symbols, of B-trees of groups and of B-trees of chunks.
struct HDF5NodeSizes {
  let symbols: Int
  let groups: Int
  let chunks: Int
}

/// A cursor over the bytes of one structure of an HDF5 file.
struct HDF5Cursor {
  let bytes: [UInt8]
  private(set) var next = 0
  /// The place of the first byte, and what the structure is called in errors.
  let place: Location
  let structure: String
  var offsetSize: Int
  var lengthSize: Int

  init(
    _ bytes: [UInt8], at place: Location, of structure: String, offsetSize: Int, lengthSize: Int
  ) {
    self.bytes = bytes
    self.place = place
    self.structure = structure
    self.offsetSize = offsetSize
    self.lengthSize = lengthSize
  }

  var remaining: Int { bytes.count - next }

  /// The next `count` bytes as a structure of their own.
  mutating func part(_ count: Int, of structure: String) throws(ReadError) -> HDF5Cursor {
    let start = next
    return HDF5Cursor(
      Array(try take(count, structure)), at: place.at((place.offset ?? 0) + start), of: structure,
      offsetSize: offsetSize, lengthSize: lengthSize)
  }

  mutating func take(_ count: Int, _ field: String) throws(ReadError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else {
      throw malformed(
        expected: "\(field) of \(count) bytes", found: "the end of \(structure) after \(remaining)")
    }
    defer { next += count }
    return bytes[next..<next + count]
  }

  mutating func skip(_ count: Int, _ field: String) throws(ReadError) {
    _ = try take(count, field)
  }

  /// Skips bytes that are known to be there.
  mutating func skip(_ count: Int) {
    precondition(count <= remaining)
    next += count
  }

  mutating func skip(to position: Int) throws(ReadError) {
    try skip(position - next, "padding")
  }

  /// An unsigned integer, all of whose bits may be set.
  mutating func bits(_ width: Int, _ field: String) throws(ReadError) -> UInt64 {
    try take(width, field).littleEndian64(at: 0, width: width)
  }

  mutating func integer(_ width: Int, _ field: String) throws(ReadError) -> Int {
    let value = try bits(width, field)
    guard let integer = Int(exactly: value) else {
      throw malformed(expected: "\(field) below 2^63", found: "\(value)")
    }
    return integer
  }

  mutating func length(_ field: String) throws(ReadError) -> Int {
    try integer(lengthSize, field)
  }

  /// An address; nil if it is undefined.
  mutating func address(_ field: String) throws(ReadError) -> Int? {
    let value = try bits(offsetSize, field)
    if value == UInt64.max >> (64 - 8 * offsetSize) { return nil }
    guard let address = Int(exactly: value) else {
      throw malformed(expected: "the address of \(field)", found: "\(value)")
    }
    return address
  }

  mutating func definedAddress(_ field: String) throws(ReadError) -> Int {
    guard let address = try address(field) else {
      throw malformed(expected: "the address of \(field)", found: "an undefined one")
    }
    return address
  }

  /// - Parameter version: nil of a structure that has none.
  mutating func expect(_ signature: StaticString, version: Int? = 0) throws(ReadError) {
    let found = try take(4, "a signature")
    let expected = signature.description
    guard found.elementsEqual(expected.utf8) else {
      throw malformed(
        expected: "\(structure) with the signature '\(expected)'",
        found: "'\(printable(String(decoding: found, as: UTF8.self)))'")
    }
    guard let version else { return }
    let foundVersion = try integer(1, "the version")
    guard foundVersion == version else {
      throw .unsupported(
        place, what: "\(structure) has version \(foundVersion)",
        remedy: "Rewrite the file with h5repack --high=2.")
    }
  }

  /// The same place in the first `count` bytes of the structure, which it is one of.
  func upTo(_ count: Int) -> HDF5Cursor {
    var first = HDF5Cursor(
      Array(bytes[..<count]), at: place, of: structure, offsetSize: offsetSize,
      lengthSize: lengthSize)
    first.skip(next)
    return first
  }

  /// Compares the 4 bytes at the cursor with the checksum of bytes of the structure.
  mutating func checkChecksum(of checked: ArraySlice<UInt8>) throws(ReadError) {
    let computed = lookup3(checked)
    let recorded = try bits(4, "a checksum")
    guard recorded == UInt64(computed) else {
      throw malformed(
        expected: "\(structure) with the checksum \(String(recorded, radix: 16))",
        found: String(computed, radix: 16))
    }
  }

  func malformed(expected: String, found: String) -> ReadError {
    .malformed(place, expected: expected, found: found, remedy: fetchAgain)
  }
}

/// Bob Jenkins' hash `lookup3`, `hashlittle` with 0 as its initial value: the checksum of HDF5's
/// metadata.
package func lookup3(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  func rotated(_ value: UInt32, _ count: UInt32) -> UInt32 {
    value << count | value >> (32 - count)
  }
  var a = 0xDEAD_BEEF &+ UInt32(truncatingIfNeeded: bytes.count)
  var (b, c) = (a, a)
  guard !bytes.isEmpty else { return c }
  func word(_ offset: Int) -> UInt32 {
    var value: UInt32 = 0
    for index in (0..<4).reversed() where offset + index < bytes.count {
      value |= UInt32(bytes[bytes.startIndex + offset + index]) << (8 * UInt32(index))
    }
    return value
  }
  var offset = 0
  while bytes.count - offset > 12 {
    a &+= word(offset)
    b &+= word(offset + 4)
    c &+= word(offset + 8)
    a = (a &- c) ^ rotated(c, 4)
    c &+= b
    b = (b &- a) ^ rotated(a, 6)
    a &+= c
    c = (c &- b) ^ rotated(b, 8)
    b &+= a
    a = (a &- c) ^ rotated(c, 16)
    c &+= b
    b = (b &- a) ^ rotated(a, 19)
    a &+= c
    c = (c &- b) ^ rotated(b, 4)
    b &+= a
    offset += 12
  }
  a &+= word(offset)
  b &+= word(offset + 4)
  c &+= word(offset + 8)
  c = (c ^ b) &- rotated(b, 14)
  a = (a ^ c) &- rotated(c, 11)
  b = (b ^ a) &- rotated(a, 25)
  c = (c ^ b) &- rotated(b, 16)
  a = (a ^ c) &- rotated(c, 4)
  b = (b ^ a) &- rotated(a, 14)
  c = (c ^ b) &- rotated(b, 24)
  return c
}
