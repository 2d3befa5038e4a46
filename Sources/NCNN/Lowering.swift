internal import Graphs
internal import Tensors

/// A network in ncnn's words: layers that know each other by the names of their results.
struct Layers {
  /// What a layer is told under a number.
  enum Parameter {
    case integer(Int)
    case float(Double)
    case integers([Int])
  }

  struct Layer {
    /// ncnn's name of the kind: `Convolution`.
    var type: String
    var name: String
    var inputs: [String]
    var outputs: [String]
    var parameters: [Int: Parameter] = [:]
    var weights: [Weight] = []
  }

  /// Elements in the file of weights.
  enum Weight {
    /// Behind a number that says their type.
    case tagged(OutputTensor)
    /// As float32.
    case plain(OutputTensor)
  }

  var layers: [Layer] = []
}

/// A graph on its way to ncnn's words, and the node of it that is being put into them.
///
/// An image is a matrix of three axes, channels, height and width, and a vector one of one axis.
struct Lowering: GraphLowering {
  private(set) var result = Layers()
  let tensors: [OutputTensor]
  let shapes: [ValueShape]
  /// Names of them.
  private(set) var values: [String] = []
  private var names = UniqueNames()
  private(set) var node = Graph.Node(.flatten, inputs: [])

  /// - Parameters:
  ///   - shapes: of the graph's values.
  ///   - tensors: those that its operands are indices into, without scales.
  init(_ graph: Graph, shapes: [ValueShape], tensors: [OutputTensor]) {
    self.tensors = tensors
    self.shapes = shapes
    let (input, output) = (unique("input"), unique("output"))
    let (channels, height, width) = shapes[0].mapSizes
    result.layers.append(
      Layers.Layer(
        type: "Input", name: input, inputs: [], outputs: [input],
        parameters: [0: .integer(width), 1: .integer(height), 2: .integer(channels)]))
    values.append(input)
    for node in graph.nodes {
      self.node = node
      values.append(LayerRow.table[node.kind].lower(&self))
    }
    result.layers[result.layers.count - 1].outputs = [output]
    split()
  }

  /// A result that several layers take is copied for each of them: ncnn's layers may overwrite what they
  /// take.
  private mutating func split() {
    var uses: [String: Int] = [:]
    for input in result.layers.flatMap(\.inputs) { uses[input, default: 0] += 1 }
    var copies: [String: [String]] = [:]
    var layers: [Layers.Layer] = []
    for var layer in result.layers {
      layer.inputs = layer.inputs.map { copies[$0]?.removeFirst() ?? $0 }
      layers.append(layer)
      for output in layer.outputs where uses[output, default: 0] > 1 {
        let name = unique("\(output)/Split")
        copies[output] = (0..<uses[output]!).map { unique("\(name)_\($0)") }
        layers.append(
          Layers.Layer(type: "Split", name: name, inputs: [output], outputs: copies[output]!))
      }
    }
    result.layers = layers
  }

  private mutating func unique(_ wanted: Name) -> String { names.next(wanted).text }

  // MARK: What rows are made of

  /// A tensor of the node; nil if the node has none.
  func tensor(_ operand: String) -> OutputTensor? { node.operand(operand).map { tensors[$0] } }

  /// Appends a layer that belongs to the node.
  ///
  /// - Returns: the name of its result.
  mutating func append(
    _ type: String, _ inputs: [String], _ parameters: [Int: Layers.Parameter] = [:],
    weights: [Layers.Weight] = []
  ) -> String {
    append(type, inputs, parameters, weights: weights, outputs: 1)[0]
  }

  /// Likewise, one of several results.
  mutating func append(
    _ type: String, _ inputs: [String], _ parameters: [Int: Layers.Parameter],
    weights: [Layers.Weight] = [], outputs count: Int
  ) -> [String] {
    // Blanks are what names end with.
    let owner = (node.block.map { $0.text + "/" } ?? "").map { $0.isWhitespace ? "_" : $0 }
    let name = unique("\(String(owner))\(type)")
    let outputs = count == 1 ? [name] : (0..<count).map { unique("\(name)_\($0)") }
    result.layers.append(
      Layers.Layer(
        type: type, name: name, inputs: inputs, outputs: outputs, parameters: parameters,
        weights: weights))
    return outputs
  }

  /// One number for each channel, or one for all, as a value that stands beside what the node takes.
  ///
  /// - Returns: nil if the node has none.
  mutating func channels(_ operand: String) -> String? {
    guard let tensor = tensor(operand) else { return nil }
    let count = tensor.shape[0]
    return append(
      "MemoryData", [],
      takesMap && count > 1
        ? [0: .integer(1), 1: .integer(1), 2: .integer(count)] : [0: .integer(count)],
      weights: [.plain(tensor)])
  }
}
