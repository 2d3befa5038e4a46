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
    guard !header.has(.symbolTable) || !header.has(.linkInfo) && !header.has(.link) else {
      throw .malformed(
        location(at: header.address), expected: "the links of a group as a table or as messages",
        found: "both", remedy: fetchAgain)
    }
    if var message = try header.message(.symbolTable, in: self) {
      let tree = try message.address("a group's B-tree")
      let heap = try HDF5LocalHeap(at: message.definedAddress("a group's names"), in: self)
      if let tree { try readSymbols(tree, heap, into: &links) }
    }
    for message in header.messages where message.type == .groupInfo {
      try checkGroupInfo(message.body)
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

  /// Group info, of use to writers only: 00, flags, [1: limits of links (2, 2)], [2: estimates (2, 2)].
  private func checkGroupInfo(_ body: HDF5Cursor) throws(ReadError) {
    var body = body
    let (version, flags) = (
      try body.integer(1, "the version of group info"), try body.integer(1, "flags")
    )
    guard version == 0, flags < 4 else {
      throw body.malformed(
        expected: "group info of version 0 with flags below 4",
        found: "version \(version) and flags \(flags)")
    }
    try body.skip(4 * (flags & 1) + 2 * (flags & 2), "numbers of links")
  }

  /// A link message:
  ///
  ///     01, flags, [8: type], [4: creation order (8)], [10: character set, 0 or 1],
  ///     length of the name (1, 2, 4 or 8, by bits 0 and 1), name, then
  ///     hard (0): address O   soft (1), external (64), ...: length (2), that many bytes
  ///
  /// - Parameter hash: of the name, by which it is looked up; nil if there is none.
  private func link(
    _ body: inout HDF5Cursor, hash: UInt32? = nil
  ) throws(ReadError) -> HDF5Link {
    let version = try body.integer(1, "the version of a link")
    guard version == 1 else {
      throw body.malformed(expected: "a link of version 1", found: "version \(version)")
    }
    let flags = try body.integer(1, "flags")
    guard flags < 0x20 else {
      throw body.malformed(expected: "flags of a link below 32", found: "\(flags)")
    }
    let type = flags & 8 != 0 ? try body.integer(1, "the type of a link") : 0
    let order = flags & 4 != 0 ? try body.bits(8, "a creation order") : nil
    let characters = flags & 0x10 != 0 ? try body.integer(1, "a character set") : 0
    let length = try body.integer(1 << (flags & 3), "the length of a name")
    let bytes = try body.take(length, "the name of a link")
    let name = Name(decoding: bytes)
    guard characters < 2, hash.map({ $0 == lookup3(bytes) }) ?? true else {
      throw body.malformed(
        expected: "the name that the index of the group has, as ASCII or UTF-8",
        found: "'\(printable(name))'")
    }
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
    case 65...:
      target = .userDefined(type)
    default:
      throw body.malformed(expected: "a link of type 0, 1 or from 64 on", found: "type \(type)")
    }
    return HDF5Link(name: name, target: target, order: order)
  }

  /// Groups as the first version of HDF5 has them, and still the default: a B-tree of symbol table
  /// nodes, and a heap of names.
  ///
  ///     node: "SNOD", 01, 0, entries (2); each entry: name O, object header O,
  ///           kind (4; 2 is a soft link), 0 (4), 16 bytes (of a soft link: its path (4) in the heap)
  ///
  /// The names of a node ascend, from behind the key before the node to the key behind it: by that a
  /// name is looked up, and what does not lie there is found by some programs and not by others.
  private func readSymbols(
    _ tree: Int, _ heap: HDF5LocalHeap, into links: inout [HDF5Link]
  ) throws(ReadError) {
    func name(_ key: HDF5Cursor) throws(ReadError) -> ArraySlice<UInt8> {
      var key = key
      return try heap.bytes(at: key.length("a name"), of: key)
    }
    let nodes = try childrenOfBTree1(at: tree, type: 0, keySize: lengthSize) {
      (first, second) throws(ReadError) in
      try name(first).lexicographicallyPrecedes(name(second))
    }
    for (key, child, next) in nodes {
      let entrySize = 2 * offsetSize + 24
      var head = try block(at: child, count: 8, of: "a symbol table node")
      try head.expect("SNOD", version: 1)
      try head.skip(1, "padding")
      let count = try head.integer(2, "the number of entries")
      try checkRoom(
        for: count, of: nodeSizes?.symbols, at: child, entrySize: entrySize, headSize: 8, head)
      var node = try block(at: child, count: 8 + count * entrySize, of: "a symbol table node")
      node.skip(8)
      var (last, end) = (try name(key), try name(next))
      for _ in 0..<count {
        let bytes = try heap.bytes(at: node.length("a name"), of: node)
        let name = Name(decoding: bytes)
        guard last.lexicographicallyPrecedes(bytes), !end.lexicographicallyPrecedes(bytes) else {
          throw node.malformed(
            expected: "names that ascend", found: "'\(printable(name))' out of their order")
        }
        last = bytes
        let address = try node.address("'\(printable(name))'")
        let kind = try node.integer(4, "the kind of an entry")
        guard kind <= 2 else {
          throw node.malformed(expected: "an entry of kind 0 to 2", found: "kind \(kind)")
        }
        try node.skip(4, "padding")
        let path = try node.integer(4, "the path of a soft link")
        try node.skip(12, "padding")
        if kind == 2 {
          let path = Name(decoding: try heap.bytes(at: path, of: node))
          links.append(HDF5Link(name: name, target: .soft(path: path)))
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
  ///     link info: 00, flags, [1: largest creation order (8)], fractal heap O, names' B-tree O,
  ///                [2: B-tree of the order of creation O]
  ///
  /// The second tree tells of the same links, in another order.
  private func readDenseLinks(
    _ info: inout HDF5Cursor, into links: inout [HDF5Link]
  ) throws(ReadError) {
    let version = try info.integer(1, "the version of link info")
    guard version == 0 else {
      throw info.malformed(expected: "link info of version 0", found: "version \(version)")
    }
    let flags = try info.integer(1, "flags")
    guard flags < 4 else {
      throw info.malformed(expected: "flags of link info below 4", found: "\(flags)")
    }
    try info.skip(flags & 1 != 0 ? 8 : 0, "a creation order")
    let heapAddress = try info.address("a group's links")
    let tree = try info.address("a group's B-tree")
    let order = flags & 2 != 0 ? try info.address("the order of a group's links") : nil
    guard let heapAddress, let tree, links.isEmpty else {
      guard heapAddress == nil, tree == nil, order == nil else {
        throw info.malformed(expected: "links in messages or in a heap", found: "both")
      }
      return
    }
    var heap = try HDF5FractalHeap(at: heapAddress, in: self)
    var ids: Set<ArraySlice<UInt8>> = []
    var last = 0
    try forEachRecordOfBTree2(at: tree, type: 5) { (record) throws(ReadError) in
      let hash = try record.integer(4, "a hash")
      guard hash >= last else {
        throw record.malformed(expected: "hashes of names that ascend", found: "others")
      }
      last = hash
      let id = try record.take(heap.idLength, "a heap id")
      ids.insert(id)
      var body = try heap.object(id, in: self)
      links.append(try link(&body, hash: UInt32(hash)))
    }
    guard let order else { return }
    try forEachRecordOfBTree2(at: order, type: 6) { (record) throws(ReadError) in
      try record.skip(8, "a creation order")
      guard ids.remove(try record.take(heap.idLength, "a heap id")) != nil else {
        throw record.malformed(expected: "the order of the group's links", found: "another link")
      }
    }
    guard ids.isEmpty else {
      throw info.malformed(
        expected: "the order of all links of the group", found: "\(ids.count) without one")
    }
  }
}

/// The heap of a group's names: "HEAP", 00, 0 (3), size of the names L, free list L, names O.
///
/// What is free among the names begins with the place of the next that is free L, 1 behind the last, and
/// its own size L.
struct HDF5LocalHeap {
  private let names: HDF5Cursor

  init(at address: Int, in file: HDF5File) throws(ReadError) {
    var head = try file.block(
      at: address, count: 8 + 2 * file.lengthSize + file.offsetSize, of: "a heap of names")
    try head.expect("HEAP")
    try head.skip(3, "padding")
    let size = try head.length("the size of names")
    var free = try head.length("the free list")
    names = try file.block(
      at: head.definedAddress("names"), count: size, of: "the names of a group")
    var seen: Set<Int> = []
    while free != 1 {
      var rest = names
      try rest.skip(to: free)
      let next = try rest.length("the free list")
      let count = try rest.length("a size")
      guard count <= size - free, seen.insert(free).inserted else {
        throw head.malformed(
          expected: "a list of what is free in \(size) bytes of names",
          found: seen.contains(free) ? "one that goes in circles" : "\(count) bytes at \(free)")
      }
      free = next
    }
  }

  /// The bytes up to the next NUL.
  func bytes(at offset: Int, of node: HDF5Cursor) throws(ReadError) -> ArraySlice<UInt8> {
    guard offset < names.bytes.count, let end = names.bytes[offset...].firstIndex(of: 0) else {
      throw node.malformed(
        expected: "a name in the \(names.bytes.count) bytes of names", found: "one at \(offset)")
    }
    return names.bytes[offset..<end]
  }
}

extension ArraySlice<UInt8> {
  /// The bytes up to the first NUL as text.
  var textUntilNUL: Name { Name(decoding: prefix { $0 != 0 }) }
}
