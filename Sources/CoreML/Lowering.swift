internal import Graphs
internal import Tensors

/// A graph on its way to MIL's words, and the node of it that is being put into them.
struct Lowering: GraphLowering {
  /// A value of the program.
  struct Value {
    var name: String
    var shape: [Int]
  }

  /// What a parameter of an operation gets.
  enum Argument {
    case value(Value)
    case values([Value])
    case constant(Program.Constant)
  }

  private(set) var result = Program()
  let tensors: [OutputTensor]
  let shapes: [ValueShape]
  private(set) var values: [Value] = []
  private var constants: [Program.Constant: String] = [:]
  /// Blobs, by the tensor.
  private var blobs: [Int: Int] = [:]
  private var names = UniqueNames()
  private(set) var node = Graph.Node(.flatten, inputs: [])

  /// - Parameters:
  ///   - shapes: of the graph's values.
  ///   - tensors: those that its operands are indices into, all float32 or all float16, some int8 with scales.
  init(_ graph: Graph, shapes: [ValueShape], tensors: [OutputTensor], _ type: Program.DataType) {
    self.tensors = tensors
    self.shapes = shapes
    let hasSteps = tensors.contains { $0.scales != nil }
    // Since iOS 16, which weights in steps need; all else is as old as the format.
    result.operationsVersion = hasSteps ? "CoreML6" : "CoreML5"
    result.dataType = type
    let input = Value(name: unique("input"), shape: shapes[0].sizes)
    let output = unique("output")
    result.input = (input.name, Program.ValueType(dataType: .float32, shape: input.shape))
    values.append(cast(input, to: .float16, "fp16"))
    for node in graph.nodes {
      self.node = node
      values.append(OperationRow.table[node.kind].lower(&self))
    }
    let last = cast(values.last!, to: .float32, "fp32")
    result.output = (output, Program.ValueType(dataType: .float32, shape: last.shape))
    result.operations[result.operations.count - 1].output = output
    result.operations[result.operations.count - 1].attributes["name"] = .string(output)
  }

  /// At the ends of a network that does not compute in float32, which images and results are in.
  private mutating func cast(
    _ value: Value, to type: Program.DataType, _ title: String
  ) -> Value {
    guard result.dataType == .float16 else { return value }
    node.block = nil
    return append(
      "cast", ["x": .value(value), "dtype": .constant(.string(title))], shape: value.shape,
      type: type)
  }

  // MARK: What rows are made of

  /// The sizes of the node's result.
  var resultSizes: [Int] { resultShape.sizes }

  /// Appends an operation that belongs to the node.
  ///
  /// - Parameters:
  ///   - arguments: by the names of parameters; nil for an optional one that is absent.
  ///   - shape: of its value; nil for that of the node's result.
  mutating func append(
    _ operation: String, _ arguments: [String: Argument?], shape: [Int]? = nil
  ) -> Value {
    append(operation, arguments, shape: shape ?? resultSizes, type: result.dataType)
  }

  private mutating func append(
    _ operation: String, _ arguments: [String: Argument?], shape: [Int], type: Program.DataType
  ) -> Value {
    var inputs: [String: [String]] = [:]
    for (parameter, argument) in arguments.sorted(by: { $0.key < $1.key }) {
      switch argument {
      case .value(let value)?: inputs[parameter] = [value.name]
      case .values(let values)?: inputs[parameter] = values.map(\.name)
      case .constant(let constant)?: inputs[parameter] = [name(of: constant)]
      case nil: break
      }
    }
    let name = unique(node.block.map { "\($0)_\(operation)" } ?? Name(operation))
    result.operations.append(
      Program.Operation(
        type: operation, inputs: inputs, output: name,
        outputType: Program.ValueType(dataType: type, shape: shape),
        attributes: ["name": .string(name)]))
    return Value(name: name, shape: shape)
  }

  /// An operation of two values, or a value and a number.
  mutating func append(
    _ operation: String, _ x: Value, _ y: Argument, shape: [Int]? = nil
  ) -> Value {
    append(operation, ["x": .value(x), "y": y], shape: shape)
  }

