package import Tensors

/// A network in an ONNX file, read inertly: nodes, and tensors that know where their bytes are.
///
///     ModelProto                    the whole file, a message of protobuf (`ProtobufCursor`)
///       ir_version, producer_name, producer_version, opset_import, metadata_props
///       graph: GraphProto
///         node: NodeProto           in an order in which they can be computed
///         initializer: TensorProto  the weights: in the file, or in another of its folder
///         input, output: ValueInfoProto
///
/// Field numbers are in `Field`. There is no magic number, checksum or length of the whole. Files of any
/// IR version are read; operations matter to those who ask what a node computes. Functions of the model,
/// graphs in attributes (`If`, `Loop`) and sparse initializers are counted, not entered.
///
/// <https://github.com/onnx/onnx>: `onnx/onnx.proto`, `docs/IR.md`, `docs/ExternalData.md`.
package struct ONNXFile: Sendable {
  /// What computes values of others.
  package struct Node: Sendable {
    /// Of ONNX's own operations if empty, as is `ai.onnx`.
    package var domain: Name = ""
    /// The name of the operation: `Conv`.
    package var operation: Name = ""
    package var name: Name = ""
    /// Names of values; empty where an optional one is absent.
    package var inputs: [Name] = []
    package var outputs: [Name] = []
    package var attributes: [Name: Attribute] = [:]
    package var place: Location
  }

  /// What an attribute can be.
  package enum Attribute: Sendable {
    case float(Float)
    case integer(Int)
    case string(String)
    case floats([Float])
    case integers([Int])
    case tensor(StoredTensor)
    /// A graph, a type, or several of something; what it is.
    case other(String)
  }

  /// A tensor, or why it is not one that can be read.
  package struct StoredTensor: Sendable {
    package var name: Name
    package var place: Location
    package var shape: Shape
    /// Nil if elements are of a type that nothing here can make use of.
    package var tensor: Tensor?
    /// The element type, as ONNX calls it.
    package var typeName: String
  }

  /// An input or output of the network.
  package struct Value: Sendable {
    package var name: Name
    /// Nil where a size is not fixed; all of it if there is no shape.
    package var sizes: [Int?]?
  }

  package let location: Location
  package let byteCount: Int
  package private(set) var irVersion = 0
  /// Name and version of the program that wrote it.
  package private(set) var producer = ""
  /// By domain; ONNX's own is empty.
  package private(set) var operatorSets: [Name: Int] = [:]
  package private(set) var metadata: [(key: String, value: String)] = []
  package private(set) var nodes: [Node] = []
  package private(set) var initializers: [StoredTensor] = []
  /// Those without an initializer.
  package private(set) var inputs: [Value] = []
  package private(set) var outputs: [Value] = []
  package private(set) var functionCount = 0
  package private(set) var sparseCount = 0

  /// The version of ONNX's own operations.
  package var operatorSet: Int { operatorSets[""] ?? operatorSets["ai.onnx"] ?? 1 }

  /// Whether a file that begins so is meant as an ONNX model: `ir_version`, and a field that models have.
  package static func matches(_ head: [UInt8]) -> Bool {
    guard head.count > 3, head[0] == UInt8(Field.Model.irVersion << 3), (1...0x7F).contains(head[1])
    else { return false }
    let texts = [
      Field.Model.producerName, Field.Model.producerVersion, Field.Model.domain,
      Field.Model.documentation, Field.Model.graph, Field.Model.operatorSets, Field.Model.metadata,
    ]
    return texts.contains { head[2] == UInt8($0 << 3 | 2) }
      || head[2] == UInt8(Field.Model.modelVersion << 3)
  }

  /// Reads all but the weights.
  ///
  /// - Throws: `ReadError` if the file contradicts its format or itself: names that are there twice, nodes
  ///   before what they take, tensors with fewer bytes than elements.
  package init(_ source: any ByteSource) throws(ReadError) {
    location = source.location
    byteCount = source.count
    var external = ExternalFiles(ofModelAt: source.location.path)
    let all = ProtobufCursor(source, what: "the model")
    var model = all
    var hasGraph = false
    var program = (name: "", version: "")
    while let field = try model.field() {
      switch field.number {
      case Field.Model.irVersion: irVersion = try model.integer(field, "the IR version")
      case Field.Model.producerName: program.name = try model.text(field, "the producer's name")
      case Field.Model.producerVersion:
        program.version = try model.text(field, "the producer's version")
      case Field.Model.operatorSets:
        let (domain, version) = try ONNXFile.operatorSet(
          try model.message(field, "an operator set"))
        operatorSets[domain] = version
      case Field.Model.metadata:
        metadata.append(try ONNXFile.entry(try model.message(field, "an entry of the metadata")))
      case Field.Model.functions: functionCount += 1
      case Field.Model.graph:
        guard !hasGraph else { throw model.error(field.place, "one graph", "a second") }
        hasGraph = true
        try takeGraph(try model.message(field, "the graph"), source, &external)
      default: break
      }
    }
    producer = [program.name, program.version].filter { !$0.isEmpty }.joined(separator: " ")
    guard hasGraph else { throw model.error(location, "a model with a graph", "none") }
    try checkNames()
    // The rest: what the values between nodes are, documentation, graphs in attributes.
    try all.check(.model)
  }

  private static func operatorSet(
    _ message: ProtobufCursor
  ) throws(ReadError) -> (domain: Name, version: Int) {
    var (message, domain, version) = (message, Name(""), 0)
    while let field = try message.field() {
      switch field.number {
      case Field.OperatorSet.domain: domain = try message.name(field, "a domain")
      case Field.OperatorSet.version: version = try message.integer(field, "a version")
      default: break
      }
    }
    return (domain, version)
  }

  static func entry(_ message: ProtobufCursor) throws(ReadError) -> (key: String, value: String) {
    var (message, key, value) = (message, "", "")
    while let field = try message.field() {
      switch field.number {
      case Field.Entry.key: key = try message.text(field, "a key")
      case Field.Entry.value: value = try message.text(field, "a value")
      default: break
      }
    }
    return (key, value)
  }

  private mutating func takeGraph(
    _ message: ProtobufCursor, _ source: any ByteSource, _ external: inout ExternalFiles
  ) throws(ReadError) {
    var message = message
    while let field = try message.field() {
      switch field.number {
      case Field.Graph.nodes:
        nodes.append(
          try Node(try message.message(field, "a node"), at: field.place, source, &external))
      case Field.Graph.initializers:
        initializers.append(
          try StoredTensor(
            try message.message(field, "an initializer"), at: field.place, source, &external))
      case Field.Graph.inputs: inputs.append(try Value(try message.message(field, "an input")))
      case Field.Graph.outputs: outputs.append(try Value(try message.message(field, "an output")))
      case Field.Graph.sparseInitializers: sparseCount += 1
      default: break
      }
    }
  }

  /// Every value has one name and one origin, and is there before it is taken.
  private mutating func checkNames() throws(ReadError) {
    var known: Set<Name> = []
    for tensor in initializers {
      guard known.insert(tensor.name).inserted else {
        throw .malformed(
          tensor.place, expected: "every initializer's name once",
          found: "'\(printable(tensor.name))' twice", remedy: fetchAgain)
      }
    }
    // Files of IR version 3 list initializers as inputs, too.
    inputs.removeAll { known.contains($0.name) }
    known.formUnion(inputs.map(\.name))
    for node in nodes {
      for input in node.inputs where !input.isEmpty && !known.contains(input) {
        // A sparse initializer's name stands inside what is not read.
        guard sparseCount == 0 else { continue }
        throw .malformed(
          node.place, expected: "nodes that take what is there before them",
          found: "'\(printable(input))', which no node, input or initializer before is called",
          remedy: fetchAgain)
      }
      for output in node.outputs where !output.isEmpty {
        guard known.insert(output).inserted else {
          throw .malformed(
            node.place, expected: "every value's name once", found: "'\(printable(output))' twice",
            remedy: fetchAgain)
        }
      }
    }
  }
}

