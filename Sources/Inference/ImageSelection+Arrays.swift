internal import CheckpointFiles
public import Checkpoints
internal import ImageFiles
internal import Tensors

extension ImageSelection {
  /// Images from a NumPy file, and their labels if it has some: the array called `images`, or the only one
  /// of four axes, `N x C x H x W`, and the classes that they are of in an array `labels` of as many
  /// integers.
  ///
  /// Floating-point numbers are taken as they are; bytes are taken for RGB pixels.
  ///
  /// - Parameter convention: what pixels become; nil if it is not known.
  /// - Throws: `InferenceError.noImages`, also if they are pixels and there is no convention; `ReadError`.
  public init(arrays path: String, _ convention: InputConvention?) throws {
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
    let shape = images.tensor.shape
    guard shape.elementCount > 0 else {
      throw InferenceError.noImages(
        path: path, reason: "the array of images is \(shape)", remedy: "Save at least one image.")
    }
    labels = try arrays.first { $0.name == "labels" }.flatMap {
      try integers($0.tensor, count: shape[0])
    }
    source = .array(path: path, name: images.name)
    guard type == .uint8 else {
      input = NetworkInput(try ImageBatch(images.tensor))
      return
    }
    guard let convention else {
      throw InferenceError.noImages(
        path: images.tensor.source.location.path,
        reason: "the images are pixels, and the network does not say how they become its input",
        remedy: "Save them as float32, normalised as the network expects.")
    }
    self.convention = convention
    input = NetworkInput(try pixels(images.tensor, convention))
  }
}

/// Pixels, `N x 3 x H x W` in RGB, as the numbers that a network of this convention takes.
private func pixels(_ images: Tensor, _ convention: InputConvention) throws -> ImageBatch {
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
private func integers(_ tensor: Tensor, count: Int) throws(ReadError) -> [Int]? {
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
