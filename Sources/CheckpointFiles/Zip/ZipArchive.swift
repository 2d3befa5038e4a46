internal import Tensors

/// A zip archive whose members are found, checked and not yet read.
///
/// Refuses whatever lets two programs see different things in one file: names that repeat or differ
/// only in case, members that overlap, local headers that contradict the directory, two end records.
/// Nothing is ever written to disk under a member's name.
final class ZipArchive: Sendable {
  /// A member that is no folder.
  struct Member: Sendable {
    var name: Name
    /// Its place in the directory, as libzip counts.
    var index: Int
    /// Bytes of its contents, and of what is stored for them.
    var size: Int
    var compressedSize: Int
    var isDeflated: Bool
    /// The CRC-32 of its contents; nil if none is recorded. PyTorch writes 0 for none.
    var crc: UInt32?
    /// Where its local header and its stored bytes are in the file.
    var headerOffset: Int
    var payloadOffset: Int
  }

  let file: any ByteSource
  /// In the order of the directory.
  let members: [Member]
  /// Things a user should know.
  let notes: [String]
  private let library: ZipLibrary
  /// Index in `members` by the bytes of the name, of which not all need be UTF-8.
  private let indices: [[UInt8]: Int]

  /// What to advise where a file says something twice, and not the same.
  static let distrust = "Programs disagree on which of them counts; save the checkpoint again."

  init(_ file: any ByteSource) throws(ReadError) {
    self.file = file
    let end = try ZipEndRecord.find(in: file)
    library = try ZipLibrary(file)
    let libraryEntries = try library.entries()
    guard libraryEntries.count == end.entryCount else {
      throw .malformed(
        file.location(at: end.offset),
        expected: "\(end.entryCount) members, as the end record says",
        found: "\(libraryEntries.count)", remedy: fetchAgain)
    }
    let entries = try ZipDirectory.entries(of: end, in: file)

    var members: [Member] = []
    var indices: [[UInt8]: Int] = [:]
    var foldedNames: [[UInt8]: Name] = [:]
    for (index, entry) in entries.enumerated() {
      let name = Name(decoding: entry.name)
      if let fault = Tensors.fault(ofName: name, in: file) { throw fault }
      let location = Location(path: file.location.path, member: printable(name))
      guard ZipLibrary.Entry(entry) == libraryEntries[index] else {
        throw .malformed(
          location, expected: "an entry of the directory that all programs read alike",
          found: "one that libzip reads otherwise", remedy: Self.distrust)
      }
      let header = try LocalHeader(at: entry.headerOffset, in: file, member: location)
      if let fault = Self.fault(ofName: entry.name) ?? Self.fault(ofName: header.name) {
        throw .malformed(
          location, expected: "a plain member name", found: fault,
          remedy:
            "Such names serve to write outside a folder or to fool scanners; do not trust the file."
        )
      }
      try check(entry, header, at: location, in: file)
      if let twin = foldedNames.updateValue(name, forKey: Self.folded(entry.name)) {
        throw .malformed(
          location, expected: "every name once",
          found: twin == name
            ? "it twice" : "it beside '\(printable(twin))', the same but for case",
          remedy: Self.distrust)
      }
      guard entry.name.last != UInt8(ascii: "/") else {
        guard entry.size == 0 else {
          throw .malformed(
            location, expected: "nothing in a folder", found: "\(entry.size) bytes",
            remedy: Self.distrust)
        }
        continue
      }
      indices[entry.name] = members.count
      members.append(
        Member(
          name: name, index: index, size: entry.size, compressedSize: entry.compressedSize,
          isDeflated: entry.method == 8, crc: entry.crc == 0 ? nil : entry.crc,
          headerOffset: entry.headerOffset, payloadOffset: header.end))
    }
    // Together, too: a million members could each be of a size that is not questioned.
    let deflated = members.filter(\.isDeflated)
    try checkInflation(
      from: deflated.reduce(0) { $0 + $1.compressedSize }, to: deflated.reduce(0) { $0 &+ $1.size },
      unquestioned: .inflatedSize, at: file.location, in: file)
    self.members = members
    self.indices = indices
    notes = Self.notes(on: members, end: end, fileSize: file.count)
    try checkExtents(directoryOffset: end.directoryOffset)
  }

  /// The member with exactly this name.
  func member(_ name: Name) -> Member? {
    indices[Array(name.utf8)].map { members[$0] }
  }

  /// The contents of `member`: in place in the file if they are stored.
  func contents(of member: Member) throws(ReadError) -> any ByteSource {
    let location = location(of: member)
    guard member.isDeflated else {
      return try ByteRegion(
        of: file, start: member.payloadOffset, count: member.size, field: "the member",
        location: location, crc: member.crc)
    }
    let library = library
    return StreamedBytes(
      count: member.size, storedCount: file.count, location: location, limits: file.limits
    ) { () throws(ReadError) in
      try library.open(member.index, count: member.size, crc: member.crc, location: location)
    }
  }

  func location(of member: Member) -> Location {
    Location(path: file.location.path, member: printable(member.name))
  }

  /// Refuses members that lie over each other or over the directory.
  private func checkExtents(directoryOffset: Int) throws(ReadError) {
    let sorted = members.sorted { $0.headerOffset < $1.headerOffset }
    for (index, member) in sorted.enumerated() {
      let next = index + 1 < sorted.count ? sorted[index + 1] : nil
      let limit = min(next?.headerOffset ?? directoryOffset, directoryOffset)
      guard member.payloadOffset <= limit, member.compressedSize <= limit - member.payloadOffset
      else {
        throw .malformed(
          location(of: member),
          expected:
            "a member that ends before \(next.map { "'\(printable($0.name))'" } ?? "the directory") "
            + "at byte \(limit)",
          found: "\(member.compressedSize) bytes from byte \(member.payloadOffset) on",
          remedy: fetchAgain)
      }
    }
  }