extension ONNXFile.Node {
  fileprivate init(
    _ message: ProtobufCursor, at place: Location, _ source: any ByteSource,
    _ external: inout ExternalFiles
  ) throws(ReadError) {
    self.init(place: place)
    var message = message
    while let field = try message.field() {
      switch field.number {
      case Field.Node.inputs: inputs.append(try message.name(field, "the name of an input"))
      case Field.Node.outputs: outputs.append(try message.name(field, "the name of an output"))
      case Field.Node.name: name = try message.name(field, "the name of a node")
      case Field.Node.operation: operation = try message.name(field, "an operation")
      case Field.Node.domain: domain = try message.name(field, "a domain")
      case Field.Node.attributes:
        let attribute = try message.message(field, "an attribute")
        let (name, value) = try ONNXFile.Attribute.read(
          attribute, at: field.place, source, &external)
        guard attributes.updateValue(value, forKey: name) == nil else {
          throw message.error(
            field.place, "every attribute of a node once", "'\(printable(name))' twice")
        }
      default: break
      }
    }
    if domain == "ai.onnx" { domain = "" }
  }

  /// An integer; a default where it is absent.
  package func integer(_ name: Name, default value: Int) -> Int {
    if case .integer(let number)? = attributes[name] { number } else { value }
  }