  /// A name of its own that MIL takes, near to the one wanted: letters, digits and `_`, no digit first.
  private mutating func unique(_ wanted: Name) -> String {
    let allowed = wanted.text.unicodeScalars.map { scalar in
      scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        ? String(scalar) : "_"
    }.joined()
    let startsWithDigit = allowed.first.map(\.isNumber) ?? true
    return names.next(Name(startsWithDigit ? "_" + allowed : allowed)).text
  }

  private mutating func name(of constant: Program.Constant) -> String {
    if let name = constants[constant] { return name }
    let name = unique("constant")
    append(constant, named: name)
    return name
  }

  private mutating func append(_ constant: Program.Constant, named name: String) {
    constants[constant] = name
    result.operations.append(
      Program.Operation(
        type: "const", output: name, outputType: result.type(of: constant),
        attributes: ["name": .string(name), "val": constant]))
  }

  /// A tensor of the node; int8 weights as the numbers that they stand for.
  ///
  /// - Parameter shape: another one of as many elements; nil for its own.
  /// - Returns: nil if the node has none.
  mutating func tensor(_ operand: String, as shape: [Int]? = nil) -> Argument? {
    guard let index = node.operand(operand) else { return nil }
    let tensor = tensors[index]
    let shape = shape ?? tensor.shape.dimensions
    let blob = blobs[index] ?? add(tensor, .tensor)
    blobs[index] = blob
    let stored = Program.Constant.stored(blob, shape)
    if let name = constants[stored] { return .value(Value(name: name, shape: shape)) }
    let name = unique(tensor.name)
    guard let scales = tensor.scales else {
      append(stored, named: name)
      return .value(Value(name: name, shape: shape))
    }
    let isFirst = blob == result.blobs.count - 1
    if isFirst {
      // Safe: scales are numbers in memory.
      let numbers = try! Tensor(float32: scales, shape: [scales.count], name: tensor.name)
      _ = add(OutputTensor(name: "\(tensor.name)_scale", numbers), .scales(of: blob))
    }
    constants[stored] = name
    result.operations.append(
      Program.Operation(
        type: "constexpr_affine_dequantize", output: name,
        outputType: Program.ValueType(dataType: result.dataType, shape: shape),
        attributes: [
          "axis": .integer(0), "name": .string(name), "quantized_data": stored,
          "scale": .stored(blob + 1, [scales.count]), "zero_point": .zeroStep,
        ]))
    return .value(Value(name: name, shape: shape))
  }

  /// One number for each channel, or one for all, in the shape that stands beside what the node takes.
  ///
  /// - Returns: nil if the node has none.
  mutating func channels(_ operand: String) -> Argument? {
    guard let index = node.operand(operand) else { return nil }
    let count = tensors[index].shape[0]
    return tensor(operand, as: takesMap && count > 1 ? [count, 1, 1] : [count])
  }

  private mutating func add(_ tensor: OutputTensor, _ source: Program.Blob.Source) -> Int {
    result.blobs.append(Program.Blob(tensor: tensor, source: source))
    return result.blobs.count - 1
  }
}

extension ValueShape {
  /// One image's.
  ///
  /// - Precondition: all sizes are known.
  fileprivate var sizes: [Int] {
    switch self {
    case .map(let channels, let height, let width): [1, channels!, height!, width!]
    case .vector(let channels): [1, channels!]
    }
  }
}

extension Program {
  /// The type of a constant.
  func type(of constant: Constant) -> ValueType {
    switch constant {
    case .bool: ValueType(dataType: .bool, shape: [])
    case .integer: ValueType(dataType: .int32, shape: [])
    case .integers(let numbers): ValueType(dataType: .int32, shape: [numbers.count])
    case .string: ValueType(dataType: .string, shape: [])
    case .number: ValueType(dataType: dataType, shape: [])
    case .zeroStep: ValueType(dataType: .int8, shape: [])
    case .stored(let blob, let shape):
      ValueType(dataType: DataType(blobs[blob].tensor.elementType)!, shape: shape)
    }
  }
}

extension Program.DataType {
  /// Nil if Core ML computes in no such type, and keeps no weights in it.
  init?(_ type: ElementType) {
    switch type {
    case .float16: self = .float16
    case .float32: self = .float32
    case .int8: self = .int8
    default: return nil
    }
  }
}
