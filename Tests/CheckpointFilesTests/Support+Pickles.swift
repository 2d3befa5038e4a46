import Checkpoints
import Foundation
import Pickle
import Tensors
import TestSupport

@testable import CheckpointFiles

func parse(
  _ bytes: [UInt8], path: String = "test.pkl", limits: ReadingLimits = ReadingLimits()
) throws(ReadError) -> ObjectGraph {
  try Unpickler.parse(MemoryBytes(bytes, location: Location(path: path), limits: limits))
}

func parse(fixture name: String) throws(ReadError) -> ObjectGraph {
  try Unpickler.parse(InputFile(path: Fixtures.path(name)))
}

/// Reads a file that MegEngine, or NumPy, may have written.
func megEngineCheckpoint(_ name: String) throws -> Checkpoint {
  let file = try InputFile(path: Fixtures.path(name))
  return try MegEngineCheckpoint.read(Unpickler.parse(file), file: file)
}

extension String {
  /// `\u{..}` up to `\u{FF}` as single bytes.
  var latin1: [UInt8] { unicodeScalars.map { UInt8($0.value) } }
}
