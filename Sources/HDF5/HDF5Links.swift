internal import Tensors

struct HDF5Group {
  var header: HDF5Header
  /// In the order of their creation if the group tracks that, else by name.
  var links: [HDF5Link]
}

/// A name in a group and what it stands for.
struct HDF5Link {
  enum Target: Equatable {
    /// The address of an object header.
    case object(Int)
    case soft(path: Name)
    case external(file: Name)
    case userDefined(Int)
  }
  var name: Name
  var target: Target
  /// When it was added, if the group counts that.
  var order: UInt64?
}

extension HDF5File {
  /// The links of the group with this header.
  func links(of header: HDF5Header) throws(ReadError) -> [HDF5Link] {
    var links: [HDF5Link] = []
    if var message = try header.message(.symbolTable, in: self) {
      let tree = try message.address("a group's B-tree")
      let heap = try HDF5LocalHeap(at: message.definedAddress("a group's names"), in: self)
      if let tree { try readSymbols(tree, heap, into: &links) }
    }
    for message in header.messages where message.type == .link {
      var body = message.body
      links.append(try link(&body))
    }
    if var info = try header.message(.linkInfo, in: self) {
      try readDenseLinks(&info, into: &links)
    }
    if links.allSatisfy({ $0.order != nil }) {
      return links.sorted { $0.order! < $1.order! }
    }
    return links.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// A link message:
  ///
  ///     01, flags, [8: type], [4: creation order (8)], [10: character set],
  ///     length of the name (1, 2, 4 or 8, by bits 0 and 1), name, then
  ///     hard (0): address O   soft (1), external (64), ...: length (2), that many bytes
  private func link(_ body: inout HDF5Cursor) throws(ReadError) -> HDF5Link {
    let version = try body.integer(1, "the version of a link")
    guard version == 1 else {
      throw body.malformed(expected: "a link of version 1", found: "version \(version)")
    }
    let flags = try body.integer(1, "flags")
    let type = flags & 8 != 0 ? try body.integer(1, "the type of a link") : 0
    let order = flags & 4 != 0 ? try body.bits(8, "a creation order") : nil
    try body.skip(flags & 0x10 != 0 ? 1 : 0, "a character set")
    let length = try body.integer(1 << (flags & 3), "the length of a name")
    let name = Name(decoding: try body.take(length, "the name of a link"))
    let target: HDF5Link.Target
    switch type {
    case 0:
      target = .object(try body.definedAddress("'\(printable(name))'"))
    case 1:
      let length = try body.integer(2, "the length of a path")
      target = .soft(path: try body.take(length, "the path of a soft link").textUntilNUL)
    case 64:
      let length = try body.integer(2, "the length of an external link")
      target = .external(file: try body.take(length, "an external link").dropFirst().textUntilNUL)
    default:
      target = .userDefined(type)
    }
    return HDF5Link(name: name, target: target, order: order)
  }

  /// Groups as the first version of HDF5 has them, and still the default: a B-tree of symbol table
  /// nodes, and a heap of names.
  ///
  ///     node: "SNOD", 01, 0, entries (2); each entry: name O, object header O,
  ///           kind (4; 2 is a soft link), 0 (4), 16 bytes (of a soft link: its path (4) in the heap)
  private func readSymbols(
    _ tree: Int, _ heap: HDF5LocalHeap, into links: inout [HDF5Link]
  ) throws(ReadError) {
    let nodes = try childrenOfBTree1(at: tree, type: 0, keySize: lengthSize)
    for (_, child) in nodes {
      let entrySize = 2 * offsetSize + 24
      var head = try block(at: child, count: 8, of: "a symbol table node")
      try head.expect("SNOD", version: 1)
      try head.skip(1, "padding")
      let count = try head.integer(2, "the number of entries")
      var node = try block(at: child, count: 8 + count * entrySize, of: "a symbol table node")
      node.skip(8)
      for _ in 0..<count {
        let name = try heap.text(at: node.length("a name"), of: node)
        let address = try node.address("'\(printable(name))'")
        let kind = try node.integer(4, "the kind of an entry")
        try node.skip(4, "padding")
        let path = try node.integer(4, "the path of a soft link")
        try node.skip(12, "padding")
        if kind == 2 {
          links.append(HDF5Link(name: name, target: .soft(path: try heap.text(at: path, of: node))))
        } else if let address {
          links.append(HDF5Link(name: name, target: .object(address)))
        } else {
          throw node.malformed(
            expected: "the address of '\(printable(name))'", found: "an undefined one")
        }
      }
    }
  }

  /// Groups with many links in files for HDF5 1.8 and later: link messages in a fractal heap, found by
  /// a B-tree.
  ///
  ///     link info: 00, flags, [1: largest creation order (8)], fractal heap O, names' B-tree O, ...
  private func readDenseLinks(
    _ info: inout HDF5Cursor, into links: inout [HDF5Link]
  ) throws(ReadError) {
    let version = try info.integer(1, "the version of link info")
    guard version == 0 else {
      throw info.malformed(expected: "link info of version 0", found: "version \(version)")
    }
    let flags = try info.integer(1, "flags")
    try info.skip(flags & 1 != 0 ? 8 : 0, "a creation order")
    guard let heapAddress = try info.address("a group's links") else { return }
    let heap = try HDF5FractalHeap(at: heapAddress, in: self)
    let tree = try info.definedAddress("a group's B-tree")
    try forEachRecordOfBTree2(at: tree, type: 5) { (record) throws(ReadError) in
      try record.skip(4, "a hash")
      var body = try heap.object(try record.take(heap.idLength, "a heap id"), in: self)
      links.append(try link(&body))
    }
  }
}

/// The heap of a group's names: "HEAP", 00, 0 (3), size of the names L, free list L, names O.
struct HDF5LocalHeap {
  private let names: HDF5Cursor

  init(at address: Int, in file: HDF5File) throws(ReadError) {
    var head = try file.block(
      at: address, count: 8 + 2 * file.lengthSize + file.offsetSize, of: "a heap of names")
    try head.expect("HEAP")
    try head.skip(3, "padding")
    let size = try head.length("the size of names")
    _ = try head.length("the free list")
    names = try file.block(
      at: head.definedAddress("names"), count: size, of: "the names of a group")
  }

  /// The text up to the next NUL.
  func text(at offset: Int, of node: HDF5Cursor) throws(ReadError) -> Name {
    guard offset < names.bytes.count, let end = names.bytes[offset...].firstIndex(of: 0) else {
      throw node.malformed(
        expected: "a name in the \(names.bytes.count) bytes of names", found: "one at \(offset)")
    }
    return Name(decoding: names.bytes[offset..<end])
  }
}

extension ArraySlice<UInt8> {
  /// The bytes up to the first NUL as text.
  var textUntilNUL: Name { Name(decoding: prefix { $0 != 0 }) }
}
