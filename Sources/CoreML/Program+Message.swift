internal import Protobuf
internal import Tensors

/// The numbers of the fields that are written (`mlmodel/format/Model.proto`, `FeatureTypes.proto` and
/// `MIL.proto` of github.com/apple/coremltools). Maps are messages of a key and a value, here in the order
/// of their keys.
enum Field {
  enum Model {
    static let version = 1
    static let description = 2
    static let program = 502
  }
  enum Description {
    static let inputs = 1
    static let outputs = 10
    static let metadata = 100
  }
  enum Metadata {
    static let license = 4
    static let userDefined = 100
  }
  /// `FeatureDescription`; of its type, `FeatureType`, the array.
  enum Feature {
    static let name = 1
    static let type = 3
    static let array = 5
  }
  /// `ArrayFeatureType`.
  enum FeatureArray {
    static let shape = 1
    static let dataType = 2
  }
  enum Entry {
    static let key = 1
    static let value = 2
  }
  enum Program {
    static let version = 1
    static let functions = 2
  }
  enum Function {
    static let inputs = 1
    static let operationsVersion = 2
    static let blocks = 3
  }
  enum Block {
    static let outputs = 2
    static let operations = 3
  }
  enum Operation {
    static let type = 1
    static let inputs = 2
    static let outputs = 3
    static let attributes = 5
  }
  /// `Argument`, of which each binding has a name.
  enum Argument {
    static let bindings = 1
    static let name = 1
  }
  /// `NamedValueType`.
  enum NamedType {
    static let name = 1
    static let type = 2
  }
  enum ValueType {
    static let tensor = 1
  }
  enum TensorType {
    static let dataType = 1
    static let rank = 2
    static let dimensions = 3
  }
  /// `Dimension`, of which the constant one has a size.
  enum Dimension {
    static let constant = 1
    static let size = 1
  }
  enum Value {
    static let type = 2
    static let immediate = 3
    static let blob = 5
  }
  enum Immediate {
    static let tensor = 1
  }
  /// `TensorValue`; each of its alternatives has a field 1 of values.
  enum TensorValue {
    static let floats = 1
    static let integers = 2
    static let bools = 3
    static let strings = 4
    static let bytes = 7
    static let values = 1
  }
  /// `Value.BlobFileValue`.
  enum Blob {
    static let file = 1
    static let offset = 2
  }
}

extension Program {
  /// The message `Model`.
  ///
  /// - Parameters:
  ///   - offsets: where the record of each blob is in the file of weights.
  ///   - license: nil if it is not known.
  ///   - userDefined: what else is said of the model, in the order of keys.
  func model(offsets: [Int], license: String?, userDefined: [(String, String)]) -> Message {
    var model = Message()
    model.add(Field.Model.version, operationsVersion == "CoreML6" ? 7 : 6)
    model.add(Field.Model.description) { description in
      description.add(Field.Description.inputs, Program.feature(input.name, input.type.shape))
      description.add(Field.Description.outputs, Program.feature(output.name, output.type.shape))
      description.add(Field.Description.metadata) { metadata in
        if let license { metadata.add(Field.Metadata.license, license) }
        for (key, value) in userDefined {
          metadata.add(Field.Metadata.userDefined) {
            $0.add(Field.Entry.key, key)
            $0.add(Field.Entry.value, value)
          }
        }
      }
    }
    var block = Message()
    block.add(Field.Block.outputs, output.name)
    for operation in operations {
      block.add(Field.Block.operations, message(of: operation, offsets))
    }
    var function = Message()
    function.add(Field.Function.inputs, Program.named(input.name, input.type))
    function.add(Field.Function.operationsVersion, operationsVersion)
    function.add(Field.Function.blocks, Program.entry(operationsVersion, block))
    model.add(Field.Model.program) {
      $0.add(Field.Program.version, 1)
      $0.add(Field.Program.functions, Program.entry("main", function))
    }
    return model
  }

  /// An array of float32.
  private static func feature(_ name: String, _ shape: [Int]) -> Message {
    var array = Message()
    array.add(Field.FeatureArray.shape, packed: shape)
    array.add(Field.FeatureArray.dataType, 0x10020)
    var feature = Message()
    feature.add(Field.Feature.name, name)
    feature.add(Field.Feature.type) { $0.add(Field.Feature.array, array) }
    return feature
  }

