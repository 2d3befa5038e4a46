internal import Foundation
internal import TestSupport

/// Code that is fed with arbitrary bytes. Any error is right; a crash, a hang, a leak or an answer that
/// contradicts another is not.
public struct FuzzTarget: Sendable, CustomStringConvertible {
  /// What `make fuzz` calls it.
  public let name: String
  /// What mutations start from: sound and damaged files of the tests, or parts of them.
  public let seeds: @Sendable () throws -> [[UInt8]]
  /// How such files begin, so that their own reader gets them whatever a mutation did.
  let start: [UInt8]
  private let body: @Sendable (_ bytes: [UInt8], _ scratch: String) -> Void

  public var description: String { name }

  /// - Parameter scratch: the path of a file that may be written.
  public func run(_ bytes: [UInt8], scratch: String) { body(bytes, scratch) }

  /// A mutation of an input that still begins as it has to.
  ///
  /// - Parameter capacity: the most bytes that it may have.
  public func mutated(_ bytes: [UInt8], by mutator: inout Mutator, capacity: Int) -> [UInt8] {
    var result = Array(mutator.mutated(bytes).prefix(capacity))
    if result.count >= start.count { result.replaceSubrange(..<start.count, with: start) }
    return result
  }

  /// Every target.
  public static let all: [FuzzTarget] = [
    memory("pickle", seeds: pickles, body: parsePickle),
    file("torch-zip", ".pth", ".pt", start: zip),
    file("torch-legacy", ".pth", start: legacyMagic),
    file("megengine", ".pkl", start: [0x80]),
    file("paddle", ".pdparams", start: [0x80]),
    file("safetensors", ".safetensors"),
    file("npy", ".npy", start: [0x93] + Array("NUMPY".utf8)),
    file("npz", ".npz", start: zip),
    file("zip", ".zip", start: zip),
    file("hdf5", "HDF5Files/*.h5", start: hdf5),
    file("keras", "KerasFiles/*.h5", ".keras", largest: 120_000),
    file("rvd", ".rvd", start: [0x89] + Array("RVD\r\n".utf8) + [0x1A, 0x0A]),
    file("onnx", ".onnx"),
    file("wts", ".wts"),
    file("write", ".rvd", ".onnx", largest: 10_000, body: writeFile),
    memory("json", seeds: headers, body: parseJSON),
    memory("dialect", seeds: dialects, body: parseDialect),
    memory("rename", seeds: renames, body: rename),
  ]

  static let zip = Array("PK\u{3}\u{4}".utf8)
  static let hdf5 = [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A]
  /// PROTO 2, LONG1 with PyTorch's number.
  private static let legacyMagic: [UInt8] = [
    0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  /// A target whose bytes stay in memory.
  private static func memory(
    _ name: String, seeds: @escaping @Sendable () throws -> [[UInt8]],
    body: @escaping @Sendable ([UInt8]) -> Void
  ) -> FuzzTarget {
    FuzzTarget(name: name, seeds: seeds, start: []) { (bytes, _) in body(bytes) }
  }

  /// A target whose bytes are a file.
  ///
  /// - Parameter patterns: which fixtures it starts from.
  private static func file(
    _ name: String, _ patterns: String..., start: [UInt8] = [], largest: Int = 20_000,
    body: @escaping @Sendable (_ bytes: [UInt8], _ path: String) -> Void = readFile
  ) -> FuzzTarget {
    let seeds = { @Sendable () throws in
      try patterns.flatMap { try fixtures($0, start: start, largest: largest) }
    }
    return FuzzTarget(name: name, seeds: seeds, start: start, body: body)
  }
}
