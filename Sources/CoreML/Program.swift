internal import Tensors

/// A network in the words of MIL, Core ML's intermediate language: operations that know each other by name.
struct Program {
  /// `DataType` of MIL.proto.
  enum DataType: Int {
    case bool = 1
    case string = 2
    case float16 = 10
    case float32 = 11
    case int8 = 21
    case int32 = 23
  }

  struct ValueType: Equatable {
    var dataType: DataType
    /// Empty for a single number.
    var shape: [Int]
  }

  /// What is known beforehand.
  enum Constant: Hashable {
    case bool(Bool)
    case integer(Int)
    case integers([Int])
    case string(String)
    /// Of the network's type.
    case number(Double)
    /// The step that stands for zero.
    case zeroStep
    /// Elements in the file of weights, in a shape.
    case stored(_ blob: Int, [Int])
  }

  struct Operation {
    /// MIL's name of it: `conv`.
    var type: String
    /// Names of values; of most parameters one.
    var inputs: [String: [String]] = [:]
    var output: String
    var outputType: ValueType
    var attributes: [String: Constant]
  }

  /// Elements in the file of weights.
  struct Blob {
    enum Source: Equatable {
      case tensor
      /// Scales of an earlier blob.
      case scales(of: Int)
    }

    var tensor: OutputTensor
    var source: Source
  }

  var operations: [Operation] = []
  var blobs: [Blob] = []
  var input = (name: "", type: ValueType(dataType: .float32, shape: []))
  var output = (name: "", type: ValueType(dataType: .float32, shape: []))
  /// What all values between are of.
  var dataType = DataType.float32
  /// MIL's name of the version of its operations.
  var operationsVersion = ""
}
