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
  public var byteCount: Int { row.byteCount }

  /// Bytes that are reversed together when the byte order changes: each half of a complex number.
  var swapCount: Int { row.byteCount / row.numbers }

  /// Whether `Tensor.readNumbers` can decode it: the four IEEE-like types that weights come in.
  public var isWeightType: Bool { NumberFormat(self) != nil }

  /// The table of element types: bytes, and numbers that an element consists of.
  private var row: (byteCount: Int, numbers: Int) {
    switch self {
    case .float64: (8, 1)
    case .float32: (4, 1)
    case .float16: (2, 1)
    case .bfloat16: (2, 1)
    case .float8e4m3fn: (1, 1)
    case .float8e5m2: (1, 1)
    case .int64: (8, 1)
    case .int32: (4, 1)
    case .int16: (2, 1)
    case .int8: (1, 1)
    case .uint64: (8, 1)
    case .uint32: (4, 1)
    case .uint16: (2, 1)
    case .uint8: (1, 1)
    case .bool: (1, 1)
    case .complex64: (8, 2)
    case .complex128: (16, 2)
    }
  }
}

/// The order of an element's bytes.
public enum ByteOrder: Sendable {
  case little, big
}
