package import Checkpoints
package import Graphs
package import Reparameterization
package import Tensors

/// A network in deploy form, in float32, whose values are computed one by one, so that each can be looked at
/// and changed, and layers be given other parameters.
package struct StepwiseNetwork: Sendable {
  package let graph: Graph
  /// Channels of the images it takes; nil where the graph does not say it.
  package let inputChannels: Int?
  private let parameters: Parameters
  private let layers: [StepwiseLayer]

  /// Loads the parameters.
  ///
  /// - Parameters:
  ///   - tensors: those that the graph's operands are indices into.
  ///   - limits: of what the file that they are from may ask for.
  /// - Throws: `InferenceError.invalidGraph` if they do not fit each other; `ReadError`.
  package init(
    _ graph: Graph, _ tensors: [DeployTensor], channels: Int?,
    limits: ReadingLimits = ReadingLimits()
  ) throws {
    let parameters = Parameters(
      types: tensors.map { TensorType(.float32, $0.shape) },
      sources: tensors.map { tensor in
        switch tensor.contents {
        case .numbers(let numbers), .steps(let numbers, _):
          .computed(numbers, count: tensor.shape.elementCount)
        case .others(let tensor): .tensor(tensor)
        }
      }, limits: limits)
    do throws(GraphProblem) {
      _ = try graph.shapes(
        ofInput: .map(channels: channels, height: nil, width: nil), tensors: parameters.types)
    } catch {
      throw InferenceError.invalidGraph(error)
    }
    self.graph = graph
    self.parameters = parameters
    inputChannels = channels ?? graph.inputChannels(tensors: parameters.types)
    layers = try graph.nodes.map { try StepwiseLayer($0, parameters) }
  }

  /// The layer of a node with other numbers in its weight and bias.
  ///
  /// - Parameter bias: must be there if the node has one.
  /// - Throws: `ReadError`.
  package func layer(
    of node: Int, weights: [Float], bias: [Float]?
  ) throws -> StepwiseLayer {
    var sources = parameters.sources
    let node = graph.nodes[node]
    for (operand, numbers) in [("weight", weights), ("bias", bias ?? [])] {
      guard let tensor = node.operand(operand) else { continue }
      sources[tensor] = .tensor(
        try Tensor(float32: numbers, shape: parameters.types[tensor].shape, name: Name(operand)))
    }
    return try StepwiseLayer(
      node, Parameters(types: parameters.types, sources: sources, limits: parameters.limits))
  }

  /// Makes ready to compute with images of one size.
  ///
  /// - Parameter images: at a time, at most.
  /// - Throws: `InferenceError` if the network does not take them.
  package func computation(
    height: Int, width: Int, images: Int, channels: Int, threads: Threads
  ) throws(InferenceError) -> StepwiseComputation {
    if let inputChannels, channels != inputChannels {
      throw .wrongChannels(expected: inputChannels, found: channels)
    }
    let pool = WorkerPool<Float>(threads)
    // Nothing is computed with it; its size is what matters.
    let input = FeatureMap(
      channels: channels, images: images, height: height, width: width,
      buffer: NumberBuffer<Float>(0)
    )
    let sizes = try graph.sizes(
      of: input, tensors: parameters.types, limits: parameters.limits)
    // Of what is computed in two ways several values are kept.
    let largest = sizes.map { $0.channels * $0.height * $0.width }.max() ?? 0
    try requireMemory(
      for: 8 * images * largest, Float.self, "\(images) images of \(height)x\(width) pixels")
    return StepwiseComputation(network: self, layers: layers, sizes: sizes, pool: pool)
  }
}

/// What computes one value, with its parameters in memory.
package struct StepwiseLayer: Sendable {
  fileprivate let layer: Layer<Float>

  fileprivate init(_ node: Graph.Node, _ parameters: Parameters) throws {
    let kind = LayerKind<Float>.all.first { $0.kind == node.kind }!
    layer = try kind.make(NodeParameters(node: node, parameters: parameters))
  }
}

/// A network at work on images of one size.
package final class StepwiseComputation {
  package let network: StepwiseNetwork
  private let layers: [StepwiseLayer]
  private let sizes: [(channels: Int, height: Int, width: Int)]
  private let pool: WorkerPool<Float>

  fileprivate init(
    network: StepwiseNetwork, layers: [StepwiseLayer],
    sizes: [(channels: Int, height: Int, width: Int)], pool: WorkerPool<Float>
  ) {
    (self.network, self.layers, self.sizes, self.pool) = (network, layers, sizes, pool)
  }

  /// Images as the network's input.
  package func input(_ images: ImageBatch) -> NetworkValue {
    NetworkValue(images.map(0..<images.count, pool), pool)
  }

  /// What a node makes of its inputs, which stay as they are.
  ///
  /// - Parameter layer: of the node, with other parameters; nil for its own.
  package func value(
    of node: Int, _ inputs: [NetworkValue], by layer: StepwiseLayer? = nil
  ) -> NetworkValue {
    let size = sizes[node + 1]
    let call = LayerCall(
      inputs: inputs.map(\.map), isSpare: inputs.map { _ in false }, channels: size.channels,
      height: size.height, width: size.width, pool: pool)
    return NetworkValue((layer ?? layers[node]).layer.apply(call), pool)
  }
}

