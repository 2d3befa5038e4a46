internal import Graphs
internal import Tensors

/// What computes one value of a network, with its parameters in memory.
///
/// A layer makes no checks: shapes are those that the graph's one rule gives. It is a closure, not a
/// value of a protocol: through witnesses, which know no more than that `Number` is some number, loops
/// would run a third as fast.
struct Layer<Number: NetworkNumber>: Sendable {
  let apply: @Sendable (LayerCall<Number>) -> FeatureMap<Number>
  /// Whether it does a ReLU behind it in passing, if the call says that there is one.
  var takesReLU = false
}

/// What a layer is given to compute with.
struct LayerCall<Number: NetworkNumber> {
  let inputs: [FeatureMap<Number>]
  /// For each input whether it is not needed any more, so that it may become the result.
  let isSpare: [Bool]
  /// Of the result.
  let channels, height, width: Int
  let pool: WorkerPool<Number>
  /// Whether a ReLU follows, of a layer that takes one.
  var hasReLU = false

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
    unsafe copy.forEachBand(pool) { positions, numbers in
      unsafe numbers.baseAddress!.update(
        from: input.position(positions.lowerBound), count: numbers.count)
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
  let make: (NodeParameters<Number>) throws -> Layer<Number>

  init(_ kind: NodeKind, make: @escaping (NodeParameters<Number>) throws -> Layer<Number>) {
    self.kind = kind
    self.make = make
  }

  /// Of a node without parameters.
  init(_ kind: NodeKind, apply: @escaping @Sendable (LayerCall<Number>) -> FeatureMap<Number>) {
    self.init(kind, make: { _ in Layer(apply: apply) })
  }

  static var all: [LayerKind] {
    [
      .convolution, .linear, .add, .multiply, .scale, .batchNorm, .layerNorm, .globalResponseNorm,
      .attention, .concatenate, .flatten, .globalAveragePool, .averagePool, .maxPool,
      .upsampleNearest, .pixelShuffle, .relu, .relu6, .prelu, .sigmoid,
      .silu, .tanh, .gelu, .geluTanh, .hardSigmoid, .hardSwish, .softmax,
    ]
  }
}

/// A node of a checked graph, and where its parameters are.
struct NodeParameters<Number: NetworkNumber> {
  let node: Graph.Node
  let parameters: Parameters

  /// The numbers of an operand; nil where it is absent.
  func numbers(ifPresent operand: String) throws -> [Number]? {
    try node.operand(operand).map { try parameters.numbers(of: $0) }
  }

  func numbers(_ operand: String) throws -> [Number] { try numbers(ifPresent: operand)! }

  func shape(_ operand: String) -> Shape { parameters.types[node.operand(operand)!].shape }

  /// A pair of the node's attributes.
  func pair(_ attribute: String) -> (y: Int, x: Int) {
    let values = node.attribute(attribute)
    return (values[0], values[1])
  }
}
