internal import Tensors

/// A NumPy dtype of plain numbers: what `dtype.str` calls `<f4`.
struct NumPyType: Equatable {
  var elementType: ElementType
  var byteOrder: ByteOrder

  init(_ elementType: ElementType, _ byteOrder: ByteOrder = .little) {
    self.elementType = elementType
    self.byteOrder = byteOrder
  }

  /// Returns nil if `code` is not a type of plain numbers.
  ///
  /// A code is an optional byte order (`<` little, `>` big, `=` that of the machine that wrote it, taken
  /// for little, `|` none), a kind and the bytes of an element.
  init?(code: String) {
    var code = Substring(code)
    var byteOrder = ByteOrder.little
    if let first = code.first, let order = NumPyType.byteOrders[first] {
      byteOrder = order
      code.removeFirst()
    }
    guard let elementType = NumPyType.elementTypes[String(code)] else { return nil }
    self.init(elementType, byteOrder)
  }

  /// The marks of byte order.
  static let byteOrders: [Character: ByteOrder] = [
    "<": .little, ">": .big, "=": .little, "|": .little,
  ]

  /// The code with its byte order, as `dtype.str` has it; nil for types that NumPy does not have.
  var code: String? {
    guard let kind = NumPyType.elementTypes.first(where: { $0.value == elementType })?.key else {
      return nil
    }
    return (elementType.byteCount == 1 ? "|" : byteOrder == .big ? ">" : "<") + kind
  }

  /// What a code that is no type of plain numbers stands for, as the end of a sentence that begins "has
  /// the dtype".
  static func description(ofOtherCode code: String) -> String {
    var code = code.prefix(16)
    if let first = code.first, byteOrders[first] != nil { code.removeFirst() }
    switch code.first {
    case "O": return "object (\(code)): its elements are Python objects"
    case "U", "S": return "\(code): its elements are strings"
    case "M", "m": return "\(code): its elements are dates or times"
    case "V":
      return
        "\(code): its elements are raw bytes, as NumPy saves bfloat16 and other types that are "
        + "not its own"
    default: return printable(String(code))
    }
  }

  private static let elementTypes: [String: ElementType] = [
    "f8": .float64, "f4": .float32, "f2": .float16, "i8": .int64, "i4": .int32, "i2": .int16,
    "i1": .int8, "u8": .uint64, "u4": .uint32, "u2": .uint16, "u1": .uint8, "b1": .bool,
    "c16": .complex128, "c8": .complex64,
  ]

  /// Types that other packages add to NumPy, by the class that pickles name.
  static let extensionTypes: [Name: ElementType] = [
    "ml_dtypes.bfloat16": .bfloat16, "ml_dtypes.float8_e4m3fn": .float8e4m3fn,
    "ml_dtypes.float8_e5m2": .float8e5m2,
  ]
}
