public import Tensors

/// What a graph has to know of a tensor.
public struct TensorType: Equatable, Sendable {
  /// Of its elements.
  public var elementType: ElementType
  /// Outermost axis first.
  public var shape: Shape
  /// Whether its elements are steps of scales, one for each index along the first axis.
  public var hasScales: Bool

  public init(_ elementType: ElementType, _ shape: Shape, hasScales: Bool = false) {
    self.elementType = elementType
    self.shape = shape
    self.hasScales = hasScales
  }

  /// The type of a tensor.
  public init(_ tensor: Tensor) {
    self.init(tensor.elementType, tensor.shape, hasScales: tensor.scales != nil)
  }
}

extension Graph {
  /// The shape of every value, the input's first; and the one check of a graph, be it with sizes that
  /// are not known or with those of images.
  ///
  /// - Parameters:
  ///   - input: where sizes are not known, everything that might fit does; channels that are not known
  ///     are those that the first convolution which takes the input asks for.
  ///   - tensors: those that operands refer to.
  /// - Throws: the first rule that is broken: the graph has a node; nodes have what their kind asks for;
  ///   they take values of earlier nodes; operands are floating-point tensors with elements; shapes fit;
  ///   every value but the result is used.
  public func shapes(
    ofInput input: ValueShape = .map(channels: nil, height: nil, width: nil),
    tensors: [TensorType]
  ) throws(GraphProblem) -> [ValueShape] {
    guard !nodes.isEmpty else {
      throw GraphProblem(member: "nodes", expected: "at least one node", found: "none")
    }
    var shapes = [
      input.channels == nil ? input.with(channels: inputChannels(tensors: tensors)) : input
    ]
    shapes.reserveCapacity(nodes.count + 1)
    var isUsed = [Bool](repeating: false, count: nodes.count + 1)
    for (index, node) in nodes.enumerated() {
      let check = try ShapeCheck(of: node, at: index, shapes, tensors)
      shapes.append(try check.result(of: node.kind))
      for value in node.inputs { isUsed[value] = true }
    }
    if let value = isUsed.dropLast().firstIndex(of: false) {
      throw GraphProblem(
        node: value - 1, kind: nodes[value - 1].kind, member: "op",
        expected: "a later node that takes its result", found: "none")
    }
    return shapes
  }
}

extension Graph {
  /// The channels that the first convolution which takes the input asks for; nil if there is none.
  ///
  /// - Parameter tensors: those that operands refer to; they need not fit.
  public func inputChannels(tensors: [TensorType]) -> Int? {
    for node in nodes where node.kind == .convolution && node.inputs == [Graph.input] {
      guard let weight = node.operands.first.flatMap({ $0 }), tensors.indices.contains(weight),
        tensors[weight].shape.rank == Operand.Layout.kernel.rank,
        let groups = node.attributes.last?.first
      else { return nil }
      let (channels, overflow) = tensors[weight].shape[1].multipliedReportingOverflow(by: groups)
      return overflow ? nil : channels
    }
    return nil
  }
}

/// What a shape rule sees: a node whose inputs, operands and attributes are there, and of the right kind
/// each.
struct ShapeCheck {
  let index: Int
  let kind: NodeKind
  let inputs: [ValueShape]
  /// One for each of `kind.operands`, of the rank that its layout asks for.
  let operands: [Shape?]
  /// One for each of `kind.attributes`, within its bounds.
  let attributes: [[Int]]
  /// What the operands are called in errors.
  private let tensorIndices: [Int?]

  fileprivate init(
    of node: Graph.Node, at index: Int, _ shapes: [ValueShape], _ tensors: [TensorType]
  ) throws(GraphProblem) {
    let kind = node.kind
    func refuse(
      _ member: String, _ expected: String, _ found: String
    ) throws(GraphProblem) -> Never {
      throw GraphProblem(
        node: index, kind: kind, member: member, expected: expected, found: found)
    }
    guard kind.inputs.contains(node.inputs.count) else {
      let least = kind.inputs.lowerBound
      try refuse(
        "inputs",
        kind.inputs.count == 1
          ? "\(least) value\(least == 1 ? "" : "s")" : "at least \(least) values",
        "\(node.inputs.count)")
    }
    if let value = node.inputs.first(where: { !shapes.indices.contains($0) }) {
      try refuse("inputs", "values of earlier nodes, from 0 to \(index)", "\(value)")
    }
    guard node.operands.count == kind.operands.count,
      node.attributes.count == kind.attributes.count
    else {
      try refuse(
        "op", "\(kind.operands.count) operands and \(kind.attributes.count) attributes",
        "\(node.operands.count) and \(node.attributes.count)")
    }
    for (attribute, values) in zip(kind.attributes, node.attributes) {
      guard values.count == attribute.count, values.allSatisfy(attribute.bounds.contains) else {
        try refuse(
          attribute.name,
          "\(attribute.count == 1 ? "a number" : "two numbers") from \(attribute.bounds.lowerBound) "
            + "to 2^31 - 1",
          attribute.count == 1 && values.count == 1 ? "\(values[0])" : "\(values)")
      }
    }
    let isPositive = node.epsilon.map { $0 > 0 && $0.isFinite }
    guard isPositive ?? !kind.hasEpsilon, kind.hasEpsilon || node.epsilon == nil else {
      try refuse(
        "epsilon", kind.hasEpsilon ? "a finite number greater than 0" : "none",
        node.epsilon.map { "\($0)" } ?? "none")
    }
    var operands: [Shape?] = []
    for (operand, tensor) in zip(kind.operands, node.operands) {
      guard let tensor else {
        guard operand.isOptional else { try refuse(operand.name, "a tensor", "none") }
        operands.append(nil)
        continue
      }
      guard tensors.indices.contains(tensor) else {
        try refuse(operand.name, "the index of one of the \(tensors.count) tensors", "\(tensor)")
      }
      let (type, shape) = (tensors[tensor].elementType, tensors[tensor].shape)
      let isScaled = tensors[tensor].hasScales && operand.layout != .vector
      guard type.isWeightType || isScaled else {
        try refuse(
          operand.name, "a floating-point tensor", "tensor \(tensor) of type \(type.rawValue)")
      }
      guard shape.rank == operand.layout.rank, shape.elementCount > 0 else {
        try refuse(
          operand.name,
          "a tensor with elements and \(operand.layout.rank) "
            + (operand.layout.rank == 1 ? "axis" : "axes"), "tensor \(tensor), \(shape)")
      }
      operands.append(shape)
    }
    self.index = index
    self.kind = kind
    inputs = node.inputs.map { shapes[$0] }
    self.operands = operands
    attributes = node.attributes
    tensorIndices = node.operands
  }

