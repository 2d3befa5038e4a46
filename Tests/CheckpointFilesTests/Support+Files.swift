import Foundation
import Tensors

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

/// A file that is there as long as the object.
final class TemporaryFile {
  let path: String

  init(_ write: (OutputFile) throws -> Void) throws {
    path = FileManager.default.temporaryDirectory
      .appending(path: "repconv-\(UUID().uuidString)").path(percentEncoded: false)
    let file = try OutputFile(path: path, replace: false)
    try write(file)
    try file.commit()
  }

  convenience init(_ bytes: [UInt8]) throws {
    try self.init { try $0.append(bytes) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
