internal import Checkpoints
internal import Graphs
internal import Tensors

/// A network in ONNX's words: nodes that know each other and their tensors by name.
struct ONNXGraph {
  /// What an attribute can be.
  enum Attribute {
    case float(Float)
    case integer(Int)
    case integers([Int])
    case string(String)
  }

  struct Node {
    /// ONNX's name of the operation: `Conv`.
    var operation: String
    /// Names of values; empty where an optional one is absent.
    var inputs: [Name]
    var output: Name
    var name: Name
    var attributes: [String: Attribute]
  }

  /// A tensor under its name.
  struct Initializer {
    enum Source: Equatable {
      /// A tensor of the model.
      case tensor(Int)
      /// Scales of an earlier initializer.
      case scales(of: Int)
      /// Of the steps that the network computes in.
      case integers
      /// A constant, or a tensor once more in another shape.
      case none
    }

    /// Elements, in the shape that the nodes want; its name is the value's.
    var tensor: OutputTensor
    var source: Source
  }

  var nodes: [Node] = []
  var initializers: [Initializer] = []
  var input: Name = ""
  var output: Name = ""
}

/// A graph on its way to ONNX's words, and the node of it that is being put into them.
struct Lowering: GraphLowering {
  private(set) var result = ONNXGraph()
  let operatorSet: Int
  /// What all values are of, and all tensors but int8 weights.
  let elementType: ElementType
  let tensors: [OutputTensor]
  let shapes: [ValueShape]
  let integers: IntegerArithmetic
  /// Names of them.
  private(set) var values: [Name] = []
  /// Names of initializers, by the tensor and the shape that it has, and of constants by their number.
  private var initializers: [Use: Name] = [:]
  private var names: UniqueNames
  private(set) var node = Graph.Node(.flatten, inputs: [])

  enum Use: Hashable {
    case tensor(Int, [Int])
    case weights(Int, [Int])
    case constant(Double)
    case upsampling([Int])
    case integers([Int])
    case nothing
    case bias(Int, Float)
    case biasScale(Int, Float)
    case scale(Float)
    case zeroPoint(Int, isSigned: Bool)
  }

  /// - Parameters:
  ///   - shapes: of the graph's values.
  ///   - tensors: those that its operands are indices into.
  ///   - integers: nil for a network that computes in floating-point numbers.
  init(
    _ graph: Graph, shapes: [ValueShape], tensors: [OutputTensor], elementType: ElementType,
    integers: IntegerArithmetic? = nil, operatorSet: Int
  ) throws {
    self.integers = integers ?? IntegerArithmetic()
    self.operatorSet = operatorSet
    self.elementType = elementType
    self.tensors = tensors
    self.shapes = shapes
    names = UniqueNames(taken: tensors.map(\.name))
    result.input = name("input")
    let output = name("output")
    values.append(inSteps(result.input, of: Graph.input, owner: nil))
    for (index, node) in graph.nodes.enumerated() {
      self.node = node
      let value = try OperationRow.table[node.kind].lower(&self)
      values.append(inSteps(value, of: index + 1, owner: node.block))
    }
    result.output = output
    result.nodes[result.nodes.count - 1].output = output
  }

  private mutating func name(_ wanted: Name) -> Name { names.next(wanted) }

  // MARK: What rows are made of

  /// Appends an operation that belongs to the node.
  ///
  /// - Returns: the name of its value.
  mutating func append(
    _ operation: String, _ inputs: Name?..., attributes: [String: ONNXGraph.Attribute] = [:]
  ) -> Name {
    append(operation, inputs.map { $0 ?? "" }, attributes: attributes)
  }

  mutating func append(
    _ operation: String, _ inputs: [Name], attributes: [String: ONNXGraph.Attribute] = [:]
  ) -> Name {
    append(operation, inputs, attributes: attributes, of: node.block)
  }

  mutating func append(
    _ operation: String, _ inputs: [Name], attributes: [String: ONNXGraph.Attribute],
    of owner: Name?
  ) -> Name {
    let name = name(owner.map { "\($0)/\(operation)" } ?? Name(operation))
    let present = inputs.reversed().drop { $0.isEmpty }.reversed()
    result.nodes.append(
      ONNXGraph.Node(
        operation: operation, inputs: Array(present), output: name, name: name,
        attributes: attributes))
    return name
  }

