internal import CheckpointFiles
public import Checkpoints
internal import ImageFiles
public import Tensors

/// Images from a NumPy file, and their labels if it has some.
public struct InputArrays: Sendable {
  /// `N x C x H x W`.
  public let images: Tensor
  /// What the array is called; empty for that of an `.npy` file.
  public let name: String
  /// The classes that the images are of: an array `labels` of as many integers.
  public let labels: [Int]?

  /// Takes the array called `images`, or the only one of four axes.
  ///
  /// - Throws: `InferenceError.noImages`, `ReadError`.
  public init(path: String) throws {
    let arrays = try readArrays(path: path)
    let candidates = arrays.filter { $0.tensor.shape.rank == 4 }
    guard
      let images = candidates.first(where: { $0.name == "images" })
        ?? (candidates.count == 1 ? candidates[0] : nil)
    else {
      let found = arrays.prefix(6).map { "'\($0.name)' \($0.tensor.shape)" }
      throw InferenceError.noImages(
        path: path,
        reason:
          "no array is called 'images', and \(candidates.isEmpty ? "none" : "\(candidates.count)") "
          + "of \(found.joined(separator: ", ")) \(candidates.count > 1 ? "have" : "has") four axes",
        remedy:
          "Save them as numpy.savez(\"images.npz\", images=array), N x channels x height x width.")
    }
    let type = images.tensor.elementType
    guard type.isWeightType || type == .uint8 else {
      throw InferenceError.noImages(
        path: path, reason: "the images are of \(type.rawValue)",
        remedy: "Save them as float32, normalised as the network expects, or as uint8 pixels.")
    }
    guard images.tensor.shape.elementCount > 0 else {
      throw InferenceError.noImages(
        path: path, reason: "the array of images is \(images.tensor.shape)",
        remedy: "Save at least one image.")
    }
    self.images = images.tensor
    name = images.name
    labels = try arrays.first { $0.name == "labels" }.flatMap { array in
      try InputArrays.integers(array.tensor, count: images.tensor.shape[0])
    }
  }

  /// Whether the images are pixels, still to be normalised.
  public var arePixels: Bool { images.elementType == .uint8 }

  /// The images as numbers for a network: floating-point numbers as they are; bytes are taken for RGB
  /// pixels and become what `convention` says.
  ///
  /// - Throws: `InferenceError.noImages` if they are pixels and there is no convention; `ReadError`.
  public func batch(_ convention: InputConvention?) throws -> ImageBatch {
    guard arePixels else { return try ImageBatch(images) }
    guard let convention else {
      throw InferenceError.noImages(
        path: images.source.location.path,
        reason: "the images are pixels, and the network does not say how they become its input",
        remedy: "Save them as float32, normalised as the network expects.")
    }
    let shape = images.shape
    guard shape[1] == 3 else {
      throw InferenceError.wrongChannels(expected: 3, found: shape[1])
    }
    let bytes = try images.bytes()
    let area = shape[2] * shape[3]
    var numbers = [Float](repeating: 0, count: bytes.count)
    for plane in 0..<3 {
      let values = convention.values(ofPlane: plane)
      let color = convention.channelOrder == .rgb ? plane : 2 - plane
      for image in 0..<shape[0] {
        let (target, source) = (3 * image + plane, 3 * image + color)
        for index in 0..<area {
          numbers[target * area + index] = values[Int(bytes[source * area + index])]
        }
      }
    }
    return ImageBatch(numbers, shape: shape)
  }

  /// The elements of a vector of integers; nil if it is none, or of another length.
  private static func integers(_ tensor: Tensor, count: Int) throws(ReadError) -> [Int]? {
    guard tensor.shape == [count] else { return nil }
    let isSigned: Bool
    switch tensor.elementType {
    case .int8, .int16, .int32, .int64: isSigned = true
    case .uint8, .uint16, .uint32, .uint64: isSigned = false
    default: return nil
    }
    let bytes = try tensor.bytes()
    let size = tensor.elementType.byteCount
    return (0..<count).map { index in
      var bits: UInt64 = 0
      for byte in (0..<size).reversed() { bits = bits << 8 | UInt64(bytes[index * size + byte]) }
      let unused = 64 - 8 * size
      return isSigned
        ? Int(Int64(bitPattern: bits << unused) >> unused) : Int(truncatingIfNeeded: bits)
    }
  }
}
