import Foundation
import Tensors

@testable import CheckpointFiles

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
