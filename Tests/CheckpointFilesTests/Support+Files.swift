import Tensors
import Testing

@testable import CheckpointFiles

/// The description of an error, with the path of the fixtures' folder taken off its start.
func printed(_ error: any Error) -> String {
  let text = String(describing: error)
  let prefix = fixturePath("")
  return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
}

extension ByteSource {
  func allBytes() throws -> [UInt8] {
    try bytes(0..<count, field: "everything")
  }
}