  private static func notes(on members: [Member], end: ZipEndRecord, fileSize: Int) -> [String] {
    var notes: [String] = []
    let unchecked = members.count { $0.size > 0 && $0.crc == nil }
    if unchecked > 0 {
      notes.append(
        "\(unchecked) of \(members.count) members of the archive record no checksum; damage to them "
          + "cannot be noticed."
      )
    }
    if end.end < fileSize {
      notes.append("\(fileSize - end.end) bytes follow the end of the archive and were left alone.")
    }
    return notes
  }
}

/// Throws if the local header of a member contradicts its entry in the directory, or either asks for
/// something that is not read.
private func check(
  _ entry: ZipDirectory.Entry, _ header: LocalHeader, at location: Location, in file: any ByteSource
) throws(ReadError) {
  func differs(_ what: String, _ directory: String, _ local: String) -> ReadError {
    .malformed(
      location, expected: "a local header that agrees with the directory",
      found: "another \(what): \(local) instead of \(directory)",
      remedy: ZipArchive.distrust)
  }
  guard header.name == entry.name else {
    throw differs(
      "name", "'\(printable(String(decoding: entry.name, as: UTF8.self)))'",
      "'\(printable(String(decoding: header.name, as: UTF8.self)))'")
  }
  guard header.method == entry.method else {
    throw differs("method", methodName(entry.method), methodName(header.method))
  }
  guard header.isEncrypted == entry.isEncrypted else {
    throw differs(
      "encryption", entry.isEncrypted ? "encrypted" : "plain",
      header.isEncrypted ? "encrypted" : "plain")
  }
  guard !entry.isEncrypted else {
    throw .unsupported(
      location, what: "the member is encrypted",
      remedy: "Unpack the archive with its password first.")
  }
  guard entry.method == 0 || entry.method == 8 else {
    throw .unsupported(
      location, what: "the member is compressed with \(methodName(entry.method))",
      remedy: "Unpack the archive and zip it again, stored or with deflate.")
  }
  // With a data descriptor, and for whatever is saturated, the local header leaves its fields open.
  if !header.hasDescriptor {
    if let size = header.size, size != entry.size {
      throw differs("size", String(entry.size), String(size))
    }
    if let size = header.compressedSize, size != entry.compressedSize {
      throw differs("compressed size", String(entry.compressedSize), String(size))
    }
    if header.crc != entry.crc {
      throw differs("CRC-32", String(entry.crc, radix: 16), String(header.crc, radix: 16))
    }
  }
  if entry.method == 0 && entry.size != entry.compressedSize {
    throw .malformed(
      location, expected: "a stored member to take \(entry.size) bytes",
      found: "\(entry.compressedSize)", remedy: fetchAgain)
  }
  if entry.method == 8 {
    try checkInflation(
      from: entry.compressedSize, to: entry.size, unquestioned: .inflatedSize, at: location,
      in: file)
  }
}

/// Throws if a member expands to more than its compressed size lets expect.
///
/// - Parameter unquestioned: the limit of sizes that need no such proportion.
private func checkInflation(
  from compressedSize: Int, to size: Int, unquestioned: ReadingLimits.Limit, at location: Location,
  in file: any ByteSource
) throws(ReadError) {
  let (product, overflow) = compressedSize.multipliedReportingOverflow(
    by: file.limits[.inflation])
  let allowed = max(overflow ? .max : product, file.limits[unquestioned])
  guard size <= allowed else {
    throw file.exceeded(
      unquestioned, at: location, what: "bytes that \(compressedSize) compressed ones expand to",
      allowed: allowed, found: String(size))
  }
}

extension ZipArchive {
  /// Throws if a member that is a pickle expands to more than pickles do.
  func checkPickle(_ member: Member) throws(ReadError) {
    guard member.size <= file.limits[.pickleSize] else {
      throw file.exceeded(.pickleSize, at: location(of: member), found: String(member.size))
    }
    guard member.isDeflated else { return }
    try checkInflation(
      from: member.compressedSize, to: member.size, unquestioned: .inflatedPickle,
      at: location(of: member), in: file)
  }
}

// Names.
extension ZipArchive {
  /// What is wrong with a member's name; nil if nothing is.
  static func fault(ofName name: [UInt8]) -> String? {
    if name.isEmpty { return "an empty one" }
    if name.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "a control character in it" }
    if name.contains(UInt8(ascii: "\\")) { return "a backslash in it" }
    if name[0] == UInt8(ascii: "/") { return "an absolute one" }
    if name.count > 1 && name[1] == UInt8(ascii: ":") { return "a drive letter in it" }
    let parts = name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    if parts.contains(where: { $0.elementsEqual([0x2E, 0x2E]) }) { return "'..' in it" }
    return nil
  }

  /// A name as programs compare it that take no account of the case of ASCII letters.
  static func folded(_ name: [UInt8]) -> [UInt8] {
    name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
  }
}

extension ZipLibrary.Entry {
  /// What libzip should say of a member.
  fileprivate init(_ entry: ZipDirectory.Entry) {
    self.init(
      name: entry.name.map { $0 == 0 ? UInt8(ascii: " ") : $0 }, size: UInt64(entry.size),
      compressedSize: UInt64(entry.compressedSize), crc: entry.crc)
  }
}

/// The compression methods of APPNOTE.TXT 4.4.5 that a user may have heard of.
private func methodName(_ method: Int) -> String {
  switch method {
  case 0: "none (stored)"
  case 8: "deflate"
  case 9: "Deflate64"
  case 12: "bzip2"
  case 14: "LZMA"
  case 93: "Zstandard"
  case 95: "xz"
  default: "method \(method)"
  }
}
