internal import Tensors

/// The messages of an object header, which say what the object is.
///
///     version 1: 01, 0, messages (2), references (4), size (4), 0 (4); then messages, each
///                type (2), size (2), flags (1), 0 (3), body
///     version 2: "OHDR", 02, flags, [4 times (4)], [attribute limits (2, 2)],
///                size (1, 2, 4 or 8, by flags); then messages, each
///                type (1), size (2), flags (1), [creation order (2)], body; checksum (4)
///
/// A continuation message leads to more: in version 2 between "OCHK" and a checksum.
package struct HDF5Header {
  /// Where it is, which tells whether two links lead to one object.
  let address: Int
  enum MessageType: Int {
    case dataspace = 0x01
    case linkInfo = 0x02
    case datatype = 0x03
    case oldFillValue = 0x04
    case fillValue = 0x05
    case link = 0x06
    case externalFiles = 0x07
    case layout = 0x08
    case groupInfo = 0x0A
    case filters = 0x0B
    case attribute = 0x0C
    case continuation = 0x10
    case symbolTable = 0x11
    case attributeInfo = 0x15
  }

  struct Message {
    var type: MessageType
    /// Bit 1: the body says where the message is.
    var flags: Int
    var body: HDF5Cursor
  }

  private(set) var messages: [Message] = []
  /// Messages of any kind.
  private var count = 0

  init(at address: Int, in file: HDF5File) throws(ReadError) {
    self.address = address
    var parts: [(address: Int, size: Int)] = []
    var start = try file.blockIfAny(at: address, upTo: 64, of: "an object header")
    let isSecond = start.bytes.starts(with: "OHDR".utf8)
    var hasOrder = false
    var largestCount = Int.max
    if isSecond {
      try start.expect("OHDR", version: 2)
      let flags = try start.integer(1, "flags")
      guard flags < 0x40 else {
        throw start.malformed(expected: "flags of an object header below 64", found: "\(flags)")
      }
      hasOrder = flags & 4 != 0
      try start.skip(flags & 0x20 != 0 ? 16 : 0, "times")
      try start.skip(flags & 0x10 != 0 ? 4 : 0, "limits of attributes")
      let size = try start.integer(1 << (flags & 3), "the size")
      let prefix = start.next
      guard size <= file.source.count else {
        throw start.malformed(expected: "an object header inside the file", found: "\(size) bytes")
      }
      var all = try file.checkedBlock(
        "OHDR", version: 2, at: address, count: prefix + size, of: "an object header")
      try all.skip(to: prefix)
      try parse(&all, isSecond: true, hasOrder: hasOrder, into: &parts)
    } else {
      let version = try start.integer(1, "the version")
      guard version == 1 else {
        throw start.malformed(expected: "an object header of version 1 or 2", found: "\(version)")
      }
      try start.skip(1, "padding")
      largestCount = try start.integer(2, "the number of messages")
      try start.skip(4, "references")
      file.note(structureAt: address, count: 16)
      parts.append((address + 16, try start.integer(4, "the size")))
    }
    var next = 0
    var seen: Set<Int> = []
    while next < parts.count {
      let part = parts[next]
      next += 1
      guard seen.insert(part.address).inserted else {
        throw .malformed(
          file.location(at: address), expected: "an object header that ends",
          found: "one that continues in itself", remedy: fetchAgain)
      }
      let what = "a part of an object header"
      var block =
        isSecond
        ? try file.checkedBlock(
          "OCHK", version: nil, at: part.address, count: part.size - 4, of: what)
        : try file.block(at: part.address, count: part.size, of: what)
      try parse(&block, isSecond: isSecond, hasOrder: hasOrder, into: &parts)
    }
    guard count <= largestCount else {
      throw start.malformed(
        expected: "\(largestCount) messages in an object header", found: "\(count)")
    }
  }

  private mutating func parse(
    _ block: inout HDF5Cursor, isSecond: Bool, hasOrder: Bool,
    into parts: inout [(address: Int, size: Int)]
  ) throws(ReadError) {
    let prefix = isSecond ? (hasOrder ? 6 : 4) : 8
    // What is too short for a message is a gap.
    var unused = 0
    while block.remaining >= prefix {
      let type = try block.integer(isSecond ? 1 : 2, "a message's type")
      let size = try block.integer(2, "a message's size")
      let flags = try block.integer(1, "flags")
      try block.skip(isSecond ? (hasOrder ? 2 : 0) : 3, "a creation order")
      try Self.check(flags: flags, ofType: type, block)
      guard size <= block.remaining else {
        throw block.malformed(
          expected: "a message of \(size) bytes in an object header",
          found: "its end after \(block.remaining)")
      }
      count += 1
      if type == 0 { unused += 1 }
      guard let type = MessageType(rawValue: type) else {
        block.skip(size)
        continue
      }
      var body = try block.part(size, of: "\(type.article) message")
      if type == .continuation {
        let address = try body.definedAddress("the rest of an object header")
        let size = try body.length("its size")
        guard size > 0 else {
          throw body.malformed(expected: "the rest of an object header", found: "no bytes")
        }
        parts.append((address, size))
      } else {
        messages.append(Message(type: type, flags: flags, body: body))
      }
    }
    guard block.remaining == 0 || isSecond && unused == 0 else {
      throw block.malformed(
        expected: "messages up to the end, as version 1 and unused messages demand",
        found: "\(block.remaining) bytes behind them")
    }
  }

  /// Flags of a message:
  ///
  ///     2 shared   4 never shared   8 not to be changed by who does not know it   16 to be marked by them
  ///     32 marked so   64 may be shared   128 not to be read by who does not know it
  private static func check(
    flags: Int, ofType type: Int, _ block: HDF5Cursor
  ) throws(ReadError) {
    // 0x01, 0x03, 0x04, 0x05, 0x0B and 0x0C: dataspace, datatype, fill values, filters, attribute.
    let canBeShared = [0x01, 0x03, 0x04, 0x05, 0x0B, 0x0C].contains(type)
    guard flags & 0x06 != 0x06, flags & 0x28 != 0x28, flags & 0x30 != 0x20,
      flags & 0x42 == 0 || canBeShared, flags & 0x80 == 0 || type <= 0x18
    else {
      throw block.malformed(
        expected: "a message of type \(type) with flags that it can have", found: "\(flags)")
    }
  }

  /// The first message of a kind, from where it is shared with other objects if it is.
  func message(_ type: MessageType, in file: HDF5File) throws(ReadError) -> HDF5Cursor? {
    guard let message = messages.first(where: { $0.type == type }) else { return nil }
    return message.flags & 2 == 0 ? message.body : try shared(message.body, type, in: file)
  }

  func has(_ type: MessageType) -> Bool { messages.contains { $0.type == type } }
}

