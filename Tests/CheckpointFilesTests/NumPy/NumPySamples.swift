import Checkpoints
import Tensors
import Testing

@testable import CheckpointFiles

/// Arrays and archives put together by hand, for suites that conform.
protocol NumPySamples {}

extension NumPySamples {
  static func array(
    _ text: String, version: UInt8 = 1, data: Int = 0
  ) -> [UInt8] {
    var bytes = [0x93] + Array("NUMPY".utf8) + [version, 0]
    bytes.appendLittleEndian(text.utf8.count, width: version == 1 ? 2 : 4)
    return bytes + Array(text.utf8) + [UInt8](repeating: 0, count: data)
  }

  static func header(
    descr: String = "'<f4'", order: String = "False", shape: String = "(2,)"
  ) -> String {
    "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n"
  }

  static func archive(_ members: [(String, [UInt8])]) throws -> TemporaryFile {
    try TemporaryFile { file in
      var archive = StoredZipWriter(file)
      for (name, bytes) in members { archive.add(name, bytes) }
      try archive.finish()
    }
  }

  static func read(_ members: [(String, [UInt8])]) throws -> Checkpoint {
    let file = try archive(members)
    return try readCheckpoint(path: file.path)
  }

  /// The description of the error that reading throws, without the path.
  static func refusal(_ members: [(String, [UInt8])]) throws -> String {
    let file = try archive(members)
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: file.path) }
    return String(describing: try #require(error)).replacing(file.path, with: "")
      .split(separator: "\n")[0].description
  }

  /// A sound array.
  static var one: [UInt8] { array(header(), data: 8) }

  /// A one-dimensional array of strings of 4 characters.
  static func strings(_ strings: [String]) -> [UInt8] {
    let data = strings.flatMap { (string) -> [UInt8] in
      let points = string.unicodeScalars.map(\.value) + [UInt32](repeating: 0, count: 4)
      return points.prefix(4).flatMap { (point) -> [UInt8] in [UInt8(point), 0, 0, 0] }
    }
    return array(header(descr: "'<U4'", shape: "(\(strings.count),)")) + data
  }
}