/// What flows through a network: numbers of the channels of positions of images. This is all that is known
/// outside of how they lie in memory.
package struct NetworkValue {
  fileprivate let map: FeatureMap<Float>
  private let pool: WorkerPool<Float>

  fileprivate init(_ map: FeatureMap<Float>, _ pool: WorkerPool<Float>) {
    self.map = map
    self.pool = pool
  }

  /// Positions of all images.
  package var positions: Int { map.positions }

  /// The smallest and the largest number; nil if one is infinite or not a number.
  package var bounds: ClosedRange<Float>? {
    // Safe: its own numbers.
    let numbers = unsafe UnsafeBufferPointer(
      start: map.buffer.start, count: map.channels * map.positions)
    var (least, largest, isFinite) = (Float.infinity, -Float.infinity, true)
    for index in 0..<numbers.count {
      let number = unsafe numbers[index]
      if number < least { least = number }
      if number > largest { largest = number }
      isFinite = isFinite && number.isFinite
    }
    return isFinite && least <= largest ? least...largest : nil
  }

  /// Of each channel the sum over all positions.
  package var sums: [Double] {
    var sums = [Double](repeating: 0, count: map.channels)
    for index in 0..<map.positions {
      let numbers = unsafe map.position(index)
      for channel in 0..<map.channels { sums[channel] += unsafe Double(numbers[channel]) }
    }
    return sums
  }

  /// Of each channel the sum over all positions, and that of the squares of what is left without `means`.
  package func squares(around means: [Double]) -> [Double] {
    var sums = [Double](repeating: 0, count: map.channels)
    for index in 0..<map.positions {
      let numbers = unsafe map.position(index)
      for channel in 0..<map.channels {
        let difference = unsafe Double(numbers[channel]) - means[channel]
        sums[channel] += difference * difference
      }
    }
    return sums
  }

  /// Rounded to steps, as QuantizeLinear and DequantizeLinear of ONNX do.
  package func rounded(to steps: IntegerArithmetic.Steps) -> NetworkValue {
    let scale = steps.scale
    let first = Float(steps.isSigned ? -128 : -steps.zeroPoint)
    let last = first + 255
    return unsafe changed { numbers in
      for index in 0..<numbers.count {
        var step = unsafe numbers[index] / scale
        if step < first { step = first }
        if step > last { step = last }
        // Beyond 2^23 there are integers only: to the nearest, of two equally near the even one.
        let beyond: Float = 0x1.8p23
        unsafe numbers[index] = ((step + beyond) - beyond) * scale
      }
    }
  }

  /// With a number added to each channel.
  package func adding(_ shifts: [Float]) -> NetworkValue {
    let channels = map.channels
    return unsafe changed { numbers in
      for start in stride(from: 0, to: numbers.count, by: channels) {
        for channel in 0..<channels { unsafe numbers[start + channel] += shifts[channel] }
      }
    }
  }

  private func changed(
    _ change: @Sendable (UnsafeMutableBufferPointer<Float>) -> Void
  ) -> NetworkValue {
    let copy = pool.map(
      channels: map.channels, images: map.images, height: map.height, width: map.width)
    let map = map
    unsafe copy.forEachBand(pool) { positions, numbers in
      // Safe: as many numbers, of the same positions.
      unsafe numbers.baseAddress!.update(
        from: map.position(positions.lowerBound), count: numbers.count)
      unsafe change(numbers)
    }
    return NetworkValue(copy, pool)
  }

  /// Its power, and that of what is different in another of the same size.
  package func power(andOfNoiseIn other: NetworkValue) -> (signal: Double, noise: Double) {
    var (signal, noise) = (0.0, 0.0)
    for index in 0..<map.positions {
      let (a, b) = unsafe (map.position(index), other.map.position(index))
      for channel in 0..<map.channels {
        let (number, difference) = unsafe (Double(a[channel]), Double(b[channel] - a[channel]))
        signal += number * number
        noise += difference * difference
      }
    }
    return (signal, noise)
  }
}