  /// A tensor of the node; int8 weights as the numbers that they stand for.
  ///
  /// - Parameter shape: another one of as many elements; nil for its own.
  /// - Returns: nil if the node has none.
  mutating func tensor(_ operand: String, as shape: Shape? = nil) -> Name? {
    guard let index = node.operand(operand) else { return nil }
    let shape = shape ?? tensors[index].shape
    guard let scales = tensors[index].scales else { return initializer(index, shape) }
    let use = Use.weights(index, shape.dimensions)
    if let name = initializers[use] { return name }
    let steps = initializer(index, shape)
    // Safe: scales are numbers in memory.
    let tensor = try! Tensor(float32: scales, shape: [scales.count], name: steps)
    let scaleTensor =
      try! integers.hasOneScalePerTensor
      ? Tensor(float32: [scales[0]], shape: [], name: steps) : tensor
    let place = result.initializers.firstIndex { $0.source == .tensor(index) }!
    let scale = add(OutputTensor(name: name("\(steps)_scale"), scaleTensor), .scales(of: place))
    let weights = append(
      "DequantizeLinear", [steps, scale],
      attributes: integers.hasOneScalePerTensor ? [:] : ["axis": .integer(0)], of: steps)
    initializers[use] = weights
    return weights
  }

  /// One number for each channel, or one for all, in the shape that stands beside what the node takes.
  ///
  /// - Returns: nil if the node has none.
  mutating func channels(_ operand: String) -> Name? {
    guard let index = node.operand(operand) else { return nil }
    let count = tensors[index].shape[0]
    return initializer(index, takesMap && count > 1 ? [count, 1, 1] : [count])
  }

  private mutating func initializer(_ index: Int, _ shape: Shape) -> Name {
    let use = Use.tensor(index, shape.dimensions)
    if let name = initializers[use] { return name }
    var tensor = tensors[index].reshaped(to: shape)
    let isFirst = result.initializers.allSatisfy { $0.source != .tensor(index) }
    if !isFirst { tensor.name = name(tensor.name) }
    initializers[use] = add(tensor, isFirst ? .tensor(index) : .none)
    return initializers[use]!
  }

  /// One number, of the network's type.
  mutating func constant(_ number: Double) -> Name {
    constant(.constant(number), named: Name(number.description), [number], [], elementType)
  }

  /// How much larger each axis of N x C x H x W becomes.
  mutating func factors(_ height: Int, _ width: Int) -> Name {
    constant(
      .upsampling([height, width]), named: "factors", [1, 1, Double(height), Double(width)], [4],
      .float32)
  }

  /// How many zeros stand before and behind each axis of N x C x H x W.
  mutating func padding(_ sizes: [Int]) -> Name {
    integers([0, 0] + sizes + [0, 0] + sizes, named: "padding")
  }

  /// A vector of integers.
  mutating func integers(_ numbers: [Int], named wanted: Name) -> Name {
    // Safe: numbers in memory.
    constant(.integers(numbers), named: wanted) {
      OutputTensor(
        name: $0,
        try! Tensor(int64: numbers.map(Int64.init), shape: [numbers.count], name: $0))
    }
  }

  /// A vector of nothing.
  mutating func nothing() -> Name { constant(.nothing, named: "nothing", [], [0], .float32) }

  private mutating func constant(
    _ use: Use, named wanted: Name, _ numbers: [Double], _ shape: Shape, _ type: ElementType
  ) -> Name {
    constant(use, named: wanted) {
      // Safe: numbers in memory, of a type that weights come in.
      OutputTensor(
        name: $0, shape: shape, try! Tensor(float64: numbers, shape: shape, name: $0),
        as: NumberFormat(type)!)
    }
  }

  private mutating func constant(
    _ use: Use, named wanted: Name, _ make: (_ name: Name) -> OutputTensor
  ) -> Name {
    if let name = initializers[use] { return name }
    initializers[use] = add(make(name("constant/" + wanted)), .none)
    return initializers[use]!
  }

  /// A tensor of the steps that the network computes in, once.
  mutating func own(
    _ use: Use, named wanted: Name, _ make: (_ name: Name) -> Tensor
  ) -> Name {
    if let name = initializers[use] { return name }
    let name = name(wanted)
    initializers[use] = add(OutputTensor(name: name, make(name)), .integers)
    return name
  }

  private mutating func add(
    _ tensor: OutputTensor, _ source: ONNXGraph.Initializer.Source
  ) -> Name {
    result.initializers.append(ONNXGraph.Initializer(tensor: tensor, source: source))
    return tensor.name
  }
}
