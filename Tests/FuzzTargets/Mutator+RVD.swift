internal import Checksums

/// The parts of an `.rvd` file.
struct RVDParts {
  /// 64 bytes.
  var header: [UInt8]
  /// Behind the header.
  var tensors: [UInt8]
  var manifest: [UInt8]

  /// Nil where the header says something else.
  init?(_ bytes: [UInt8]) {
    guard let place = bytes.number(at: 24, width: 8), let length = bytes.number(at: 32, width: 8),
      let header = bytes.part(at: 0, count: 64), place >= 64,
      let tensors = bytes.part(at: 64, count: place - 64),
      let manifest = bytes.part(at: place, count: length)
    else { return nil }
    (self.header, self.tensors, self.manifest) = (header, tensors, manifest)
  }

  /// The file, with the checksums of what is in it.
  var bytes: [UInt8] {
    let manifest = manifestWithChecksums
    var header = header
    header.set(64 + tensors.count, at: 24, width: 8)
    header.set(manifest.count, at: 32, width: 8)
    header.set(Int(CRC32(manifest).value), at: 40, width: 4)
    header.set(Int(CRC32(header[..<60]).value), at: 60, width: 4)
    return header + tensors + manifest
  }

  /// In the manifest each tensor has, in this order, `"crc32":"01234567"`, `"offset":64`,
  /// `"storedBytes":24`.
  private var manifestWithChecksums: [UInt8] {
    var result = manifest
    let key = Array("\"crc32\":\"".utf8)
    for place in manifest.indices where manifest[place...].starts(with: key) {
      let digits = place + key.count..<place + key.count + 8
      let rest = manifest[place...]
      guard let offset = number(after: "\"offset\":", in: rest),
        let count = number(after: "\"storedBytes\":", in: rest),
        digits.upperBound <= manifest.count,
        let bytes = tensors.part(at: offset - 64, count: count)
      else { continue }
      let text = String(CRC32(bytes).value, radix: 16)
      result.replaceSubrange(
        digits, with: Array((String(repeating: "0", count: 8 - text.count) + text).utf8))
    }
    return result
  }

  private func number(after key: String, in text: ArraySlice<UInt8>) -> Int? {
    let key = Array(key.utf8)
    guard let place = text.indices.first(where: { text[$0...].starts(with: key) }) else {
      return nil
    }
    let digits = text[(place + key.count)...].prefix { (0x30...0x39).contains($0) }
    return digits.count > 9 ? nil : Int(String(decoding: digits, as: UTF8.self))
  }
}

extension Mutator {
  /// Changes the manifest, or tensors or the header in place.
  mutating func mutatedRVD(_ bytes: [UInt8]) -> [UInt8]? {
    guard var file = RVDParts(bytes) else { return nil }
    switch Int.random(in: 0..<16, using: &random) {
    case 0: file.header = changedInPlace(file.header)
    case 1..<5: file.tensors = changedInPlace(file.tensors)
    default: file.manifest = changed(file.manifest)
    }
    return file.bytes
  }
}
