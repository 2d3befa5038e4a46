internal import Tensors

extension HDF5File {
  /// The children of the leaves of a B-tree of version 1, with the keys before and behind each, in order.
  ///
  ///     "TREE", type (0 groups, 1 chunks), level, entries (2), left O, right O,
  ///     then for each entry: key, child O; and a last key
  ///
  /// - Parameter precedes: the order of keys, in which those of a node ascend, and those of its children
  ///   lie between those beside the child.
  func childrenOfBTree1(
    at root: Int, type: Int, keySize: Int,
    precedes: (HDF5Cursor, HDF5Cursor) throws(ReadError) -> Bool
  ) throws(ReadError) -> [(key: HDF5Cursor, child: Int, next: HDF5Cursor)] {
    var result: [(key: HDF5Cursor, child: Int, next: HDF5Cursor)] = []
    var seen: Set<Int> = []

    func visit(
      _ address: Int, level expected: Int?, between bounds: (first: HDF5Cursor, end: HDF5Cursor)?
    ) throws(ReadError) {
      let headSize = 8 + 2 * offsetSize
      var head = try block(at: address, count: headSize, of: "a B-tree node")
      guard head.bytes.starts(with: "TREE".utf8), seen.insert(address).inserted else {
        throw head.malformed(
          expected: "a B-tree node with the signature 'TREE'",
          found: seen.contains(address) ? "the same node again" : "other bytes")
      }
      head.skip(4)
      let foundType = try head.integer(1, "the type")
      let level = try head.integer(1, "the level")
      let count = try head.integer(2, "the number of entries")
      guard foundType == type, expected == nil || level == expected else {
        throw head.malformed(
          expected: "a B-tree node of type \(type) and level \(expected ?? level)",
          found: "type \(foundType) and level \(level)")
      }
      try checkRoom(
        for: count, of: type == 0 ? nodeSizes?.groups : nodeSizes?.chunks, at: address,
        entrySize: keySize + offsetSize, headSize: headSize + keySize, head)
      var node = try block(
        at: address, count: headSize + count * (keySize + offsetSize) + keySize,
        of: "a B-tree node")
      node.skip(headSize)
      var keys = [try node.part(keySize, of: "a key of a B-tree")]
      var children: [Int] = []
      for _ in 0..<count {
        children.append(try node.definedAddress("a node of a B-tree"))
        keys.append(try node.part(keySize, of: "a key of a B-tree"))
      }
      for (key, next) in zip(keys, keys.dropFirst()) {
        guard try precedes(key, next) else {
          throw next.malformed(expected: "keys that ascend", found: "one that does not")
        }
      }
      if let bounds {
        guard try !precedes(keys[0], bounds.first), try !precedes(bounds.end, keys[count]) else {
          throw node.malformed(
            expected: "keys between those of the node above", found: "others")
        }
      }
      for (number, child) in children.enumerated() {
        if level == 0 {
          result.append((keys[number], child, keys[number + 1]))
        } else {
          try visit(child, level: level - 1, between: (keys[number], keys[number + 1]))
        }
      }
    }
    try visit(root, level: nil, between: nil)
    return result
  }

  /// Throws unless a node of so many entries is within the file with all the room that it has for more.
  ///
  /// - Parameters:
  ///   - most: entries in such a node; nil if that is not known.
  ///   - headSize: of what is in the node beside entries.
  ///   - head: its first bytes, for errors.
  func checkRoom(
    for count: Int, of most: Int?, at address: Int, entrySize: Int, headSize: Int,
    _ head: HDF5Cursor
  ) throws(ReadError) {
    guard let most else { return }
    guard count <= most, headSize + most * entrySize <= end - address else {
      throw head.malformed(
        expected: "at most \(most) entries, and room for as many in the file",
        found: "\(count) in \(end - address) bytes")
    }
  }