  private static func entry(_ key: String, _ value: Message) -> Message {
    var entry = Message()
    entry.add(Field.Entry.key, key)
    entry.add(Field.Entry.value, value)
    return entry
  }

  private static func named(_ name: String, _ type: ValueType) -> Message {
    var message = Message()
    message.add(Field.NamedType.name, name)
    message.add(Field.NamedType.type, type.message)
    return message
  }

  private func message(of operation: Operation, _ offsets: [Int]) -> Message {
    var message = Message()
    message.add(Field.Operation.type, operation.type)
    for (parameter, names) in operation.inputs.sorted(by: { $0.key < $1.key }) {
      var argument = Message()
      for name in names {
        argument.add(Field.Argument.bindings) { $0.add(Field.Argument.name, name) }
      }
      message.add(Field.Operation.inputs, Program.entry(parameter, argument))
    }
    message.add(
      Field.Operation.outputs, Program.named(operation.output, operation.outputType))
    for (name, constant) in operation.attributes.sorted(by: { $0.key < $1.key }) {
      message.add(Field.Operation.attributes, Program.entry(name, value(constant, offsets)))
    }
    return message
  }

  /// `Value`.
  private func value(_ constant: Constant, _ offsets: [Int]) -> Message {
    var value = Message()
    value.add(Field.Value.type, type(of: constant).message)
    if case .stored(let blob, _) = constant {
      value.add(Field.Value.blob) {
        $0.add(Field.Blob.file, "@model_path/weights/\(CoreMLWriter.weightsName)")
        $0.add(Field.Blob.offset, offsets[blob])
      }
      return value
    }
    var values = Message()
    let alternative: Int
    switch constant {
    case .bool(let flag):
      values.add(Field.TensorValue.values, packed: [flag ? 1 : 0])
      alternative = Field.TensorValue.bools
    case .integer(let number):
      values.add(Field.TensorValue.values, packed: [number])
      alternative = Field.TensorValue.integers
    case .integers(let numbers):
      values.add(Field.TensorValue.values, packed: numbers)
      alternative = Field.TensorValue.integers
    case .string(let text):
      values.add(Field.TensorValue.values, text)
      alternative = Field.TensorValue.strings
    case .number(let number) where dataType == .float32:
      values.add(Field.TensorValue.values, packed: [Float(number)])
      alternative = Field.TensorValue.floats
    case .number(let number):
      values.add(Field.TensorValue.values, halfBytes(of: number))
      alternative = Field.TensorValue.bytes
    case .zeroStep:
      values.add(Field.TensorValue.values, [0] as [UInt8])
      alternative = Field.TensorValue.bytes
    case .stored: preconditionFailure("is in the file of weights")
    }
    value.add(Field.Value.immediate) { immediate in
      immediate.add(Field.Immediate.tensor) { $0.add(alternative, values) }
    }
    return value
  }

  /// A number as float16, little-endian.
  private func halfBytes(of number: Double) -> [UInt8] {
    // Safe: a number in memory.
    let tensor = OutputTensor(
      name: "", shape: [1], try! Tensor(float64: [number], shape: [1], name: ""), as: .float16)
    var (workspace, buffer, bytes) = (Workspace(), [UInt8](), [UInt8]())
    try! unsafe tensor.forEachPiece(workspace: &workspace, buffer: &buffer) {
      unsafe bytes += $0
    }
    return bytes
  }
}

extension Program.ValueType {
  /// `ValueType`.
  fileprivate var message: Message {
    var type = Message()
    type.add(Field.ValueType.tensor) { tensor in
      tensor.add(Field.TensorType.dataType, dataType.rawValue)
      // Of single numbers 0, which is not written.
      if !shape.isEmpty { tensor.add(Field.TensorType.rank, shape.count) }
      for size in shape {
        tensor.add(Field.TensorType.dimensions) { dimension in
          dimension.add(Field.Dimension.constant) { $0.add(Field.Dimension.size, size) }
        }
      }
    }
    return type
  }
}
