internal import Tensors

/// The index of a dataset that can grow along one axis: an array of entries without an end, in blocks
/// each about as large as all before it.
///
///     header: "EAHD", 00, kind, size of an entry, bits of the largest number, entries in the index
///             block, entries in the smallest data block, data blocks in the smallest secondary block,
///             bits of a page (1 each), four L, entries that were set L, L, index block O, checksum
///     index block: "EAIB", 00, kind, header O, entries, addresses of data blocks, addresses of
///             secondary blocks, checksum
///     secondary block: "EASB", 00, kind, header O, number of its first entry, [bits that say which
///             pages of each data block are used], addresses of data blocks, checksum
///     data block: "EADB", 00, kind, header O, number of its first entry, entries, checksum
///
/// Behind the index block's own entries, entries are counted anew. The blocks of data come in rows: row
/// r has 2^(r / 2) of them with 2^((r + 1) / 2) times as many entries as the smallest. The addresses of
/// the first rows are in the index block, those of each other in a secondary block of its own.
///
/// A data block with more entries than a page has them in pages behind its checksum, each with its own.
struct HDF5ExtensibleArray {
  private let file: HDF5File
  private let header: Int
  private let kind: Int
  private let entrySize: Int
  /// Bytes of the number of an entry.
  private let numberSize: Int
  private let entriesInIndex: Int
  private let smallestBlock: Int
  private let rows: Int
  /// Rows whose blocks the index block lists.
  private let rowsInIndex: Int
  private let pageLength: Int
  private let index: Int?
  /// One more than the largest number of an entry that was set.
  private let setCount: Int

  /// - Parameter kind: 1 if the chunks are filtered, else 0.
  init(at address: Int, kind: Int, in file: HDF5File) throws(ReadError) {
    var cursor = try file.checkedBlock(
      "EAHD", at: address, count: 12 + 6 * file.lengthSize + file.offsetSize,
      of: "an array of chunks")
    let foundKind = try cursor.integer(1, "the kind of an array")
    entrySize = try cursor.integer(1, "the size of an entry")
    let numberBits = try cursor.integer(1, "the bits of a number")
    entriesInIndex = try cursor.integer(1, "the entries in an index block")
    smallestBlock = try cursor.integer(1, "the entries in a data block")
    let smallestSecondary = try cursor.integer(1, "the data blocks in a secondary block")
    let pageBits = try cursor.integer(1, "the bits of a page")
    try cursor.skip(4 * file.lengthSize, "sizes")
    setCount = try cursor.length("the number of entries")
    try cursor.skip(file.lengthSize, "a size")
    index = try cursor.address("an array of chunks")
    func isPowerOf2(_ value: Int) -> Bool { value > 0 && value & (value - 1) == 0 }
    guard foundKind == kind, entrySize >= file.offsetSize, (1...48).contains(numberBits),
      isPowerOf2(smallestBlock), smallestBlock < 1 << numberBits, isPowerOf2(smallestSecondary),
      pageBits < 32
    else {
      throw cursor.malformed(
        expected: "an array of plausible blocks",
        found: "kind \(foundKind), numbers of \(numberBits) bits, blocks of \(smallestBlock)")
    }
    self.file = file
    self.kind = kind
    header = address
    numberSize = (numberBits + 7) / 8
    rows = 1 + numberBits - smallestBlock.trailingZeroBitCount
    rowsInIndex = min(rows, 2 * smallestSecondary.trailingZeroBitCount)
    pageLength = 1 << pageBits
  }