  /// Hands out all records of a B-tree of version 2, in its order.
  ///
  ///     header: "BTHD", 00, type, node size (4), record size (2), depth (2), 2 bytes, root O,
  ///             records in the root (2), records in all L, checksum
  ///     leaf: "BTLF", 00, type, records, checksum
  ///     inner node: "BTIN", 00, type, records, then for each child: node O, its records,
  ///             [records below it, if it is an inner node], checksum
  ///
  /// The numbers of records are as wide as the largest that can occur takes.
  func forEachRecordOfBTree2(
    at address: Int, type: Int, _ body: (inout HDF5Cursor) throws(ReadError) -> Void
  ) throws(ReadError) {
    var header = try checkedBlock(
      "BTHD", at: address, count: 18 + offsetSize + lengthSize, of: "the header of a B-tree")
    let foundType = try header.integer(1, "the type")
    guard foundType == type else {
      throw header.malformed(expected: "a B-tree of type \(type)", found: "type \(foundType)")
    }
    let nodeSize = try header.integer(4, "the size of nodes")
    let recordSize = try header.integer(2, "the size of records")
    let depth = try header.integer(2, "the depth")
    try header.skip(2, "percentages")
    let root = try header.address("the root of a B-tree")
    let rootCount = try header.integer(2, "the number of records")
    let total = try header.length("the number of records")
    // Deeper trees would hold more records than files have bytes.
    guard recordSize > 0, nodeSize > 10, depth <= 16 else {
      throw header.malformed(
        expected: "a B-tree of a plausible depth",
        found: "depth \(depth), nodes of \(nodeSize), records of \(recordSize) bytes")
    }

    // The widths of the two numbers beside the address of a child, by the child's level.
    let largestLeaf = (nodeSize - 10) / recordSize
    let countSize = bytesNeeded(for: largestLeaf)
    var sumSizes = [0]
    var largestSum = largestLeaf
    for level in 1...max(1, depth) {
      let pointer = offsetSize + countSize + sumSizes[level - 1]
      let largest = max(0, nodeSize - 10 - pointer) / (recordSize + pointer)
      let (product, overflow) = (largest + 1).multipliedReportingOverflow(by: largestSum)
      let sum = product.addingReportingOverflow(largest)
      largestSum = overflow || sum.overflow ? Int.max : sum.partialValue
      sumSizes.append(bytesNeeded(for: largestSum))
    }
    var seen: Set<Int> = []
    var found = 0

    func visit(_ address: Int, _ count: Int, level: Int) throws(ReadError) {
      let sumSize = level > 1 ? sumSizes[level - 1] : 0
      let pointerSize = level > 0 ? offsetSize + countSize + sumSize : 0
      let size = 6 + count * recordSize + (level > 0 ? (count + 1) * pointerSize : 0)
      var node = try checkedBlock(
        level > 0 ? "BTIN" : "BTLF", at: address, count: size, of: "a B-tree node")
      guard size + 4 <= nodeSize, seen.insert(address).inserted else {
        throw node.malformed(
          expected: "a B-tree node of at most \(nodeSize) bytes",
          found: size + 4 > nodeSize ? "\(size + 4)" : "the same node again")
      }
      guard try node.integer(1, "the type") == type else {
        throw node.malformed(expected: "a B-tree of type \(type)", found: "another")
      }
      found += count
      var records: [HDF5Cursor] = []
      for _ in 0..<count { records.append(try node.part(recordSize, of: "a record of a B-tree")) }
      // A record stands between two children.
      for index in 0...count {
        if level > 0 {
          let child = try node.definedAddress("a node of a B-tree")
          let count = try node.integer(countSize, "the number of records")
          try node.skip(sumSize, "the number of records below")
          try visit(child, count, level: level - 1)
        }
        if index < count { try body(&records[index]) }
      }
    }
    if let root { try visit(root, rootCount, level: depth) }
    guard found == total else {
      throw header.malformed(expected: "\(total) records in a B-tree", found: "\(found)")
    }
  }
}

/// The bytes that HDF5 takes for numbers up to `largest`.
func bytesNeeded(for largest: Int) -> Int {
  (Int.bitWidth - 1 - max(largest, 1).leadingZeroBitCount) / 8 + 1
}

/// A heap of small objects: a table of blocks, `width` in a row, each row's blocks twice as large as
/// those of the row before from the third row on.
///
///     header: "FRHP", 00, length of ids (2), length of filters (2), flags,
///             largest managed object (4), L, O, L, O, eight L, width (2), starting size L,
///             largest direct block L, bits of an offset (2), rows at first (2), root O,
///             rows of the root (2), checksum
///     direct block: "FHDB", 00, header O, its offset in the heap, [2: checksum], objects
///     indirect block: "FHIB", 00, header O, its offset, addresses of the blocks in its rows, checksum
///
/// An id of a managed object is a byte of flags, its offset in the heap, and its length.
struct HDF5FractalHeap {
  let idLength: Int
  private let header: Int
  private let width: Int
  private let startSize: Int
  private let largestBlock: Int
  private let offsetBits: Int
  private let lengthSize: Int
  private let root: Int?
  private let rootRows: Int
  /// Whether direct blocks have one.
  private let hasChecksums: Bool
  /// The addresses of the direct blocks that were looked at.
  private var checkedBlocks: Set<Int> = []

