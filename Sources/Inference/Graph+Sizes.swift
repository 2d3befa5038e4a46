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
    var result: [(channels: Int, height: Int, width: Int)] = []
    var maps = MapBudget(input, allowed: limits[.mapExpansion], self)
    for (value, shape) in shapes.enumerated() {
      let size: (channels: Int, height: Int, width: Int) =
        switch shape {
        case .map(let channels, let height, let width): (channels!, height!, width!)
        case .vector(let channels): (channels!, 1, 1)
        }
      let (pixels, overflow) = size.height.multipliedReportingOverflow(by: size.width)
      let (count, isBeyond) = pixels.multipliedReportingOverflow(by: size.channels)
      // The images themselves are as large as they are.
      if value != Graph.input {
        guard maps.take(overflow || isBeyond ? .max : count, of: value) else {
          throw .limitExceeded(
            place: "'\(place(of: value - 1))'",
            what: "numbers in the maps of an image of \(input.height)x\(input.width) pixels",
            limit: maps.allowed, found: "with \(size.channels)x\(size.height)x\(size.width)",
            name: ReadingLimits.Limit.mapExpansion.name)
        }
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

/// Counts the numbers of the maps that are there at a time, until each was taken for the last time.
private struct MapBudget {
  let allowed: Int
  private let graph: Graph
  private let lastUse: [Int]
  private var counts: [Int]
  private var sum = 0

  /// - Parameter expansion: times the numbers of the image that there may be, beyond 2^24.
  init<Number>(_ image: FeatureMap<Number>, allowed expansion: Int, _ graph: Graph) {
    let (scaled, isBeyond) = (image.channels * image.height * image.width)
      .multipliedReportingOverflow(by: expansion)
    allowed = isBeyond ? .max : max(scaled, 1 << 24)
    self.graph = graph
    counts = [Int](repeating: 0, count: graph.nodes.count + 1)
    var lastUse = counts
    for (index, node) in graph.nodes.enumerated() {
      for value in node.inputs { lastUse[value] = index }
    }
    self.lastUse = lastUse
  }

  /// - Parameter value: the next one.
  /// - Returns: false if that is more than there may be.
  mutating func take(_ count: Int, of value: Int) -> Bool {
    guard count <= allowed - sum else { return false }
    sum += count
    counts[value] = count
    let node = value - 1
    for input in graph.nodes[node].inputs where lastUse[input] == node {
      sum -= counts[input]
      counts[input] = 0
    }
    return true
  }
}
