internal import Graphs
internal import Tensors

extension Graph {
  /// Channels, height and width of every value.
  ///
  /// - Throws: `InferenceError` if the images do not fit, or are too many at once.
  func sizes<Number>(
    of input: FeatureMap<Number>, tensors: [TensorType]
  ) throws(InferenceError) -> [(channels: Int, height: Int, width: Int)] {
    let tooLarge = InferenceError.imagesTooLarge(
      images: input.images, height: input.height, width: input.width)
    let shapes: [ValueShape]
    do throws(GraphProblem) {
      shapes = try self.shapes(
        ofInput: .map(channels: input.channels, height: input.height, width: input.width),
        tensors: tensors)
    } catch {
      switch error.cause {
      case .tooLarge: throw tooLarge
      case .tooSmall:
        let place = error.node.map { nodes[$0].block.map(printable) ?? "operation \($0)" }
        throw .imagesTooSmall(
          height: input.height, width: input.width, block: place ?? "the input")
      case .contradiction:
        throw .imagesDoNotFit(height: input.height, width: input.width, problem: error)
      }
    }
    var result: [(channels: Int, height: Int, width: Int)] = []
    for shape in shapes {
      let size: (channels: Int, height: Int, width: Int) =
        switch shape {
        case .map(let channels, let height, let width): (channels!, height!, width!)
        case .vector(let channels): (channels!, 1, 1)
        }
      let (pixels, overflow) = size.height.multipliedReportingOverflow(by: size.width)
      // A map that is larger than memory would not be had.
      guard !overflow, pixels <= largestMatrixSize / input.images,
        pixels * input.images <= memoryBytes / MemoryLayout<Number>.stride / max(1, size.channels)
      else { throw tooLarge }
      result.append(size)
    }
    return result
  }
}
