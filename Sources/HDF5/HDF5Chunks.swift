internal import Tensors

/// Where the chunks of a dataset are listed.
enum HDF5ChunkIndex {
  /// No chunk was ever written.
  case none
  case tree1(Int)
  /// The only chunk; its size and mask if it is filtered.
  case single(Int, size: Int?, mask: Int)
  /// One after the other.
  case implicit(Int)
  case fixedArray(Int)
  case extensibleArray(Int)
  case tree2(Int)

  /// The end of a layout message of version 4: kind (1), parameters, index O.
  ///
  /// Flags: 1 leaves chunks at the end of an axis unfiltered; 2 says that the only chunk is filtered.
  init(_ layout: inout HDF5Cursor, flags: Int) throws(ReadError) {
    guard flags & 1 == 0 else {
      throw .unsupported(
        layout.place, what: "the dataset leaves the chunks at its edges unfiltered",
        remedy: "Rewrite the file with h5repack --high=1, and convert the result.")
    }
    guard flags < 4 else {
      throw layout.malformed(expected: "flags of chunks below 4", found: "\(flags)")
    }
    let kind = try layout.integer(1, "the kind of an index")
    var size: Int?
    var mask = 0
    switch kind {
    case 1:
      if flags & 2 != 0 {
        size = try layout.length("the size of a chunk")
        mask = try layout.integer(4, "a filter mask")
      }
    case 2: break
    case 3, 4:
      guard try layout.take(kind == 3 ? 1 : 5, "parameters of an index").allSatisfy({ $0 > 0 })
      else { throw layout.malformed(expected: "parameters of an index above 0", found: "0") }
    case 5: try layout.skip(6, "parameters of an index")
    default:
      throw layout.malformed(expected: "an index of kind 1 to 5", found: "kind \(kind)")
    }
    guard let address = try layout.address("the index of chunks") else {
      self = .none
      return
    }
    self =
      switch kind {
      case 1: .single(address, size: size, mask: mask)
      case 2: .implicit(address)
      case 3: .fixedArray(address)
      case 4: .extensibleArray(address)
      default: .tree2(address)
      }
  }
}

/// The chunks of a dataset: boxes of one shape that are stored, and filtered, on their own.
struct HDF5Chunks: Sendable {
  struct Chunk: Sendable {
    var address: Int
    /// Bytes in the file.
    var size: Int
    /// Bit i: filter i was left out.
    var mask: Int
  }

  /// The shape of a chunk. At the end of an axis part of a chunk lies outside of the dataset.
  let sizes: [Int]
  /// Bytes of a chunk when all filters are undone.
  let byteCount: Int
  /// Chunks along each axis.
  let counts: [Int]
  let filters: [HDF5Filter]
  /// By the place in the row-major order of chunks; what is missing was never written.
  private let chunks: [Int: Chunk]

  /// Chunks that it takes to cover the dataset.
  let neededCount: Int
  /// Those of them that were written.
  var writtenCount: Int { chunks.count }
  /// Bytes that all chunks take in the file.
  var storedByteCount: Int { chunks.values.reduce(0) { $0 &+ $1.size } }

