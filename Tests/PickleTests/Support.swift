import Foundation
import Pickle
import Tensors

typealias Handle = ObjectGraph.Handle

func memory(_ bytes: [UInt8]) -> MemoryBytes {
  MemoryBytes(bytes, location: Location(path: "test.pkl"))
}

func parse(_ bytes: [UInt8]) throws(ReadError) -> ObjectGraph {
  try Unpickler.parse(memory(bytes))
}

/// The bytes of a text, in which `\u{..}` up to `\u{FF}` are single bytes.
func bytes(_ text: String) -> [UInt8] {
  text.unicodeScalars.map { UInt8($0.value) }
}

/// The bytes of hexadecimal digits, blanks ignored.
func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

/// A file that `make_pickles.py` wrote.
func fixture(_ name: String, from file: String = #filePath) throws -> [UInt8] {
  let folder = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent()
  return try [UInt8](Data(contentsOf: folder.appending(path: "Fixtures/Pickle/\(name)")))
}

let fixtureNames =
  (0..<6).map { "zoo-\($0).pkl" } + (0..<3).map { "py2-\($0).pkl" }

extension ObjectGraph {
  /// The value under `key` of the root, which must be there.
  func root(_ key: Name) throws -> Handle {
    guard let handle = value(key, of: root) else { throw Missing(key: key) }
    return handle
  }

  struct Missing: Error { var key: Name }

  func isNone(_ handle: Handle) -> Bool {
    if case .none = self[handle] { true } else { false }
  }

  func strings(_ handles: [Handle]?) -> [Name?] {
    (handles ?? []).map { string($0) }
  }

  func integers(_ handles: [Handle]?) -> [Int?] {
    (handles ?? []).map { integer($0) }
  }

  /// All bytes of an object that `byteSource` understands.
  func allBytes(_ handle: Handle) throws -> [UInt8]? {
    guard let (source, offset, count) = try byteSource(handle) else { return nil }
    return try source.bytes(offset..<offset + count, field: "all")
  }
}
