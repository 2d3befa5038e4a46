internal import Tensors

extension HDF5File {
  /// The children of the leaves of a B-tree of version 1, with the key before each, in order.
  ///
  ///     "TREE", type (0 groups, 1 chunks), level, entries (2), left O, right O,
  ///     then for each entry: key, child O; and a last key
  ///
  /// - Parameter precedes: the order of keys, in which those of a node ascend, and those of its children
  ///   lie between those beside the child; nil where keys do not tell.
  func childrenOfBTree1(
    at root: Int, type: Int, keySize: Int,
    precedes: ((HDF5Cursor, HDF5Cursor) throws(ReadError) -> Bool)? = nil
  ) throws(ReadError) -> [(key: HDF5Cursor, child: Int)] {
    var result: [(key: HDF5Cursor, child: Int)] = []
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
      if let precedes {
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
      }
      for (number, child) in children.enumerated() {
        if level == 0 {
          result.append((keys[number], child))
        } else {
          try visit(child, level: level - 1, between: (keys[number], keys[number + 1]))
        }
      }
    }
    try visit(root, level: nil, between: nil)
    return result
  }

  /// Hands out all records of a B-tree of version 2.
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
    var header = try block(
      at: address, count: 22 + offsetSize + lengthSize, of: "the header of a B-tree")
    try header.expect("BTHD")
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
    _ = try header.length("the number of records")
    try header.checkChecksum()
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

    func visit(_ address: Int, _ count: Int, level: Int) throws(ReadError) {
      let sumSize = level > 1 ? sumSizes[level - 1] : 0
      let pointerSize = level > 0 ? offsetSize + countSize + sumSize : 0
      let size = 10 + count * recordSize + (level > 0 ? (count + 1) * pointerSize : 0)
      var node = try block(at: address, count: size, of: "a B-tree node")
      guard size <= nodeSize, seen.insert(address).inserted else {
        throw node.malformed(
          expected: "a B-tree node of at most \(nodeSize) bytes",
          found: size > nodeSize ? "\(size)" : "the same node again")
      }
      try node.expect(level > 0 ? "BTIN" : "BTLF")
      try node.skip(1, "the type")
      for _ in 0..<count {
        var record = try node.part(recordSize, of: "a record of a B-tree")
        try body(&record)
      }
      var children: [(Int, Int)] = []
      if level > 0 {
        for _ in 0...count {
          let child = try node.definedAddress("a node of a B-tree")
          children.append((child, try node.integer(countSize, "the number of records")))
          try node.skip(sumSize, "the number of records below")
        }
      }
      try node.checkChecksum()
      for (child, count) in children { try visit(child, count, level: level - 1) }
    }
    if let root { try visit(root, rootCount, level: depth) }
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
  private let width: Int
  private let startSize: Int
  private let largestBlock: Int
  private let offsetBits: Int
  private let lengthSize: Int
  private let root: Int?
  private let rootRows: Int

  init(at address: Int, in file: HDF5File) throws(ReadError) {
    let size = 26 + 12 * file.lengthSize + 3 * file.offsetSize
    var header = try file.block(at: address, count: size, of: "the header of a fractal heap")
    try header.expect("FRHP")
    idLength = try header.integer(2, "the length of ids")
    let filters = try header.integer(2, "the length of filters")
    guard filters == 0 else {
      throw .unsupported(
        header.place, what: "the links or attributes of an object are compressed",
        remedy: "Copy the contents to a new file with h5py, and convert that.")
    }
    try header.skip(1, "flags")
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
    try header.checkChecksum()
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
  func object(_ id: ArraySlice<UInt8>, in file: HDF5File) throws(ReadError) -> HDF5Cursor {
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

  private func managed(
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
      var block = try file.block(
        at: address, count: headSize + rows * width * file.offsetSize + 4,
        of: "an indirect block of a fractal heap")
      try block.expect("FHIB")
      block.skip(headSize - 5)
      try block.skip((row * width + index) * file.offsetSize, "addresses")
      address = try block.definedAddress("a block of a fractal heap")
      try block.skip(to: block.bytes.count - 4)
      try block.checkChecksum()
      if row < directRows {
        rows = 0
      } else {
        // An indirect block of as many rows as its size holds.
        rows = size.trailingZeroBitCount - firstRowSize.trailingZeroBitCount + 1
        guard rows > 0 else { throw outside() }
      }
    }
    let start = try file.block(at: address, count: 5, of: "a direct block of a fractal heap")
    var signature = start
    try signature.expect("FHDB")
    guard length <= size, rest <= size - length else { throw outside() }
    return try file.block(at: address + rest, count: length, of: "an object of a fractal heap")
  }
}
