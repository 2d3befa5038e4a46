public import Checkpoints
public import ImageFiles
public import Tensors

extension ImageBatch {
  /// Reads, scales, cuts and normalises pictures, several at a time.
  ///
  /// - Throws: `ReadError` for the first picture that cannot be read; `InferenceError.imagesTooLarge`.
  public init(
    pictures paths: [String], _ preparation: ImagePreparation, _ convention: InputConvention,
    threads: Threads = .all
  ) throws {
    let size = preparation.size
    try ImageBatch.requireRoom(images: paths.count, channels: 3, height: size, width: size)
    let images = try concurrentMap(of: paths, threads: threads) { path, _ in
      let picture = preparation.apply(to: try RGBImage(path: path))
      var numbers = [Float](repeating: 0, count: 3 * size * size)
      convention.write(picture, to: &numbers, at: 0)
      return numbers
    }
    self.init(
      Array(images.joined()), shape: [paths.count, 3, size, size])
  }
}
