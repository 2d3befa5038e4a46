internal import Tensors

extension ElementType {
  /// The number of `TensorProto.DataType` (`onnx/onnx.proto`) that stands for it; nil for a type that no
  /// network which is written has.
  var onnxCode: Int? {
    switch self {
    case .float32: 1
    case .uint8: 2
    case .int8: 3
    case .int32: 6
    case .int64: 7
    case .float16: 10
    case .float64: 11
    case .bfloat16: 16
    default: nil
    }
  }
}
