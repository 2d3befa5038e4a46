/// What one element of a tensor is. The raw values are the names NumPy and PyTorch use, and the ones
/// that `.rvd` stores.
public enum ElementType: String, CaseIterable, Sendable {
  case float64, float32, float16, bfloat16
  case float8e4m3fn = "float8_e4m3fn"
  case float8e5m2 = "float8_e5m2"
  case int64, int32, int16, int8
  case uint64, uint32, uint16, uint8
  case bool
  case complex64, complex128

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .complex128: 16
    case .float64, .int64, .uint64, .complex64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float8e4m3fn, .float8e5m2, .int8, .uint8, .bool: 1
    }
  }

  /// Bytes that are reversed together when the byte order changes: each half of a complex number.
  var swapCount: Int {
    switch self {
    case .complex64, .complex128: byteCount / 2
    default: byteCount
    }
  }

  /// Whether `Tensor.readNumbers` can decode it: the four IEEE-like types that weights come in.
  public var isWeightType: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16: true
    default: false
    }
  }
}

public enum ByteOrder: Sendable {
  case little, big
}