  /// - Parameters:
  ///   - sizes: of a chunk, with the size of an element as the last.
  ///   - hasLongSizes: whether the index tells the stored size of a chunk as any length.
  ///   - layout: the message they are from, for errors.
  init(
    sizes: [Int], extent: HDF5Extent, elementSize: Int, filters: [HDF5Filter],
    index: HDF5ChunkIndex, hasLongSizes: Bool = false, in file: HDF5File, _ layout: HDF5Cursor
  ) throws(ReadError) {
    let shape = extent.shape?.dimensions ?? []
    let described = sizes.map(String.init).joined(separator: "x")
    guard sizes.count == shape.count + 1, sizes.count > 1, sizes.last == elementSize,
      sizes.allSatisfy({ $0 > 0 }), let chunk = Shape(checking: sizes),
      chunk.elementCount <= Int(UInt32.max)
    else {
      throw layout.malformed(
        expected: "chunks of rank \(shape.count) of elements of \(elementSize) bytes",
        found: "\(described) bytes")
    }
    self.sizes = Array(sizes.dropLast())
    self.filters = filters
    byteCount = chunk.elementCount
    counts = zip(shape, self.sizes).map(Self.count)
    guard let all = Shape(checking: counts) else {
      throw layout.malformed(expected: "fewer than 2^63 chunks", found: described)
    }
    neededCount = all.elementCount
    let reader = ChunkReader(
      sizes: self.sizes, counts: counts, byteCount: byteCount, isFiltered: !filters.isEmpty,
      hasLongSizes: hasLongSizes,
      largestCounts: zip(extent.largestSizes, self.sizes).map { largest, size in
        largest.map { Self.count(of: $0, by: size) }
      }, neededCount: neededCount)
    chunks = try reader.read(index, in: file, layout)
  }

  func chunk(_ number: Int) -> Chunk? { chunks[number] }

  /// Those that were written, in any order.
  var stored: some Sequence<Chunk> { chunks.values }

  /// Chunks that cover so many elements of an axis.
  private static func count(of elements: Int, by size: Int) -> Int {
    elements / size + (elements % size == 0 ? 0 : 1)
  }
}

/// Reads the index of a dataset's chunks.
private struct ChunkReader {
  var sizes: [Int]
  var counts: [Int]
  var byteCount: Int
  var isFiltered: Bool
  var hasLongSizes: Bool
  /// Chunks along each axis when the dataset has grown as far as it may.
  var largestCounts: [Int?]
  var neededCount: Int

  func read(
    _ index: HDF5ChunkIndex, in file: HDF5File, _ layout: HDF5Cursor
  ) throws(ReadError) -> [Int: HDF5Chunks.Chunk] {
    var chunks: [Int: HDF5Chunks.Chunk] = [:]
    switch index {
    case .none: break
    case .tree1(let address): try readTree1(address, in: file, into: &chunks)
    case .single(let address, let size, let mask):
      guard neededCount == 1 else {
        throw layout.malformed(expected: "\(neededCount) chunks", found: "a single one")
      }
      chunks[0] = HDF5Chunks.Chunk(address: address, size: size ?? byteCount, mask: mask)
    case .implicit(let address):
      guard address <= file.source.count, neededCount <= file.source.count / byteCount else {
        throw layout.malformed(
          expected: "\(neededCount) chunks of \(byteCount) bytes", found: "a shorter file")
      }
      for number in 0..<neededCount {
        chunks[number] = HDF5Chunks.Chunk(
          address: address + number * byteCount, size: byteCount, mask: 0)
      }
    case .fixedArray(let address): try readFixedArray(address, in: file, into: &chunks)
    case .extensibleArray(let address):
      try readExtensibleArray(address, in: file, layout, into: &chunks)
    case .tree2(let address): try readTree2(address, in: file, into: &chunks)
    }
    return chunks
  }

  /// Keys: size (4), filter mask (4), first element along each axis (8 each), 0 (8).
  ///
  /// The last axis is that of the bytes of an element; only the key behind the last chunk may have
  /// another number there.
  private func readTree1(
    _ address: Int, in file: HDF5File, into chunks: inout [Int: HDF5Chunks.Chunk]
  ) throws(ReadError) {
    let entries = try file.childrenOfBTree1(
      at: address, type: 1, keySize: 8 + 8 * (sizes.count + 1)
    ) { (first, second) throws(ReadError) in
      try firstElement(first).lexicographicallyPrecedes(firstElement(second))
    }
    for (key, child, _) in entries {
      var key = key
      let size = try key.integer(4, "the size of a chunk")
      let mask = try key.integer(4, "a filter mask")
      var place: [Int] = []
      for chunk in sizes {
        place.append(try key.integer(8, "the first element of a chunk") / chunk)
      }
      let byte = try key.integer(8, "the first byte of a chunk's elements")
      guard byte == 0 else {
        throw key.malformed(
          expected: "a chunk of whole elements", found: "one from byte \(byte) on")
      }
      try add(.init(address: child, size: size, mask: mask), at: place, key, to: &chunks)
    }
  }

