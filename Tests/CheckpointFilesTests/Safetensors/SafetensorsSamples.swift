import Checkpoints
import Tensors

@testable import CheckpointFiles

/// Files put together by hand, for suites that conform.
protocol SafetensorsSamples {}

extension SafetensorsSamples {
  /// A file of this header and as many bytes of data, 0, 1, 2, ...
  static func file(_ header: [UInt8], data: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(header.count, width: 8)
    return bytes + header + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
  }

  static func file(_ header: String, data: Int = 0) -> [UInt8] {
    file(Array(header.utf8), data: data)
  }

  static func read(_ bytes: [UInt8]) throws(ReadError) -> Checkpoint {
    try SafetensorsFile.read(MemoryBytes(bytes, location: Location(path: "w.safetensors")))
  }

  /// One entry, without braces.
  static func entry(
    _ name: String = "w", dtype: String = "\"F32\"", shape: String = "[2]",
    offsets: String = "[0,8]",
    extra: String = ""
  ) -> String {
    "\"\(name)\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)\(extra)}"
  }

  static func one(
    dtype: String = "\"F32\"", shape: String = "[2]", offsets: String = "[0,8]", extra: String = "",
    data: Int = 8
  ) -> [UInt8] {
    file("{\(entry(dtype: dtype, shape: shape, offsets: offsets, extra: extra))}", data: data)
  }
}
