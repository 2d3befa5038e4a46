internal import Graphs
internal import Tensors

/// What computes one value of a network, with its parameters in memory.
///
/// A layer makes no checks: shapes are those that the graph's one rule gives.
protocol Layer<Number>: Sendable {
  associatedtype Number: NetworkNumber

  func apply(_ call: LayerCall<Number>) -> FeatureMap<Number>

  /// The layer with a ReLU behind it, if it does that in passing; else nil.
  func withReLU() -> Self?
}

extension Layer {
  func withReLU() -> Self? { nil }
}

/// What a layer is given to compute with.
struct LayerCall<Number: NetworkNumber> {
  let inputs: [FeatureMap<Number>]
  /// For each input whether it is not needed any more, so that it may become the result.
  let isSpare: [Bool]
  /// Of the result.
  let channels, height, width: Int
  let pool: WorkerPool<Number>

  var images: Int { inputs[0].images }

  /// A map for the result, whose numbers are not defined.
  func result() -> FeatureMap<Number> {
    pool.map(channels: channels, images: images, height: height, width: width)
  }

  /// The numbers of an input, to be changed: the input itself, or a copy.
  func changeable(_ index: Int = 0) -> FeatureMap<Number> {
    let input = inputs[index]
    if isSpare[index] { return input }
    let copy = pool.map(
      channels: input.channels, images: input.images, height: input.height, width: input.width)
    unsafe pool.forEachTask(below: input.channels) { channel, _ in
      // Safe: one channel of both, which no other task works on.
      unsafe copy.plane(channel).update(from: input.plane(channel), count: input.columns)
    }
    return copy
  }
}

/// A row of the table of layers: how a kind of node is computed.
///
/// A new operation is a row here, beside the one in `NodeKind.all`.
struct LayerKind<Number: NetworkNumber> {
  let kind: NodeKind
  /// Loads the parameters.
  let make: (NodeParameters<Number>) throws -> any Layer<Number>

  init(
    _ kind: NodeKind, _ make: @escaping (NodeParameters<Number>) throws -> any Layer<Number>
  ) {
    self.kind = kind
    self.make = make
  }

  static var all: [LayerKind] {
    [
      .convolution, .linear, .add, .multiply, .scale, .concatenate, .flatten, .globalAveragePool,
      .averagePool, .maxPool, .upsampleNearest, .pixelShuffle, .relu, .relu6, .prelu, .sigmoid,
      .silu, .tanh, .gelu, .geluTanh, .hardSigmoid, .hardSwish, .softmax,
    ]
  }
}

/// A node of a checked graph, and where its parameters are.
struct NodeParameters<Number: NetworkNumber> {
  let node: Graph.Node
  let index: Int
  let source: any ParameterProvider

  /// The numbers of an operand; nil where it is absent.
  func numbers(ifPresent operand: String) throws -> [Number]? {
    try node.operand(operand).map { try source.parameter($0).numbers() }
  }

  func numbers(_ operand: String) throws -> [Number] {
    try numbers(ifPresent: operand)!
  }

  func shape(_ operand: String) -> Shape { source.tensors[node.operand(operand)!].shape }

  /// A pair of the node's attributes.
  func pair(_ attribute: String) -> (y: Int, x: Int) {
    let values = node.attribute(attribute)
    return (values[0], values[1])
  }
}
