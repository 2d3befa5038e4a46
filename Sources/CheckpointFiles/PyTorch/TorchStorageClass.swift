internal import Tensors

/// What the storage classes of PyTorch hold. Their names are globals of the module `torch`, in old
/// files from a GPU of `torch.cuda`.
enum TorchStorageClass {
  case elements(ElementType)
  /// Bytes, typed only by the tensors over them.
  case untyped
  /// Integers that mean nothing without a scale and a zero point.
  case quantized

  init?(globalName name: Name) {
    switch name {
    case "torch.storage.UntypedStorage", "torch.UntypedStorage", "torch.storage._UntypedStorage",
      "torch._UntypedStorage":
      self = .untyped
    case "torch.QInt8Storage", "torch.QUInt8Storage", "torch.QInt32Storage",
      "torch.QUInt4x2Storage",
      "torch.QUInt2x4Storage":
      self = .quantized
    default:
      let parts = name.parts()
      guard parts.count == 2 || parts.count == 3 && parts[1] == "cuda", parts[0] == "torch",
        let type = Self.names.first(where: { $0.name == parts.last! })?.type
      else { return nil }
      self = .elements(type)
    }
  }

  /// The name of the storage class of PyTorch 1.6 that holds elements of `type`; nil if it has none.
  static func name(of type: ElementType) -> Name? {
    names.first { $0.type == type }?.name
  }

  private static let names: [(name: Name, type: ElementType)] = [
    ("DoubleStorage", .float64), ("FloatStorage", .float32), ("HalfStorage", .float16),
    ("BFloat16Storage", .bfloat16), ("LongStorage", .int64), ("IntStorage", .int32),
    ("ShortStorage", .int16), ("CharStorage", .int8), ("ByteStorage", .uint8),
    ("BoolStorage", .bool), ("ComplexDoubleStorage", .complex128),
    ("ComplexFloatStorage", .complex64),
  ]
}