  init(at address: Int, in file: HDF5File) throws(ReadError) {
    self.header = address
    let size = 22 + 12 * file.lengthSize + 3 * file.offsetSize
    var header = try file.checkedBlock(
      "FRHP", at: address, count: size, of: "the header of a fractal heap")
    idLength = try header.integer(2, "the length of ids")
    let filters = try header.integer(2, "the length of filters")
    guard filters == 0 else {
      throw .unsupported(
        header.place, what: "the links or attributes of an object are compressed",
        remedy: "Copy the contents to a new file with h5py, and convert that.")
    }
    hasChecksums = try header.integer(1, "flags") & 2 != 0
    let largestObject = try header.integer(4, "the size of the largest object")
    for isAddress in [false, true, false, true] {
      try header.skip(isAddress ? file.offsetSize : file.lengthSize, "sizes")
    }
    try header.skip(8 * file.lengthSize, "sizes")
    width = try header.integer(2, "the width of the table")
    startSize = try header.length("the size of the first block")
    largestBlock = try header.length("the size of the largest block")
    offsetBits = try header.integer(2, "the bits of an offset")
    try header.skip(2, "the number of rows at first")
    root = try header.address("the root of a fractal heap")
    rootRows = try header.integer(2, "the number of rows")
    func isPowerOf2(_ value: Int) -> Bool { value > 0 && value & (value - 1) == 0 }
    guard isPowerOf2(width), isPowerOf2(startSize), isPowerOf2(largestBlock),
      startSize <= largestBlock, largestBlock <= 1 << 32, width <= 1 << 16,
      (1...62).contains(offsetBits), rootRows <= 64, largestObject > 0
    else {
      throw header.malformed(
        expected: "a fractal heap with a plausible table",
        found: "\(width) blocks of \(startSize) to \(largestBlock) bytes")
    }
    lengthSize = min(
      (largestBlock.trailingZeroBitCount + 7) / 8, bytesNeeded(for: largestObject))
  }

  /// The object with this id.
  mutating func object(
    _ id: ArraySlice<UInt8>, in file: HDF5File
  ) throws(ReadError) -> HDF5Cursor {
    var cursor = HDF5Cursor(
      Array(id), at: file.location, of: "an id of a fractal heap", offsetSize: file.offsetSize,
      lengthSize: file.lengthSize)
    let first = try cursor.integer(1, "flags")
    switch first >> 4 {
    case 0:
      let offset = try cursor.integer((offsetBits + 7) / 8, "an offset")
      let length = try cursor.integer(lengthSize, "a length")
      return try managed(offset, length, in: file)
    case 2:  // tiny: in the id itself
      return try cursor.part((first & 0x0F) + 1, of: "an object in an id")
    default:
      throw .unsupported(
        file.location, what: "an attribute or link takes more than 64 KB",
        remedy: "Copy the contents to a new file with h5py, without libver='latest'.")
    }
  }

  private var firstRowSize: Int { startSize * width }
  private func blockSize(ofRow row: Int) -> Int { row == 0 ? startSize : startSize << (row - 1) }

  private mutating func managed(
    _ offset: Int, _ length: Int, in file: HDF5File
  ) throws(ReadError) -> HDF5Cursor {
    func outside() -> ReadError {
      .malformed(
        file.location, expected: "an object inside a fractal heap",
        found: "\(length) bytes at \(offset)", remedy: fetchAgain)
    }
    guard var address = root, offset < 1 << offsetBits else { throw outside() }
    var rows = rootRows
    var size = rootRows == 0 ? startSize : 0
    var rest = offset
    // Each step leads to a block at most half as large.
    while rows > 0 {
      let row: Int
      var column = rest
      if rest < firstRowSize {
        row = 0
      } else {
        let highest = Int.bitWidth - 1 - rest.leadingZeroBitCount
        row = highest - firstRowSize.trailingZeroBitCount + 1
        column -= 1 << highest
      }
      guard row < rows, row <= 40 else { throw outside() }
      size = blockSize(ofRow: row)
      let index = column / size
      rest = column % size

      let directRows = min(
        rows, largestBlock.trailingZeroBitCount - startSize.trailingZeroBitCount + 2)
      let headSize = 5 + file.offsetSize + (offsetBits + 7) / 8
      var block = try file.checkedBlock(
        "FHIB", at: address, count: headSize + rows * width * file.offsetSize,
        of: "an indirect block of a fractal heap")
      try block.skip(to: headSize + (row * width + index) * file.offsetSize)
      address = try block.definedAddress("a block of a fractal heap")
      if row < directRows {
        rows = 0
      } else {
        // An indirect block of as many rows as its size holds.
        rows = size.trailingZeroBitCount - firstRowSize.trailingZeroBitCount + 1
        guard rows > 0 else { throw outside() }
      }
    }
    if checkedBlocks.insert(address).inserted {
      try checkDirectBlock(at: address, count: size, of: offset - rest, in: file)
    }
    guard length <= size, rest <= size - length else { throw outside() }
    return try file.block(at: address + rest, count: length, of: "an object of a fractal heap")
  }

  /// Its checksum stands in its head, and is made with zeros in its own place.
  ///
  /// - Parameter offset: of the block in the heap.
  private func checkDirectBlock(
    at address: Int, count: Int, of offset: Int, in file: HDF5File
  ) throws(ReadError) {
    var block = try file.block(at: address, count: count, of: "a direct block of a fractal heap")
    try block.expect("FHDB")
    let foundHeader = try block.address("its header")
    let foundOffset = try block.integer((offsetBits + 7) / 8, "its place in the heap")
    guard foundHeader == header, foundOffset == offset else {
      throw block.malformed(
        expected: "the block at \(offset) of a fractal heap", found: "another block or heap")
    }
    guard hasChecksums else { return }
    var checked = block.bytes
    for index in block.next..<min(block.next + 4, checked.count) { checked[index] = 0 }
    try block.checkChecksum(of: checked[...])
  }
}
