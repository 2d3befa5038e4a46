public import Checkpoints
public import ImageFiles
public import Tensors

/// Images for a network, made ready a batch at a time.
public struct NetworkInput: Sendable {
  /// Images in all.
  public let count: Int
  /// Of one image: `C x H x W`.
  public let shape: Shape
  private let images: @Sendable (Range<Int>, Threads) throws -> ImageBatch

  /// Images in memory.
  public init(_ images: ImageBatch) {
    count = images.count
    shape = [images.channels, images.height, images.width]
    self.images = { range, _ in images[range] }
  }

  /// Pictures, which are read, scaled, cut and normalised, several at a time.
  public init(
    pictures paths: [String], _ preparation: ImagePreparation, _ convention: InputConvention
  ) {
    count = paths.count
    shape = [3, preparation.size, preparation.size]
    let size = preparation.size
    images = { range, threads in
      try ImageBatch.requireRoom(images: range.count, channels: 3, height: size, width: size)
      let images = try concurrentMap(of: Array(paths[range]), threads: threads) { path, _ in
        let picture = preparation.apply(to: try RGBImage(path: path))
        var numbers = [Float](repeating: 0, count: 3 * size * size)
        convention.write(picture, to: &numbers, at: 0)
        return numbers
      }
      return ImageBatch(Array(images.joined()), shape: [range.count, 3, size, size])
    }
  }

  /// Numbers spread evenly from -2 to 2, about what normalised pictures are: the same for a seed on every
  /// machine, exact in float32.
  ///
  /// - Parameter shape: `N x C x H x W`.
  /// - Throws: `InferenceError.imagesTooLarge`.
  public init(randomOf shape: Shape, seed: UInt64) throws(InferenceError) {
    try ImageBatch.requireRoom(
      images: shape[0], channels: shape[1], height: shape[2], width: shape[3])
    var generator = SplitMix64(seed: seed)
    let numbers = (0..<shape.elementCount).map { _ in
      Float(Int(generator.next() >> 40) - 1 << 23) * 0x1p-22
    }
    self.init(ImageBatch(numbers, shape: shape))
  }

  /// - Throws: `ReadError` for the first picture that cannot be read; `InferenceError.imagesTooLarge`.
  public func batch(_ range: Range<Int>, threads: Threads = .all) throws -> ImageBatch {
    try images(range, threads)
  }
}

extension RunnableNetwork {
  /// The logits for each image.
  ///
  /// - Parameters:
  ///   - batch: images that are made ready and computed at a time.
  ///   - progress: called with the number of images done since the last call.
  /// - Throws: `InferenceError` if the images do not fit the network; `ReadError`.
  public func logits(
    for input: NetworkInput, batch: Int = 16, threads: Threads = .all,
    progress: (Int) -> Void = { _ in }
  ) throws -> [[Double]] {
    var logits: [[Double]] = []
    try forEachBatch(of: input, batch: batch, threads: threads) {
      logits += $0
      progress($0.count)
    }
    return logits
  }

  /// Hands out the logits of one batch after the other.
  func forEachBatch(
    of input: NetworkInput, batch: Int, threads: Threads, _ body: ([[Double]]) -> Void
  ) throws {
    for start in stride(from: 0, to: input.count, by: batch) {
      let range = start..<min(start + batch, input.count)
      let images = try input.batch(range, threads: threads)
      body(try run(images, batch: batch, threads: threads).logits)
    }
  }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, section 4.
private struct SplitMix64 {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