  /// What a key says of the place of a chunk.
  private func firstElement(_ key: HDF5Cursor) throws(ReadError) -> [UInt64] {
    var key = key
    try key.skip(8, "a size and a mask")
    var place: [UInt64] = []
    for size in sizes {
      let first = try key.bits(8, "the first element of a chunk")
      guard first % UInt64(size) == 0 else {
        throw key.malformed(expected: "a chunk at a multiple of \(size)", found: "one at \(first)")
      }
      place.append(first)
    }
    let byte = try key.bits(8, "the first byte of a chunk's elements")
    guard byte % UInt64(byteCount / sizes.reduce(1, *)) == 0 else {
      throw key.malformed(expected: "a chunk of whole elements", found: "one from byte \(byte) on")
    }
    place.append(byte)
    return place
  }

  /// Records: address O, [size, filter mask (4)], number of the chunk along each axis (8 each).
  private func readTree2(
    _ address: Int, in file: HDF5File, into chunks: inout [Int: HDF5Chunks.Chunk]
  ) throws(ReadError) {
    var found = chunks
    try file.forEachRecordOfBTree2(at: address, type: isFiltered ? 11 : 10) {
      (record) throws(ReadError) in
      guard let chunk = try entry(&record) else { return }
      var place: [Int] = []
      for _ in sizes { place.append(try record.integer(8, "the number of a chunk")) }
      try add(chunk, at: place, record, to: &found)
    }
    chunks = found
  }

  /// One entry for each chunk of the largest shape:
  ///
  ///     header: "FAHD", 00, kind, size of an entry, bits of a page, entries L, data O, checksum
  ///     data: "FADB", 00, kind, header O, [bits that say which pages are used], entries, checksum
  ///
  /// More entries than a page holds are in pages behind the checksum, each with its own.
  private func readFixedArray(
    _ address: Int, in file: HDF5File, into chunks: inout [Int: HDF5Chunks.Chunk]
  ) throws(ReadError) {
    var header = try file.checkedBlock(
      "FAHD", at: address, count: 8 + file.lengthSize + file.offsetSize, of: "an array of chunks")
    let kind = try header.integer(1, "the kind of an array")
    let entrySize = try header.integer(1, "the size of an entry")
    let pageBits = try header.integer(1, "the bits of a page")
    let count = try header.length("the number of entries")
    let data = try header.address("an array of chunks")
    let largest = largestCounts.reduce(Optional(1)) { product, count in
      guard let product, let count else { return nil }
      let (result, overflow) = product.multipliedReportingOverflow(by: count)
      return overflow ? nil : result
    }
    guard kind == (isFiltered ? 1 : 0), entrySize >= file.offsetSize, pageBits < 32,
      count == largest, count <= file.source.count
    else {
      throw header.malformed(
        expected: "an array with an entry for each chunk", found: "\(count) entries of kind \(kind)"
      )
    }
    guard let data else { return }
    let pageLength = 1 << pageBits
    let pages = count > pageLength ? (count + pageLength - 1) / pageLength : 0
    let bitmap = (pages + 7) / 8
    let prefix = 6 + file.offsetSize
    let headSize = prefix + bitmap + (pages == 0 ? count * entrySize : 0)
    var head = try file.checkedBlock("FADB", at: data, count: headSize, of: "an array of chunks")
    try head.skip(to: prefix)
    let used = try head.take(bitmap, "the used pages")
    var number = 0

    func readEntries(_ count: Int, from block: inout HDF5Cursor) throws(ReadError) {
      for _ in 0..<count {
        var record = try block.part(entrySize, of: "an entry of an array")
        if let chunk = try entry(&record) {
          // Its place along each axis, when the dataset has grown as far as it may.
          var place: [Int] = []
          var rest = number
          for count in largestCounts.reversed() {
            place.insert(rest % count!, at: 0)
            rest /= count!
          }
          try add(chunk, at: place, record, to: &chunks)
        }
        number += 1
      }
    }
    if pages == 0 {
      try readEntries(count, from: &head)
      return
    }
    for page in 0..<pages {
      let length = min(pageLength, count - number)
      // The most significant bit is the first.
      guard used[used.startIndex + page / 8] & 0x80 >> UInt8(page % 8) != 0 else {
        number += length
        continue
      }
      var block = try file.checkedBlock(
        nil, at: data + headSize + 4 + page * (pageLength * entrySize + 4),
        count: length * entrySize, of: "a page of an array of chunks")
      try readEntries(length, from: &block)
    }
  }

