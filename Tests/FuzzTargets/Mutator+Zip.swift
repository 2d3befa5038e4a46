internal import Checksums

/// The members of a zip archive.
struct ZipParts {
  struct Member {
    var name: [UInt8]
    /// 0 if its bytes are stored as they are.
    var method: Int
    var crc, size: Int
    /// As they are in the archive.
    var data: [UInt8]

    var isStored: Bool { method == 0 }
  }
  var members: [Member] = []

  /// Nil where the end record, the directory or a member is not where it should be.
  init?(_ bytes: [UInt8]) {
    let mark = Array("PK\u{5}\u{6}".utf8)
    guard
      let end = bytes.indices.dropLast(21).last(where: { bytes[$0...].starts(with: mark) }),
      let count = bytes.number(at: end + 10, width: 2),
      var entry = bytes.number(at: end + 16, width: 4)
    else { return nil }
    for _ in 0..<count {
      guard let method = bytes.number(at: entry + 10, width: 2),
        let crc = bytes.part(at: entry + 16, count: 4),
        let stored = bytes.number(at: entry + 20, width: 4),
        let size = bytes.number(at: entry + 24, width: 4),
        let nameLength = bytes.number(at: entry + 28, width: 2),
        let extraLength = bytes.number(at: entry + 30, width: 2),
        let commentLength = bytes.number(at: entry + 32, width: 2),
        let header = bytes.number(at: entry + 42, width: 4),
        let name = bytes.part(at: entry + 46, count: nameLength),
        let localNameLength = bytes.number(at: header + 26, width: 2),
        let localExtraLength = bytes.number(at: header + 28, width: 2),
        let data = bytes.part(at: header + 30 + localNameLength + localExtraLength, count: stored)
      else { return nil }
      members.append(
        Member(
          name: name, method: method, crc: crc.reversed().reduce(0) { $0 << 8 | Int($1) },
          size: size, data: data))
      entry += 46 + nameLength + extraLength + commentLength
    }
  }

  /// An archive without anything that is optional. What is stored has the right checksum.
  var bytes: [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for member in members {
      let place = file.count
      var fields: [UInt8] = []
      for value in [20, 0, member.method, 0, 33] { fields.append(value, width: 2) }
      fields.append(member.isStored ? Int(CRC32(member.data).value) : member.crc, width: 4)
      fields.append(member.data.count, width: 4)
      fields.append(member.isStored ? member.data.count : member.size, width: 4)
      fields.append(member.name.count, width: 2)
      fields.append(0, width: 2)
      file += Array("PK\u{3}\u{4}".utf8) + fields + member.name + member.data
      directory += Array("PK\u{1}\u{2}".utf8) + [20, 0] + fields
      directory += [UInt8](repeating: 0, count: 10)
      directory.append(place, width: 4)
      directory += member.name
    }
    var end = Array("PK\u{5}\u{6}".utf8) + [0, 0, 0, 0]
    for _ in 0..<2 { end.append(members.count, width: 2) }
    end.append(directory.count, width: 4)
    end.append(file.count, width: 4)
    return file + directory + end + [0, 0]
  }
}

extension Mutator {
  /// Names of members that say what the others are.
  private static let descriptions = [".pkl", ".json", ".h5"].map { Array($0.utf8) }

  /// Changes a member, its name, or which ones there are.
  mutating func mutatedZip(_ bytes: [UInt8]) -> [UInt8]? {
    guard var archive = ZipParts(bytes), !archive.members.isEmpty else { return nil }
    let members = archive.members
    let described = members.indices.filter { index in
      Self.descriptions.contains { members[index].name.ends(with: $0) }
    }
    let place =
      happens(oneIn: 4)
      ? members.indices.randomElement(using: &random)!
      : described.randomElement(using: &random)
        ?? members.indices.randomElement(using: &random)!
    switch Int.random(in: 0..<32, using: &random) {
    case 0: archive.members.remove(at: place)
    case 1: archive.members.append(members[place])
    case 2: archive.members[place].name = Array(changed(members[place].name).prefix(1 << 12))
    default: archive.members[place].data = mutated(members[place].data)
    }
    return archive.bytes
  }
}