extension HDF5Header.MessageType {
  fileprivate var article: String {
    switch self {
    case .dataspace: "a dataspace"
    case .linkInfo: "a link info"
    case .datatype: "a datatype"
    case .oldFillValue, .fillValue: "a fill value"
    case .link: "a link"
    case .externalFiles: "an external files"
    case .layout: "a layout"
    case .groupInfo: "a group info"
    case .filters: "a filter pipeline"
    case .attribute: "an attribute"
    case .continuation: "a continuation"
    case .symbolTable: "a symbol table"
    case .attributeInfo: "an attribute info"
    }
  }
}

/// The message that a shared message stands for: in practice the datatype of a named datatype object.
///
///     versions 1 and 2: version, type, [1: 0 (6)], address of an object header O
///     version 3: 03, type (1 a heap of shared messages, 2 an object header), heap id or address
func shared(
  _ reference: HDF5Cursor, _ type: HDF5Header.MessageType, in file: HDF5File
) throws(ReadError) -> HDF5Cursor {
  var reference = reference
  let version = try reference.integer(1, "the version of a shared message")
  let kind = try reference.integer(1, "the type of a shared message")
  guard version < 3 || kind == 2 else {
    throw .unsupported(
      reference.place, what: "the HDF5 file keeps messages of its objects in a shared heap",
      remedy: "Rewrite the file with h5repack, and convert the result.")
  }
  if version == 1 { try reference.skip(6, "padding") }
  let header = try HDF5Header(at: reference.definedAddress("a shared message"), in: file)
  guard let message = header.messages.first(where: { $0.type == type && $0.flags & 2 == 0 }) else {
    throw reference.malformed(expected: "the object that holds a shared message", found: "another")
  }
  return message.body
}

/// An object of a file, by what its header says.
enum HDF5Object {
  case group(HDF5Group)
  case dataset(HDF5Dataset)
  case namedDatatype
}

extension HDF5File {
  /// The object whose header is at `address`.
  ///
  /// - Parameter path: its path in the file, for errors.
  func object(at address: Int, path: Name) throws(ReadError) -> HDF5Object {
    do throws(ReadError) {
      return try parsedObject(at: address, path: path)
    } catch {
      // The place is that of a byte; say also which object it belongs to.
      let owner = path.isEmpty ? "the root group" : "'\(printable(path))'"
      switch error {
      case .malformed(let place, let expected, let found, let remedy):
        throw .malformed(place, expected: "\(expected), in \(owner)", found: found, remedy: remedy)
      case .unsupported(let place, let what, let remedy):
        throw .unsupported(place, what: "in \(owner), \(what)", remedy: remedy)
      default: throw error
      }
    }
  }

  private func parsedObject(at address: Int, path: Name) throws(ReadError) -> HDF5Object {
    let header = try HDF5Header(at: address, in: self)
    if header.has(.symbolTable) || header.has(.linkInfo) {
      guard !header.has(.layout) else {
        throw .malformed(
          location(at: address), expected: "a group or a dataset", found: "both", remedy: fetchAgain
        )
      }
      return .group(HDF5Group(header: header, links: try links(of: header)))
    }
    if header.has(.layout) {
      return .dataset(try HDF5Dataset(header, in: self, path: path))
    }
    guard header.has(.datatype) else {
      throw .malformed(
        location(at: address), expected: "a group, a dataset or a datatype",
        found: "none of them", remedy: fetchAgain)
    }
    return .namedDatatype
  }
}
