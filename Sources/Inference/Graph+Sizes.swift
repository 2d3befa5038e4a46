internal import Graphs
internal import Tensors

extension Graph {
  /// Channels, height and width of every value.
  ///
  /// - Throws: `InferenceError` if the images do not fit, or are too many at once, or a map is far larger than
  ///   they are.
  func sizes<Number>(
    of input: FeatureMap<Number>, tensors: [TensorType], limits: ReadingLimits
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
        throw .imagesTooSmall(
          height: input.height, width: input.width,
          block: error.node.map(place(of:)) ?? "the input")
      case .contradiction:
        throw .imagesDoNotFit(height: input.height, width: input.width, problem: error)
      }
    }
    let (scaled, isBeyond) = (input.channels * input.height * input.width)
      .multipliedReportingOverflow(by: limits[.mapExpansion])
    let largestMap = isBeyond ? .max : max(scaled, 1 << 24)
    var result: [(channels: Int, height: Int, width: Int)] = []
    for (value, shape) in shapes.enumerated() {
      let size: (channels: Int, height: Int, width: Int) =
        switch shape {
        case .map(let channels, let height, let width): (channels!, height!, width!)
        case .vector(let channels): (channels!, 1, 1)
        }
      let (pixels, overflow) = size.height.multipliedReportingOverflow(by: size.width)
      // The images themselves are as large as they are.
      guard value == Graph.input || !overflow && pixels <= largestMap / max(1, size.channels) else {
        throw .limitExceeded(
          place: "'\(place(of: value - 1))'",
          what: "numbers in a map of an image of \(input.height)x\(input.width) pixels",
          limit: largestMap, found: "\(size.channels)x\(size.height)x\(size.width)",
          name: ReadingLimits.Limit.mapExpansion.name)
      }
      // A map that is larger than memory would not be had.
      guard !overflow, pixels <= largestMatrixSize / input.images,
        pixels * input.images <= memoryBytes / MemoryLayout<Number>.stride / max(1, size.channels)
      else { throw tooLarge }
      result.append(size)
    }
    return result
  }
  /// What to call a node in errors: by its block, if it has one.
  private func place(of node: Int) -> String {
    nodes[node].block.map(printable) ?? "operation \(node)"
  }
}