  /// One entry for each chunk: those of one place along the axis without an end follow each other, in
  /// the order of the largest shape.
  private func readExtensibleArray(
    _ address: Int, in file: HDF5File, _ layout: HDF5Cursor,
    into chunks: inout [Int: HDF5Chunks.Chunk]
  ) throws(ReadError) {
    let endless = largestCounts.indices.filter { largestCounts[$0] == nil }
    guard let axis = endless.first, endless.count == 1 else {
      throw layout.malformed(
        expected: "one axis without an end for an extensible array", found: "\(endless.count)")
    }
    // The other axes, the fastest first, with their largest numbers of chunks.
    let others = largestCounts.indices.reversed().filter { $0 != axis }
    let (limit, overflow) = others.reduce((counts[axis], false)) { product, other in
      let (next, overflow) = product.0.multipliedReportingOverflow(by: largestCounts[other]!)
      return (next, product.1 || overflow)
    }
    guard !overflow else {
      throw layout.malformed(expected: "fewer than 2^63 chunks", found: "more")
    }
    var found = chunks
    try HDF5ExtensibleArray(at: address, kind: isFiltered ? 1 : 0, in: file)
      .forEachEntry(below: limit) { (number, record) throws(ReadError) in
        guard let chunk = try entry(&record) else { return }
        var place = [Int](repeating: 0, count: counts.count)
        var rest = number
        for other in others {
          (rest, place[other]) = rest.quotientAndRemainder(dividingBy: largestCounts[other]!)
        }
        place[axis] = rest
        try add(chunk, at: place, record, to: &found)
      }
    chunks = found
  }

  /// Address O, and if the chunks are filtered: size, filter mask (4). Nil if there is no such chunk.
  private func entry(_ record: inout HDF5Cursor) throws(ReadError) -> HDF5Chunks.Chunk? {
    let address = try record.address("a chunk")
    var (size, mask) = (byteCount, 0)
    if isFiltered {
      let width =
        hasLongSizes
        ? record.lengthSize
        : min(8, 1 + (Int.bitWidth - 1 - byteCount.leadingZeroBitCount + 8) / 8)
      size = try record.integer(width, "the size of a chunk")
      mask = try record.integer(4, "a filter mask")
    }
    return address.map { HDF5Chunks.Chunk(address: $0, size: size, mask: mask) }
  }

  private func add(
    _ chunk: HDF5Chunks.Chunk, at place: [Int], _ cursor: HDF5Cursor,
    to chunks: inout [Int: HDF5Chunks.Chunk]
  ) throws(ReadError) {
    // A dataset that shrank keeps chunks outside.
    guard zip(place, counts).allSatisfy({ $0 < $1 }) else { return }
    let number = zip(place, counts).reduce(0) { $0 * $1.1 + $1.0 }
    guard chunks.updateValue(chunk, forKey: number) == nil else {
      throw cursor.malformed(expected: "each chunk once", found: "two at \(place)")
    }
  }
}
