package import Graphs
package import Tensors

extension ONNXFile {
  /// Why a graph has no counterpart in the table of operations, in words without a full stop.
  package struct Unmapped: Error {
    package var reason: String
  }

  /// The network as a graph of this program's operations.
  ///
  /// - Parameter tensors: of the file; those that nodes want in another order or shape are exchanged for
  ///   views, and numbers that stand alone become vectors of one.
  /// - Returns: the graph, whose operands are indices into the tensors; or what has no counterpart.
  package func network(
    of tensors: [NamedTensor]
  ) -> Result<(graph: Graph, tensors: [NamedTensor]), Unmapped> {
    Result { () throws(Unmapped) in
      var reading = try GraphReading(self, tensors)
      for node in nodes { try reading.take(node) }
      return try reading.result()
    }
  }
}

/// Goes through the nodes of a file, and makes of each what this program calls it.
private struct GraphReading {
  typealias Unmapped = ONNXFile.Unmapped

  /// What a value is, on the way to a node's. Exporters write GELU and the like as several operations.
  private enum Value {
    /// Of the graph.
    case graph(Int)
    /// A value times a number; the tensor that it is.
    case scaled(Int, by: Double, tensor: Name?)
    /// erf(x / sqrt 2).
    case erf(of: Int)
    /// A number times (1 + erf(x / sqrt 2)).
    case normal(of: Int, times: Double)
    /// x times that.
    case product(of: Int, times: Double)
  }

  private let file: ONNXFile
  private var graph = Graph()
  private var tensors: [NamedTensor]
  private var indices: [Name: Int]
  /// The shapes that nodes took tensors in.
  private var taken: [Name: Shape] = [:]
  private var values: [Name: Value] = [:]
  private var uses: [Name: Int] = [:]
  private var constants: [Name: ONNXFile.StoredTensor]

