internal import TestSupport

/// Mutations of files that are mostly nonsense in one place and sound everywhere else: a part of a file
/// is changed, and lengths and checksums are made to fit, at which readers would stop otherwise.
public struct Mutator {
  /// Changes bytes in any way, their number too.
  public typealias Change = (_ bytes: [UInt8]) -> [UInt8]

  private let change: Change?
  var random: SeededGenerator

  /// - Parameter change: what is done to the bytes of a part; by default one to four small things.
  public init(seed: UInt64, change: Change? = nil) {
    random = SeededGenerator(seed: seed)
    self.change = change
  }

  /// How files with parts are changed, by what they begin with.
  private static let structures:
    [(start: [UInt8], mutated: @Sendable (inout Mutator, [UInt8]) -> [UInt8]?)] =
      [
        (FuzzTarget.zip, { $0.mutatedZip($1) }),
        (FuzzTarget.hdf5, { $0.mutatedHDF5($1) }),
        ([0x89] + Array("RVD".utf8), { $0.mutatedRVD($1) }),
        // The version of the format, which exporters write first.
        ([0x08], { $0.mutatedProtobuf($1) }),
        ([], { $0.mutatedSafetensors($1) }),
      ]

  /// Of a file of a known structure, most of the time a change of a part; else any change.
  public mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
    guard !happens(oneIn: 8) else { return changed(bytes) }
    for structure in Self.structures where bytes.starts(with: structure.start) {
      if let result = structure.mutated(&self, bytes) { return result }
    }
    return changed(bytes)
  }

  /// Changes bytes in any way.
  mutating func changed(_ bytes: [UInt8]) -> [UInt8] {
    if let change { return change(bytes) }
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: bytes.indices, using: &random)
      let end = min(bytes.count, place + Int.random(in: 1...16, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
      case 2: bytes.removeSubrange(place..<end)
      case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 4:
        let to = Int.random(in: 0...bytes.count - (end - place), using: &random)
        bytes.replaceSubrange(to..<to + (end - place), with: bytes[place..<end])
      default: bytes[place] = UInt8.random(in: 0...255, using: &random)
      }
    }
    return bytes
  }

  /// Changes some neighbouring bytes, but not how many there are.
  mutating func changedInPlace(_ bytes: [UInt8]) -> [UInt8] {
    guard !bytes.isEmpty else { return bytes }
    let start = Int.random(in: bytes.indices, using: &random)
    let end = min(bytes.count, start + Int.random(in: 1...32, using: &random))
    let changed = changed(Array(bytes[start..<end])).prefix(end - start)
    return Array(bytes[..<start] + changed + bytes[(start + changed.count)...])
  }

  mutating func happens(oneIn count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }
}

extension [UInt8] {
  /// A little-endian number; nil if it is not there, or larger than any place in a file.
  func number(at offset: Int, width: Int) -> Int? {
    guard let part = part(at: offset, count: width) else { return nil }
    let number = part.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return number > UInt64(Int32.max) ? nil : Int(number)
  }

  mutating func set(_ value: Int, at offset: Int, width: Int) {
    for byte in 0..<width { self[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
  }

  mutating func append(_ value: Int, width: Int) {
    for byte in 0..<width { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }

  /// Nil if they are not all there.
  func part(at offset: Int, count: Int) -> [UInt8]? {
    guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else {
      return nil
    }
    return Array(self[offset..<offset + count])
  }

  func ends(with ending: [UInt8]) -> Bool { suffix(ending.count).elementsEqual(ending) }
}
