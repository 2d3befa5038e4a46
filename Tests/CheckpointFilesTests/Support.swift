import Checkpoints
import Foundation
import Pickle
import Tensors

@testable import CheckpointFiles

/// The path of a file below `Tests/Fixtures`.
func fixturePath(_ name: String, from file: String = #filePath) -> String {
  URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/\(name)").path(percentEncoded: false)
}

/// The lines of a table, cut at tabs.
func table(_ name: String) throws -> [[String]] {
  try String(contentsOfFile: fixturePath(name), encoding: .utf8).split(separator: "\n")
    .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
}

func parse(_ bytes: [UInt8], path: String = "test.pkl") throws(ReadError) -> ObjectGraph {
  try Unpickler.parse(MemoryBytes(bytes, location: Location(path: path)))
}

func parse(fixture name: String) throws(ReadError) -> ObjectGraph {
  try Unpickler.parse(InputFile(path: fixturePath(name)))
}

/// Reads a file that MegEngine, or NumPy, may have written.
func megEngineCheckpoint(_ name: String) throws -> Checkpoint {
  let file = try InputFile(path: fixturePath(name))
  return try MegEngineCheckpoint.read(Unpickler.parse(file), file: file)
}

extension String {
  /// `\u{..}` up to `\u{FF}` as single bytes.
  var latin1: [UInt8] { unicodeScalars.map { UInt8($0.value) } }
}

func fixtureData(_ name: String) throws -> Data {
  try Data(contentsOf: URL(filePath: fixturePath(name)))
}
