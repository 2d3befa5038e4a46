import Blocks
import Checkpoints
import Conversion
import Foundation
import Naming
import Tensors

/// What is fed with arbitrary bytes. Any error is right; a crash, a hang or a leak is not.
enum FuzzTarget: String, CaseIterable {
  /// A file: opened as whatever its first bytes say it is, its names recognised, its tensors read.
  case checkpoint
  /// The text of a dialect.
  case dialect
  /// A rule of `--rename`, an end of line, and names one in a line.
  case rename

  /// The largest tensor that is read.
  private static let largestTensor = 1 << 20

  /// - Parameter scratch: a path that may be written to.
  func run(_ bytes: [UInt8], scratch: String) {
    switch self {
    case .checkpoint: FuzzTarget.readFile(bytes, scratch)
    case .dialect:
      _ = try? Dialect(text: String(decoding: bytes, as: UTF8.self), place: "fuzz")
    case .rename: FuzzTarget.rename(String(decoding: bytes, as: UTF8.self))
    }
  }

  private static func readFile(_ bytes: [UInt8], _ path: String) {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
      fatalError("cannot write \(path)")
    }
    guard let checkpoint = try? openCheckpoint(path) else { return }
    for stateDict in checkpoint.stateDicts.prefix(4) {
      for named in stateDict.tensors.prefix(64) where named.tensor.byteCount <= largestTensor {
        _ = try? named.tensor.bytes()
      }
    }
    try? checkpoint.verifyWhole?()
    guard let network = try? Network(recognising: checkpoint) else { return }
    for block in network.blocks { _ = network.hasIdentity(block) }
  }

  private static func rename(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let rule = try? Correspondence(lines[0]) else { return }
    let place = Location(path: "fuzz")
    let zero = MemoryBytes([0, 0, 0, 0], location: place)
    let tensors = lines.dropFirst().compactMap { name in
      (try? Tensor(.float32, shape: [1], in: zero, at: 0, name: name)).map { NamedTensor(name, $0) }
    }
    let checkpoint = Checkpoint(
      path: "fuzz", container: "", family: "pytorch", byteCount: 0,
      stateDicts: [StateDict(tensors: tensors)])
    _ = try? Network(recognising: checkpoint, renames: [rule])
  }
}