  /// Several integers; nil where they are absent.
  package func integers(_ name: Name) -> [Int]? {
    if case .integers(let numbers)? = attributes[name] { numbers } else { nil }
  }

  /// A number; a default where it is absent.
  package func float(_ name: Name, default value: Float) -> Float {
    if case .float(let number)? = attributes[name] { number } else { value }
  }

  /// Text; nil where it is absent.
  package func string(_ name: Name) -> String? {
    if case .string(let text)? = attributes[name] { text } else { nil }
  }

  /// The name of an input; nil where it is absent.
  package func input(_ index: Int) -> Name? {
    inputs.indices.contains(index) && !inputs[index].isEmpty ? inputs[index] : nil
  }
}

extension ONNXFile.Attribute {
  /// Files before IR version 2 do not say the type: what is there tells it.
  fileprivate static func read(
    _ message: ProtobufCursor, at place: Location, _ source: any ByteSource,
    _ external: inout ExternalFiles
  ) throws(ReadError) -> (name: Name, ONNXFile.Attribute) {
    var message = message
    var name: Name = ""
    var value: ONNXFile.Attribute?
    var (floats, integers): ([UInt64], [Int]) = ([], [])
    var type: Int?
    while let field = try message.field() {
      switch field.number {
      case Field.Attribute.name: name = try message.name(field, "the name of an attribute")
      case Field.Attribute.type: type = try message.integer(field, "the type of an attribute")
      case Field.Attribute.float: value = .float(try message.float(field, "an attribute"))
      case Field.Attribute.integer: value = .integer(try message.integer(field, "an attribute"))
      case Field.Attribute.string: value = .string(try message.text(field, "an attribute"))
      case Field.Attribute.tensor:
        value = .tensor(
          try ONNXFile.StoredTensor(
            try message.message(field, "a tensor"), at: field.place, source, &external))
      case Field.Attribute.graph: value = .other("a graph")
      case Field.Attribute.floats:
        try message.fixeds(field, "an attribute", width: 4, to: &floats)
      case Field.Attribute.integers: try message.integers(field, "an attribute", to: &integers)
      default: break
      }
    }
    if value == nil, !floats.isEmpty {
      value = .floats(floats.map { Float(bitPattern: UInt32($0)) })
    } else if value == nil, !integers.isEmpty {
      value = .integers(integers)
    }
    // Zeros and empty lists need not be there, if the type says what they are of.
    switch type {
    case 1: value = value ?? .float(0)
    case 2: value = value ?? .integer(0)
    case 3: value = value ?? .string("")
    case 6: value = value ?? .floats([])
    case 7: value = value ?? .integers([])
    default: break
    }
    return (name, value ?? .other("nothing that is read"))
  }
}

extension ONNXFile.Value {
  fileprivate init(_ message: ProtobufCursor) throws(ReadError) {
    self.init(name: "", sizes: nil)
    var message = message
    while let field = try message.field() {
      switch field.number {
      case Field.Value.name: name = try message.name(field, "the name of a value")
      case Field.Value.type: sizes = try ONNXFile.Value.sizes(try message.message(field, "a type"))
      default: break
      }
    }
  }

  /// Of a `TypeProto`.
  private static func sizes(_ message: ProtobufCursor) throws(ReadError) -> [Int?]? {
    var type = message
    while let field = try type.field() {
      guard field.number == Field.ValueType.tensor else { continue }
      var tensor = try type.message(field, "a tensor's type")
      while let field = try tensor.field() {
        guard field.number == Field.TensorType.shape else { continue }
        var shape = try tensor.message(field, "a shape")
        var sizes: [Int?] = []
        while let field = try shape.field() {
          guard field.number == Field.Shape.dimensions else { continue }
          var dimension = try shape.message(field, "a dimension")
          var size: Int?
          while let field = try dimension.field() {
            if field.number == Field.Dimension.size {
              size = try dimension.integer(field, "a size")
            }
          }
          sizes.append(size)
        }
        return sizes
      }
    }
    return nil
  }
}
