internal import Tensors

/// The messages of ONNX, and which of their fields are messages (`onnx/onnx.proto` of github.com/onnx/onnx).
///
/// By this, what is not read of a file can be looked through for damage all the same: the libraries of
/// protobuf refuse a file for it.
enum MessageKind {
  case model, graph, node, attribute, tensor, sparseTensor, function, training
  case value, type, tensorType, elementsType, mapType, shape
  case annotation, devices, sharding, shardedAxis
  /// Without messages inside.
  case plain

  static let parts: [MessageKind: [Int: MessageKind]] = [
    .model: [7: .graph, 8: .plain, 14: .plain, 20: .training, 25: .function, 26: .plain],
    .graph: [
      1: .node, 5: .tensor, 11: .value, 12: .value, 13: .value, 14: .annotation, 15: .sparseTensor,
      16: .plain,
    ],
    .node: [5: .attribute, 9: .plain, 10: .devices],
    .attribute: [
      5: .tensor, 6: .graph, 10: .tensor, 11: .graph, 14: .type, 15: .type, 22: .sparseTensor,
      23: .sparseTensor,
    ],
    .tensor: [3: .plain, 13: .plain, 16: .plain],
    .sparseTensor: [1: .tensor, 2: .tensor],
    .function: [7: .node, 9: .plain, 11: .attribute, 12: .value, 14: .plain],
    .training: [1: .graph, 2: .graph, 3: .plain, 4: .plain],
    .value: [2: .type, 4: .plain],
    .type: [
      1: .tensorType, 4: .elementsType, 5: .mapType, 7: .plain, 8: .tensorType, 9: .elementsType,
    ],
    .tensorType: [2: .shape],
    .elementsType: [1: .type],
    .mapType: [2: .type],
    .shape: [1: .plain],
    .annotation: [2: .plain],
    .devices: [2: .sharding],
    .sharding: [3: .plain, 4: .shardedAxis],
    .shardedAxis: [2: .plain],
  ]
}

extension ProtobufCursor {
  /// Looks through all fields of the message, and of the messages in it, whether they are well formed.
  func check(_ kind: MessageKind) throws(ReadError) {
    var rest = self
    while let field = try rest.field() {
      guard let part = MessageKind.parts[kind]?[field.number], case .bytes = field.value
      else { continue }
      try rest.inside(field, "a message").check(part)
    }
  }
}
