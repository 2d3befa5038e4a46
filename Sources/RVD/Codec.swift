internal import Tensors

/// A row of the table of codecs: how elements become the bytes that are stored, and back.
struct Codec: Sendable {
  /// The manifest's `codec`.
  let name: String
  /// How many bytes it stores of elements that take `byteCount`; nil where that depends on them.
  let storedByteCount: @Sendable (_ byteCount: Int) -> Int?
  /// The elements' bytes, any range of which can be read, given the stored ones.
  let decoded: @Sendable (_ stored: any ByteSource, _ byteCount: Int) -> any ByteSource

  static let all = [raw]

  /// The elements as they are.
  static let raw = Codec(
    name: "raw", storedByteCount: { $0 }, decoded: { stored, _ in stored })

  init?(named name: String) {
    guard let codec = Codec.all.first(where: { $0.name == name }) else { return nil }
    self = codec
  }

  private init(
    name: String, storedByteCount: @escaping @Sendable (Int) -> Int?,
    decoded: @escaping @Sendable (any ByteSource, Int) -> any ByteSource
  ) {
    self.name = name
    self.storedByteCount = storedByteCount
    self.decoded = decoded
  }
}

extension Codec: Equatable {
  static func == (a: Codec, b: Codec) -> Bool { a.name == b.name }
}