  /// What the kind's rule gives, if all sizes are such that they can be worked with.
  fileprivate func result(of kind: NodeKind) throws(GraphProblem) -> ValueShape {
    let shape = try kind.shape(self)
    for case let size? in shape.sizes { _ = try bounded((size, false)) }
    return shape
  }

  func refuse(
    _ member: String, _ cause: GraphProblem.Cause = .contradiction, expected: String, found: String
  ) throws(GraphProblem) -> Never {
    throw GraphProblem(
      node: index, kind: kind, member: member, cause: cause, expected: expected, found: found)
  }

  func require(
    _ holds: Bool, _ member: String, _ expected: @autoclosure () -> String,
    _ found: @autoclosure () -> String
  ) throws(GraphProblem) {
    guard holds else { try refuse(member, expected: expected(), found: found()) }
  }

  // MARK: What rules share

  typealias Map = (channels: Int?, height: Int?, width: Int?)

  /// An input that has to be N x C x H x W.
  func map(_ input: Int = 0) throws(GraphProblem) -> Map {
    guard case .map(let channels, let height, let width) = inputs[input] else {
      try refuse("inputs", expected: "N x C x H x W data", found: "\(inputs[input])")
    }
    return (channels, height, width)
  }

  /// Throws unless an operand's shape is `expected`.
  func requireOperand(_ operand: Int, _ expected: Shape) throws(GraphProblem) {
    guard let shape = operands[operand] else { return }
    try require(
      shape == expected, kind.operands[operand].name, "a tensor of \(expected)",
      "tensor \(tensorIndices[operand]!), \(shape)")
  }

  /// Throws unless an operand is a vector of as many numbers as there are channels, or of one.
  ///
  /// - Returns: how many channels there are, as far as the operand tells.
  func channelVector(_ operand: Int, _ channels: Int?) throws(GraphProblem) -> Int? {
    guard let shape = operands[operand], shape[0] != 1 else { return channels }
    try require(
      channels ?? shape[0] == shape[0], kind.operands[operand].name,
      "one number, or one for each of the \(channels ?? 0) channels",
      "tensor \(tensorIndices[operand]!), \(shape)")
    return shape[0]
  }

  /// `a * b`, if it is a size that can be worked with.
  func product(_ a: Int?, _ b: Int?) throws(GraphProblem) -> Int? {
    guard let a, let b else { return nil }
    let (value, overflow) = a.multipliedReportingOverflow(by: b)
    return try bounded((value, overflow))
  }

  /// `a + b`, likewise.
  func sum(_ a: Int?, _ b: Int?) throws(GraphProblem) -> Int? {
    guard let a, let b else { return nil }
    let (value, overflow) = a.addingReportingOverflow(b)
    return try bounded((value, overflow))
  }

  private func bounded(_ size: (value: Int, overflow: Bool)) throws(GraphProblem) -> Int {
    guard !size.overflow, size.value <= ValueShape.largestSize else {
      try refuse("op", .tooLarge, expected: "sizes below 2^53", found: "a larger one")
    }
    return size.value
  }

  /// Height or width of what a window gives that moves over an axis of `length`, with zeros or nothing on
  /// both sides: `floor((length + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`.
  func windowed(
    _ length: Int?, axis: String, kernel: Int, stride: Int, padding: Int, dilation: Int = 1
  ) throws(GraphProblem) -> Int? {
    let reach = try product(dilation, kernel - 1)!
    guard let length else { return nil }
    let room = length + 2 * padding
    guard room > reach else {
      try refuse(
        "inputs", .tooSmall, expected: "a \(axis) of at least \(max(1, reach + 1 - 2 * padding))",
        found: "\(length)")
    }
    return (room - reach - 1) / stride + 1
  }
}