  init(_ file: ONNXFile, _ tensors: [NamedTensor]) throws(Unmapped) {
    self.file = file
    self.tensors = tensors
    indices = Dictionary(
      tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    var constants: [Name: ONNXFile.StoredTensor] = [:]
    for tensor in file.initializers { constants[tensor.name] = tensor }
    for node in file.nodes {
      for input in node.inputs { uses[input, default: 0] += 1 }
      if case .tensor(var tensor)? = node.attributes["value"], let name = node.outputs.first {
        tensor.name = name
        constants[name] = tensor
      }
    }
    self.constants = constants
    guard file.inputs.count == 1, file.outputs.count == 1 else {
      throw Unmapped(
        reason: "it has \(file.inputs.count) inputs and \(file.outputs.count) outputs, not one each"
      )
    }
    if let sizes = file.inputs[0].sizes, sizes.count != 4 {
      throw Unmapped(reason: "its input has \(sizes.count) axes, not 4")
    }
    values[file.inputs[0].name] = .graph(Graph.input)
  }

  // MARK: Operands

  private func unmapped(_ node: ONNXFile.Node, _ what: String = "") -> Unmapped {
    let domain = node.domain.isEmpty ? "" : "\(printable(node.domain))."
    return Unmapped(
      reason:
        "operation \(domain)\(printable(node.operation))\(what.isEmpty ? "" : " \(what)") is not known"
    )
  }

  private func isConstant(_ name: Name?) -> Bool { name.map { constants[$0] != nil } ?? false }

  /// A constant of one number.
  private func number(_ name: Name?) -> Double? {
    guard let name, let tensor = constants[name]?.tensor, tensor.shape.elementCount == 1,
      tensor.isWeight
    else { return nil }
    return try? tensor.doubles()[0]
  }

  private func integers(_ name: Name?) -> [Int]? {
    guard let name, let tensor = constants[name]?.tensor, tensor.elementType == .int64,
      tensor.shape.elementCount <= 64
    else { return nil }
    return (try? tensor.int64s())?.map { Int($0) }
  }

  /// The index of a tensor, in the shape that a node wants it in.
  private mutating func operand(
    _ name: Name?, of node: ONNXFile.Node, _ view: (Tensor) -> Tensor? = { $0 }
  ) throws(Unmapped) -> Int {
    guard let constant = name.flatMap({ constants[$0] }), let stored = constant.tensor,
      stored.isWeight, let tensor = view(stored)
    else { throw unmapped(node, "of a weight that is computed") }
    let name = constant.name
    if let shape = taken.updateValue(tensor.shape, forKey: name), shape != tensor.shape {
      throw unmapped(node, "of a weight that others take in another shape")
    }
    if let index = indices[name] {
      tensors[index].tensor = tensor
      return index
    }
    indices[name] = tensors.count
    tensors.append(NamedTensor(name, tensor))
    return tensors.count - 1
  }

  /// A tensor as a vector, if it has one axis that is not 1.
  private static func vector(_ tensor: Tensor) -> Tensor? {
    guard tensor.shape.dimensions.filter({ $0 != 1 }).count <= 1 else { return nil }
    return tensor.reshaped(to: [tensor.shape.elementCount])
  }

  private static func turned(_ tensor: Tensor) -> Tensor? {
    tensor.shape.rank == 2 && !tensor.isReshaped ? tensor.transposed([1, 0]) : nil
  }

  /// The value of the graph that a node takes.
  private mutating func value(
    _ index: Int, of node: ONNXFile.Node
  ) throws(Unmapped) -> Int {
    guard let name = node.input(index), let value = values[name] else {
      throw unmapped(node, "of what is no image's data")
    }
    switch value {
    case .graph(let value): return value
    case .scaled(let value, _, let tensor?):
      let factor = try operand(tensor, of: node, GraphReading.vector)
      return graph.append(.scale, value, operands: [factor, nil])
    default: throw unmapped(node, "of a value times a number that is no tensor")
    }
  }

  // MARK: Nodes

  private static let elementwise: [Name: NodeKind] = [
    "Relu": .relu, "Sigmoid": .sigmoid, "Tanh": .tanh, "HardSwish": .hardSwish,
    "GlobalAveragePool": .globalAveragePool,
  ]

  mutating func take(_ node: ONNXFile.Node) throws(Unmapped) {
    guard let output = node.outputs.first else { throw unmapped(node, "without a result") }
    guard node.domain.isEmpty else { throw unmapped(node) }
    if node.operation == "Constant" { return }
    if node.operation == "Identity", let input = node.input(0), let constant = constants[input] {
      constants[output] = constant
      return
    }
    // What only constants go into is one that is not computed here.
    if !node.inputs.isEmpty, node.inputs.allSatisfy({ $0.isEmpty || isConstant($0) }) { return }
    values[output] = try result(of: node)
  }

  private mutating func result(of node: ONNXFile.Node) throws(Unmapped) -> Value {
    if let kind = GraphReading.elementwise[node.operation] {
      return .graph(graph.append(kind, try value(0, of: node)))
    }
    switch node.operation {
    case "Identity":
      if let value = values[node.input(0) ?? ""] { return value }
      return .graph(try value(0, of: node))
    case "Cast":
      // float32, float16, float64, bfloat16.
      guard [1, 10, 11, 16].contains(node.integer("to", default: 0)) else { throw unmapped(node) }
      return .graph(try value(0, of: node))
    case "Dropout":
      guard node.input(2) == nil || constants[node.input(2)!]?.tensor.map(isFalse) == true else {
        throw unmapped(node, "in training mode")
      }
      return .graph(try value(0, of: node))
    case "Conv": return .graph(try convolution(node))
    case "Gemm":
      guard node.float("alpha", default: 1) == 1, node.float("beta", default: 1) == 1,
        node.integer("transA", default: 0) == 0
      else { throw unmapped(node, "with factors") }
      return .graph(try linear(node, isTurned: node.integer("transB", default: 0) == 0))
    case "MatMul": return .graph(try linear(node, isTurned: true))
    case "BatchNormalization": return .graph(try batchNorm(node))
    case "Gelu":
      return .graph(
        graph.append(
          node.string("approximate") == "tanh" ? .geluTanh : .gelu, try value(0, of: node)))
    case "HardSigmoid":
      guard abs(node.float("alpha", default: 0.2) - 1 / 6) < 1e-6,
        node.float("beta", default: 0.5) == 0.5
      else { throw unmapped(node, "with these factors") }
      return .graph(graph.append(.hardSigmoid, try value(0, of: node)))
    case "Clip":
      let low = number(node.input(1)) ?? Double(node.float("min", default: -.infinity))
      let high = number(node.input(2)) ?? Double(node.float("max", default: .infinity))
      guard low == 0, high == 6 else { throw unmapped(node, "other than from 0 to 6") }
      return .graph(graph.append(.relu6, try value(0, of: node)))
    case "PRelu":
      let slope = try operand(node.input(1), of: node, GraphReading.vector)
      return .graph(graph.append(.prelu, try value(0, of: node), operands: [slope]))
    case "Softmax":
      let axis = node.integer("axis", default: file.operatorSet < 13 ? 1 : -1)
      guard axis == 1 || axis == -1 else { throw unmapped(node, "over axis \(axis)") }
      return .graph(graph.append(.softmax, try value(0, of: node)))
    case "Erf":
      guard case .scaled(let value, let factor, _)? = values[node.input(0) ?? ""],
        abs(factor - 0.5.squareRoot()) < 1e-6
      else { throw unmapped(node, "outside GELU") }
      return .erf(of: value)
    case "Add": return try sum(node)
    case "Mul", "Div": return try product(node)
    case "MaxPool", "AveragePool": return .graph(try pool(node))
    case "ReduceMean": return .graph(try mean(node))
    case "Flatten", "Reshape", "Squeeze": return .graph(try flatten(node))
    case "Concat":
      guard [1, -3].contains(node.integer("axis", default: 0)) else {
        throw unmapped(node, "over other axes than channels")
      }
      var inputs: [Int] = []
      for index in node.inputs.indices { inputs.append(try value(index, of: node)) }
      return .graph(graph.append(Graph.Node(.concatenate, inputs: inputs)))
    case "DepthToSpace":
      guard node.string("mode") == "CRD" else { throw unmapped(node, "in this order") }
      return .graph(
        graph.append(
          .pixelShuffle, try value(0, of: node),
          attributes: [[node.integer("blocksize", default: 0)]]))
    default: throw unmapped(node)
    }
  }

  private func isFalse(_ tensor: Tensor) -> Bool {
    guard let bytes = try? tensor.bytes() else { return false }
    return bytes.allSatisfy { $0 == 0 }
  }

  /// Settings of a window: what is the same on both sides.
  private func window(
    _ node: ONNXFile.Node, kernel: [Int]
  ) throws(Unmapped) -> (stride: [Int], padding: [Int], dilation: [Int]) {
    let stride = node.integers("strides") ?? [1, 1]
    let dilation = node.integers("dilations") ?? [1, 1]
    var pads = node.integers("pads") ?? [0, 0, 0, 0]
    guard kernel.count == 2, stride.count == 2, dilation.count == 2, pads.count == 4 else {
      throw unmapped(node, "over other axes than height and width")
    }
    switch node.string("auto_pad") ?? "NOTSET" {
    case "NOTSET", "": break
    case "VALID": pads = [0, 0, 0, 0]
    default:
      // Of an odd kernel that moves by one, the same on both sides.
      guard stride == [1, 1], kernel.allSatisfy({ $0 % 2 == 1 && $0 < 1 << 16 }),
        dilation.allSatisfy({ $0 < 1 << 16 })
      else { throw unmapped(node, "with padding that depends on the input") }
      pads = zip(kernel + kernel, dilation + dilation).map { ($0 - 1) / 2 * $1 }
    }
    guard pads[0] == pads[2], pads[1] == pads[3] else {
      throw unmapped(node, "with another padding on either side")
    }
    return (stride, [pads[0], pads[1]], dilation)
  }

  private mutating func convolution(_ node: ONNXFile.Node) throws(Unmapped) -> Int {
    let weight = try operand(node.input(1), of: node)
    let shape = tensors[weight].tensor.shape
    guard shape.rank == 4 else { throw unmapped(node, "over other axes than height and width") }
    let bias = try node.input(2).map { (name) throws(Unmapped) in
      try operand(name, of: node, GraphReading.vector)
    }
    let window = try window(node, kernel: [shape[2], shape[3]])
    return graph.convolution(
      try value(0, of: node), weight: weight, bias: bias, stride: window.stride,
      padding: window.padding, dilation: window.dilation, groups: node.integer("group", default: 1))
  }

  private mutating func linear(
    _ node: ONNXFile.Node, isTurned: Bool
  ) throws(Unmapped) -> Int {
    let weight = try operand(node.input(1), of: node, isTurned ? GraphReading.turned : { $0 })
    let bias = try node.input(2).map { (name) throws(Unmapped) in
      try operand(name, of: node, GraphReading.vector)
    }
    return graph.linear(try value(0, of: node), weight: weight, bias: bias)
  }

  private mutating func batchNorm(_ node: ONNXFile.Node) throws(Unmapped) -> Int {
    guard node.integer("training_mode", default: 0) == 0,
      node.outputs.dropFirst().allSatisfy(\.isEmpty)
    else { throw unmapped(node, "in training mode") }
    var vectors: [Int] = []
    for index in 1...4 {
      vectors.append(try operand(node.input(index), of: node, GraphReading.vector))
    }
    // The number that was meant: attributes are float32.
    let epsilon = Double("\(node.float("epsilon", default: 1e-5))") ?? 1e-5
    return graph.batchNorm(
      try value(0, of: node), gamma: vectors[0], beta: vectors[1], mean: vectors[2],
      variance: vectors[3], epsilon: epsilon)
  }

  private mutating func sum(_ node: ONNXFile.Node) throws(Unmapped) -> Value {
    let constant = node.inputs.firstIndex { isConstant($0) }
    guard let constant, node.inputs.count == 2 else {
      return .graph(graph.append(.add, try value(0, of: node), try value(1, of: node)))
    }
    let other = node.inputs[1 - constant]
    if number(node.inputs[constant]) == 0, let value = values[other] { return value }
    if case .erf(let value)? = values[other], number(node.inputs[constant]) == 1 {
      return .normal(of: value, times: 1)
    }
    // The bias of the layer before.
    guard case .graph(let value)? = values[other], value > 0, uses[other] == 1,
      [.linear, .convolution].contains(graph.nodes[value - 1].kind),
      graph.nodes[value - 1].operands[1] == nil
    else { throw unmapped(node, "of a constant") }
    graph.nodes[value - 1].operands[1] = try operand(
      node.inputs[constant], of: node, GraphReading.vector)
    return .graph(value)
  }

  private mutating func product(_ node: ONNXFile.Node) throws(Unmapped) -> Value {
    guard let a = node.input(0), let b = node.input(1) else { throw unmapped(node) }
    let isQuotient = node.operation == "Div"
    if isConstant(b) || !isQuotient && isConstant(a) {
      let (name, constant) = isConstant(b) ? (a, b) : (b, a)
      guard let number = number(constant) else {
        // A factor for each channel.
        guard !isQuotient else { throw unmapped(node, "by more than a number") }
        let factor = try operand(constant, of: node, GraphReading.vector)
        let input = node.inputs.firstIndex(of: name)!
        return .graph(
          graph.append(.scale, try value(input, of: node), operands: [factor, nil]))
      }
      let factor = isQuotient ? 1 / number : number
      switch values[name] {
      case .graph(let value)?:
        return .scaled(value, by: factor, tensor: isQuotient ? nil : constant)
      case .normal(let value, let other)?: return .normal(of: value, times: other * factor)
      case .product(let value, let other)?: return gelu(value, times: other * factor)
      default: throw unmapped(node, "of several numbers")
      }
    }
    guard !isQuotient else { throw unmapped(node, "of two values") }
    switch (values[a], values[b]) {
    case (.graph(let value)?, .normal(let other, let factor)?) where value == other,
      (.normal(let other, let factor)?, .graph(let value)?) where value == other:
      return gelu(value, times: factor)
    case (.scaled(let value, let scale, _)?, .normal(let other, let factor)?) where value == other,
      (.normal(let other, let factor)?, .scaled(let value, let scale, _)?) where value == other:
      return gelu(value, times: scale * factor)
    default: break
    }
    let (first, second) = (try value(0, of: node), try value(1, of: node))
    // x sigmoid(x), x hardsigmoid(x).
    for (value, gate) in [(first, second), (second, first)]
    where gate > 0 && graph.nodes[gate - 1].inputs == [value] {
      switch graph.nodes[gate - 1].kind {
      case .sigmoid: return .graph(graph.append(.silu, value))
      case .hardSigmoid: return .graph(graph.append(.hardSwish, value))
      default: break
      }
    }
    return .graph(graph.append(.multiply, first, second))
  }

  /// x / 2 (1 + erf(x / sqrt 2)), as soon as the half is there.
  private mutating func gelu(_ value: Int, times factor: Double) -> Value {
    abs(factor - 0.5) < 1e-6
      ? .graph(graph.append(.gelu, value)) : .product(of: value, times: factor)
  }

  private mutating func pool(_ node: ONNXFile.Node) throws(Unmapped) -> Int {
    let kernel = node.integers("kernel_shape") ?? []
    let (stride, padding, dilation) = try window(node, kernel: kernel)
    let isMean = node.operation == "AveragePool"
    guard node.integer("ceil_mode", default: 0) == 0, dilation == [1, 1],
      !isMean || padding == [0, 0] || node.integer("count_include_pad", default: 0) == 1
    else { throw unmapped(node, "with this padding") }
    return graph.pool(
      isMean ? .averagePool : .maxPool, try value(0, of: node), kernel: kernel, stride: stride,
      padding: padding)
  }

  private mutating func mean(_ node: ONNXFile.Node) throws(Unmapped) -> Int {
    let axes = integers(node.input(1)) ?? node.integers("axes") ?? []
    guard [[2, 3], [-2, -1], [-1, -2], [3, 2]].contains(axes) else {
      throw unmapped(node, "over other axes than height and width")
    }
    let mean = graph.append(.globalAveragePool, try value(0, of: node))
    return node.integer("keepdims", default: 1) == 0 ? graph.append(.flatten, mean) : mean
  }

  private mutating func flatten(_ node: ONNXFile.Node) throws(Unmapped) -> Int {
    let value = try value(0, of: node)
    let isPixel = value > 0 && graph.nodes[value - 1].kind == .globalAveragePool
    let fits: Bool
    switch node.operation {
    case "Flatten": fits = [1, -3].contains(node.integer("axis", default: 1))
    case "Squeeze":
      let axes = integers(node.input(1)) ?? node.integers("axes") ?? []
      fits = isPixel && [[2, 3], [-2, -1], [3, 2], [-1, -2]].contains(axes)
    default:
      // One row for each image: 0 keeps that axis, and 1 is what exporters of one image write.
      let sizes = integers(node.input(1)) ?? []
      fits =
        sizes.count == 2
        && ([0, 1].contains(sizes[0]) && (sizes[1] == -1 || isPixel && sizes[1] > 0)
          || sizes[0] == -1 && isPixel && sizes[1] > 1)
    }
    guard fits else { throw unmapped(node, "to another shape than a row for each image") }
    return graph.append(.flatten, value)
  }

  // MARK: Result

  /// The nodes that the result needs.
  func result() throws(Unmapped) -> (graph: Graph, tensors: [NamedTensor]) {
    if case .scaled? = values[file.outputs[0].name] {
      throw Unmapped(reason: "its output is a value times a number")
    }
    guard case .graph(let last)? = values[file.outputs[0].name], last != Graph.input else {
      throw Unmapped(reason: "its output is not what a node computes")
    }
    var isNeeded = [Bool](repeating: false, count: last + 1)
    isNeeded[last] = true
    for value in stride(from: last, to: 0, by: -1) where isNeeded[value] {
      for input in graph.nodes[value - 1].inputs { isNeeded[input] = true }
    }
    var places = [Int: Int]()
    places[Graph.input] = Graph.input
    var needed = Graph()
    for value in 1...last where isNeeded[value] {
      var node = graph.nodes[value - 1]
      node.inputs = node.inputs.map { places[$0]! }
      places[value] = needed.append(node)
    }
    do {
      _ = try needed.shapes(tensors: tensors.map { TensorType($0.tensor) })
    } catch {
      throw Unmapped(reason: "\(error)")
    }
    return (needed, tensors)
  }
}