  /// Hands out the entries, each with its number, up to `limit`; those of blocks that were never
  /// written are left out.
  ///
  /// - Parameter limit: one more than the largest number that is of use.
  func forEachEntry(
    below limit: Int, _ body: (Int, inout HDF5Cursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    guard let index else { return }
    let prefix = 6 + file.offsetSize
    let addressCount = (0..<rowsInIndex).reduce(0) { $0 + blocks(inRow: $1) } + rows - rowsInIndex
    var block = try file.checkedBlock(
      "EAIB", at: index,
      count: prefix + entriesInIndex * entrySize + addressCount * file.offsetSize,
      of: "the index block of an array")
    try expectHeader(&block)
    try readEntries(entriesInIndex, from: 0, below: limit, in: &block, body)
    var seen: Set<Int> = []
    var first = entriesInIndex
    for row in 0..<rowsInIndex {
      for _ in 0..<blocks(inRow: row) {
        if let address = try block.address("a block of an array") {
          try readBlock(address, row: row, pages: nil, from: first, below: limit, &seen, body)
        }
        first += entries(inRow: row)
      }
    }
    for row in rowsInIndex..<rows {
      let address = try block.address("a secondary block of an array")
      if let address, first < limit {
        try readSecondary(address, row: row, from: first, below: limit, &seen, body)
      }
      first += blocks(inRow: row) * entries(inRow: row)
    }
  }

  private func blocks(inRow row: Int) -> Int { 1 << (row / 2) }

  private func entries(inRow row: Int) -> Int { smallestBlock << ((row + 1) / 2) }

  /// Pages of each block in a row; none if its entries are in the block itself.
  private func pages(inRow row: Int) -> Int {
    entries(inRow: row) > pageLength ? entries(inRow: row) / pageLength : 0
  }

  private func expectHeader(_ block: inout HDF5Cursor) throws(ReadError) {
    let (kind, header) = (try block.integer(1, "the kind"), try block.address("its header"))
    guard kind == self.kind, header == self.header else {
      throw block.malformed(expected: "a block of the same array", found: "one of another")
    }
  }

  private func readSecondary(
    _ address: Int, row: Int, from first: Int, below limit: Int, _ seen: inout Set<Int>,
    _ body: (Int, inout HDF5Cursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    let pages = pages(inRow: row)
    let bitmap = (pages + 7) / 8
    var block = try file.checkedBlock(
      "EASB", at: address,
      count: 6 + file.offsetSize + numberSize + blocks(inRow: row) * (bitmap + file.offsetSize),
      of: "a secondary block of an array")
    try expectHeader(&block)
    try checkNumber(first, &block)
    // The bits of one block follow those of the one before, the most significant first; the rest is free.
    var bits: [Bool] = []
    for byte in try block.take(blocks(inRow: row) * bitmap, "the used pages") {
      for bit in 0..<8 { bits.append(byte & 0x80 >> UInt8(bit) != 0) }
    }
    var first = first
    for number in 0..<blocks(inRow: row) {
      if let address = try block.address("a block of an array") {
        let used = bits[number * pages..<(number + 1) * pages]
        try readBlock(address, row: row, pages: used, from: first, below: limit, &seen, body)
      }
      first += entries(inRow: row)
    }
  }

  /// - Parameter used: which pages are used; nil for blocks that the index block lists. They
  ///   have no pages, and what the C library writes as the number of their first entry is not that.
  private func readBlock(
    _ address: Int, row: Int, pages used: ArraySlice<Bool>?, from first: Int, below limit: Int,
    _ seen: inout Set<Int>, _ body: (Int, inout HDF5Cursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    guard first < limit else { return }
    let (pages, count) = (pages(inRow: row), entries(inRow: row))
    let headSize =
      6 + file.offsetSize + numberSize + (pages == 0 ? count * entrySize : 0)
    var block = try file.checkedBlock(
      "EADB", at: address, count: headSize, of: "a data block of an array")
    guard seen.insert(address).inserted, pages == 0 || used != nil else {
      throw block.malformed(
        expected: "each data block once, with a list of its pages", found: "another")
    }
    try expectHeader(&block)
    if used != nil {
      try checkNumber(first, &block)
    } else {
      try block.skip(numberSize, "the number of an entry")
    }
    if pages == 0 { try readEntries(count, from: first, below: limit, in: &block, body) }
    let pageSize = pageLength * entrySize
    for (page, isUsed) in (used ?? []).enumerated() where isUsed {
      var block = try file.checkedBlock(
        nil, at: address + headSize + 4 + page * (pageSize + 4), count: pageSize,
        of: "a page of an array")
      try readEntries(
        pageLength, from: first + page * pageLength, below: limit, in: &block, body)
    }
  }

  private func checkNumber(_ first: Int, _ block: inout HDF5Cursor) throws(ReadError) {
    let found = try block.integer(numberSize, "the number of an entry")
    guard found == first - entriesInIndex else {
      throw block.malformed(
        expected: "the entries from \(first - entriesInIndex) on", found: "those from \(found)")
    }
  }

  private func readEntries(
    _ count: Int, from first: Int, below limit: Int, in block: inout HDF5Cursor,
    _ body: (Int, inout HDF5Cursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    for number in first..<first + count {
      var entry = try block.part(entrySize, of: "an entry of an array")
      let isSet = !entry.bytes.prefix(file.offsetSize).allSatisfy { $0 == 0xFF }
      guard number < setCount || !isSet else {
        throw entry.malformed(
          expected: "\(setCount) entries in an array", found: "one of number \(number)")
      }
      if number < limit { try body(number, &entry) }
    }
  }
}
