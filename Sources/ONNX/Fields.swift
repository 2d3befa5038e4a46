/// The numbers of the fields of ONNX's messages that are written or read (`onnx/onnx.proto` of
/// github.com/onnx/onnx; a message's fields and their types never change meaning).
enum Field {
  enum Model {
    static let irVersion = 1
    static let producerName = 2
    static let producerVersion = 3
    static let domain = 4
    static let modelVersion = 5
    static let documentation = 6
    static let graph = 7
    static let operatorSets = 8
    static let metadata = 14
    static let functions = 25
  }
  enum OperatorSet {
    static let domain = 1
    static let version = 2
  }
  /// `StringStringEntryProto`.
  enum Entry {
    static let key = 1
    static let value = 2
  }
  enum Graph {
    static let nodes = 1
    static let name = 2
    static let initializers = 5
    static let documentation = 10
    static let inputs = 11
    static let outputs = 12
    static let values = 13
    static let sparseInitializers = 15
  }
  enum Node {
    static let inputs = 1
    static let outputs = 2
    static let name = 3
    static let operation = 4
    static let attributes = 5
    static let documentation = 6
    static let domain = 7
  }
  enum Attribute {
    static let name = 1
    static let float = 2
    static let integer = 3
    static let string = 4
    static let tensor = 5
    static let graph = 6
    static let floats = 7
    static let integers = 8
    static let type = 20
  }
  enum Tensor {
    static let dimensions = 1
    static let elementType = 2
    static let floats = 4
    static let int32s = 5
    static let int64s = 7
    static let name = 8
    static let raw = 9
    static let doubles = 10
    static let uint64s = 11
    static let externalData = 13
    static let dataLocation = 14
  }
  /// `ValueInfoProto`.
  enum Value {
    static let name = 1
    static let type = 2
  }
  /// `TypeProto`.
  enum ValueType {
    static let tensor = 1
  }
  /// `TypeProto.Tensor`.
  enum TensorType {
    static let elementType = 1
    static let shape = 2
  }
  /// `TensorShapeProto`.
  enum Shape {
    static let dimensions = 1
  }
  /// `TensorShapeProto.Dimension`.
  enum Dimension {
    static let size = 1
    static let symbol = 2
  }
}
