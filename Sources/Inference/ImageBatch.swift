public import Tensors

/// Images as numbers, ready for a network: `N x C x H x W`, normalised as it expects.
public struct ImageBatch: Sendable {
  /// Of the array, `count x channels x height x width`.
  public let count, channels, height, width: Int
  let numbers: Numbers

  enum Numbers: Sendable {
    case floats([Float])
    case doubles([Double])
  }

  /// Numbers that images which are yet to be made may have in all: 2 GB in float32.
  static let largestCount = 1 << 29

  /// - Throws: `InferenceError.imagesTooLarge`, `noMemory`.
  static func requireRoom(images: Int, channels: Int, height: Int, width: Int)
    throws(InferenceError)
  {
    guard images <= largestCount / channels / height / width else {
      throw .imagesTooLarge(images: images, height: height, width: width)
    }
    // As they are made, one by one, and together.
    try requireMemory(for: 3 * images * channels * height * width, Float.self, "the images")
  }

  /// - Parameter shape: `N x C x H x W`, as many as there are numbers.
  public init(_ numbers: [Float], shape: Shape) {
    precondition(shape.rank == 4 && shape.elementCount == numbers.count)
    self.init(.floats(numbers), shape)
  }

  /// - Parameter shape: `N x C x H x W`, as many as there are numbers.
  public init(_ numbers: [Double], shape: Shape) {
    precondition(shape.rank == 4 && shape.elementCount == numbers.count)
    self.init(.doubles(numbers), shape)
  }

  /// Reads all images of an array.
  ///
  /// - Parameter tensor: `N x C x H x W`, of a weight type; float64 is kept as it is.
  /// - Throws: `ReadError`.
  public init(_ tensor: Tensor) throws(ReadError) {
    precondition(tensor.shape.rank == 4 && tensor.isWeight)
    if tensor.fitsFloat {
      try requireMemory(for: tensor.shape.elementCount, Float.self, at: tensor.source.location)
      var floats = [Float](repeating: 0, count: tensor.shape.elementCount)
      try tensor.readNumbers(0..<floats.count, into: &floats)
      self.init(.floats(floats), tensor.shape)
    } else {
      self.init(.doubles(try tensor.doubles()), tensor.shape)
    }
  }

  /// The images of all, in float32.
  ///
  /// - Parameter batches: at least one, all of one size.
  package init(joining batches: [ImageBatch]) {
    let first = batches[0]
    let floats = batches.flatMap { batch in
      switch batch.numbers {
      case .floats(let floats): floats
      case .doubles(let doubles): doubles.map { Float($0) }
      }
    }
    self.init(
      floats,
      shape: [
        batches.reduce(0) { $0 + $1.count }, first.channels, first.height, first.width,
      ])
  }

  private init(_ numbers: Numbers, _ shape: Shape) {
    self.numbers = numbers
    (count, channels, height, width) = (shape[0], shape[1], shape[2], shape[3])
  }

  /// `N x C x H x W`.
  public var shape: Shape { [count, channels, height, width] }

  /// Some of the images.
  public subscript(range: Range<Int>) -> ImageBatch {
    let size = channels * height * width
    let part = range.lowerBound * size..<range.upperBound * size
    let shape: Shape = [range.count, channels, height, width]
    return switch numbers {
    case .floats(let floats): ImageBatch(Array(floats[part]), shape: shape)
    case .doubles(let doubles): ImageBatch(Array(doubles[part]), shape: shape)
    }
  }

  /// The images of `range` in the order of `FeatureMap`: `N x H x W x C`.
  func map<Number>(_ range: Range<Int>, _ pool: WorkerPool<Number>) -> FeatureMap<Number> {
    let map = pool.map(channels: channels, images: range.count, height: height, width: width)
    switch numbers {
    case .floats(let floats): copy(floats, range, to: map)
    case .doubles(let doubles): copy(doubles, range, to: map)
    }
    return map
  }

  private func copy<Source: NetworkNumber, Number>(
    _ source: [Source], _ range: Range<Int>, to map: FeatureMap<Number>
  ) {
    let area = height * width
    for (position, image) in range.enumerated() {
      for channel in 0..<channels {
        // Safe: the positions of one image.
        let target = unsafe map.position(position * area) + channel
        let start = (image * channels + channel) * area
        for index in 0..<area { unsafe target[index * channels] = Number(source[start + index]) }
      }
    }
  }
}
