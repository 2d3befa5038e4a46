internal import Tensors

/// How small the tensors of a file are made, without any loss.
public enum Compression: String, CaseIterable, Encodable, Sendable {
  /// As fast as a disk.
  case fast
  /// Some hundredths smaller, a hundred times slower. Reading is as fast.
  case max
}

/// A row of the table of codecs: how elements become the bytes that are stored, and back.
struct Codec: Sendable {
  /// The manifest's `codec`.
  let name: String
  /// How the planes of frames are coded; nil where the elements are stored as they are.
  let planes: PlaneCoding?

  static let all = [raw, planesZstd]

  /// The elements as they are.
  static let raw = Codec(name: "raw", planes: nil)

  /// Each plane of a frame as Zstandard, where that is shorter.
  static let planesZstd = Codec(
    name: "planes-zstd",
    planes: PlaneCoding(
      encoder: { ZstandardEncoder($0) }, decoders: Pool { FrameDecoder(ZstandardDecoder()) }))

  init?(named name: String) {
    guard let codec = Codec.all.first(where: { $0.name == name }) else { return nil }
    self = codec
  }

  private init(name: String, planes: PlaneCoding?) {
    self.name = name
    self.planes = planes
  }
}

/// Compresses planes, each by itself; used by one thread at a time.
protocol PlaneEncoder: Sendable {
  /// - Returns: how many bytes of `output` it takes; nil if they do not suffice.
  func encode(_ plane: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int?
}

/// Decodes planes, each by itself; used by one thread at a time.
protocol PlaneDecoder: Sendable {
  /// Fills all of `plane` with what `stored` is the code of.
  func decode(
    _ stored: UnsafeRawBufferPointer, into plane: UnsafeMutableRawBufferPointer
  ) throws(UndecodablePlane)
}

/// Bytes that are not the code of a plane, or not of one of that size.
struct UndecodablePlane: Error {
  var expected: String
  var found: String
}

/// A codec that stores frames, each as planes.
struct PlaneCoding: Sendable {
  let encoder: @Sendable (Compression) -> any PlaneEncoder
  let decoders: Pool<FrameDecoder>
}
