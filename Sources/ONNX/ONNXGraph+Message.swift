internal import Graphs
internal import Protobuf
internal import Tensors

extension ONNXGraph {
  /// The message `GraphProto`, with a gap for the elements of every initializer that stays in the file,
  /// called by its index.
  ///
  /// - Parameters:
  ///   - name: of the network.
  ///   - input: the value that goes in, and of which shape; `output` likewise.
  ///   - batch: images at a time; nil for any number.
  ///   - outside: where in a second file the elements of an initializer are; nil for those that are not
  ///     there.
  func message(
    name: String, input inputShape: ValueShape, output outputShape: ValueShape,
    _ elementType: ElementType, batch: Int?, outside: [ExternalPlace?]
  ) -> Message {
    var graph = Message()
    for node in nodes { graph.add(Field.Graph.nodes, node.message) }
    graph.add(Field.Graph.name, name)
    for (index, initializer) in initializers.enumerated() {
      graph.add(
        Field.Graph.initializers,
        ONNXGraph.message(of: initializer.tensor, index, outside[index]))
    }
    graph.add(
      Field.Graph.inputs, ONNXGraph.message(of: input, inputShape, elementType, batch: batch))
    graph.add(
      Field.Graph.outputs, ONNXGraph.message(of: output, outputShape, elementType, batch: batch))
    return graph
  }

  /// `TensorProto`.
  private static func message(
    of tensor: OutputTensor, _ index: Int, _ outside: ExternalPlace?
  ) -> Message {
    var message = Message()
    for size in tensor.shape.dimensions { message.add(Field.Tensor.dimensions, size) }
    message.add(Field.Tensor.elementType, tensor.elementType.onnxCode!)
    message.add(Field.Tensor.name, tensor.name.text)
    guard let outside else {
      message.add(Field.Tensor.raw, gapOf: tensor.byteCount, for: index)
      return message
    }
    let entries = [
      ("location", outside.file), ("offset", "\(outside.offset)"),
      ("length", "\(tensor.byteCount)"),
    ]
    for (key, value) in entries {
      message.add(Field.Tensor.externalData) {
        $0.add(Field.Entry.key, key)
        $0.add(Field.Entry.value, value)
      }
    }
    message.add(Field.Tensor.dataLocation, 1)
    return message
  }

  /// `ValueInfoProto`.
  private static func message(
    of value: Name, _ shape: ValueShape, _ elementType: ElementType, batch: Int?
  ) -> Message {
    var dimensions = Message()
    dimensions.add(Field.Shape.dimensions) {
      if let batch {
        $0.add(Field.Dimension.size, batch)
      } else {
        $0.add(Field.Dimension.symbol, "N")
      }
    }
    for size in shape.knownSizes {
      dimensions.add(Field.Shape.dimensions) { $0.add(Field.Dimension.size, size) }
    }
    var message = Message()
    message.add(Field.Value.name, value.text)
    message.add(Field.Value.type) { type in
      type.add(Field.ValueType.tensor) {
        $0.add(Field.TensorType.elementType, elementType.onnxCode!)
        $0.add(Field.TensorType.shape, dimensions)
      }
    }
    return message
  }
}

/// Where the elements of a tensor are.
struct ExternalPlace {
  /// The name of the file, which is in the same folder.
  var file: String
  var offset: Int
}

extension ONNXGraph.Node {
  /// `NodeProto`; attributes in the order of their names.
  fileprivate var message: Message {
    var node = Message()
    for input in inputs { node.add(Field.Node.inputs, input.text) }
    node.add(Field.Node.outputs, output.text)
    node.add(Field.Node.name, name.text)
    node.add(Field.Node.operation, operation)
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      node.add(Field.Node.attributes) {
        $0.add(Field.Attribute.name, name)
        value.add(to: &$0)
      }
    }
    return node
  }
}

extension ONNXGraph.Attribute {
  /// Its value, and which of the fields has it: `AttributeProto.AttributeType`.
  fileprivate func add(to message: inout Message) {
    switch self {
    case .float(let number):
      message.add(Field.Attribute.float, number)
      message.add(Field.Attribute.type, 1)
    case .integer(let number):
      message.add(Field.Attribute.integer, number)
      message.add(Field.Attribute.type, 2)
    case .string(let text):
      message.add(Field.Attribute.string, text)
      message.add(Field.Attribute.type, 3)
    case .integers(let numbers):
      for number in numbers { message.add(Field.Attribute.integers, number) }
      message.add(Field.Attribute.type, 7)
    }
  }
}

extension ValueShape {
  /// - Precondition: all are known.
  fileprivate var knownSizes: [Int] {
    switch self {
    case .map(let channels, let height, let width): [channels!, height!, width!]
    case .vector(let channels): [channels!]
    }
  }
}
