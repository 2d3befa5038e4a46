internal import Tensors

/// What stands before the elements of an array in NumPy's `.npy` format.
///
///     6 bytes    93 "NUMPY"
///     u8, u8     version: 1, 2 or 3, and 0
///     u16        length of the text; u32 from version 2 on
///     text       Latin-1, UTF-8 in version 3; blanks and "\n" fill it up
///     ...        the elements
///
/// The text is a Python dict with three keys in any order:
///
///     {'descr': '<f4', 'fortran_order': False, 'shape': (48, 3, 3, 3), }
///
/// `descr` is a type code (see `NumPyType`), or a list for structures; the elements are column-major if
/// `fortran_order` is true. Only this much of Python is understood: strings without escapes, `True`,
/// `False`, tuples of natural numbers (Python 2 ends them with `L`), and lists, which are skipped.
///
/// `numpy/lib/_format_impl.py` describes the format.
struct NPYHeader {
  /// What the elements are.
  enum Elements {
    case numbers(NumPyType)
    /// Unicode strings of so many characters, in UTF-32, zeros behind them.
    case text(characters: Int, ByteOrder)
    /// Something else, as the end of a sentence that begins "has the dtype".
    case other(String)
  }

  private(set) var elements: Elements
  private(set) var shape: Shape
  private(set) var isColumnMajor: Bool
  /// The offset of the first element.
  private(set) var end: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads the header at the start of `source`, from front to back.
  init(of source: any ByteSource) throws(ReadError) {
    var start = try source.bytes(0..<10, field: "the header of an array")
    guard start.starts(with: NPYHeader.magic) else {
      throw .malformed(
        source.location, expected: "an array in NumPy's format", found: "other bytes",
        remedy: fetchAgain)
    }
    guard (1...3).contains(start[6]), start[7] == 0 else {
      throw .unsupported(
        source.location, what: "the array is in version \(start[6]).\(start[7]) of NumPy's format",
        remedy: "Load it with NumPy and save it again.")
    }
    if start[6] > 1 { start += try source.bytes(10..<12, field: "the header of an array") }
    let length = start.littleEndian(at: 8, width: start.count - 8)
    guard length <= source.limits[.npyHeader] else {
      throw source.exceeded(.npyHeader, found: "\(length)")
    }
    end = start.count + length
    var text = NPYHeaderText(
      try source.bytes(start.count..<end, field: "the header of an array"),
      at: source.location(at: start.count))
    let fields = try text.fields()
    elements = NPYHeader.elements(fields.type)
    shape = fields.shape
    isColumnMajor = fields.isColumnMajor
  }

  private static func elements(_ type: NPYHeaderText.ElementTypeCode) -> Elements {
    guard case .code(let code) = type else { return .other("of a structure") }
    if let type = NumPyType(code: code) { return .numbers(type) }
    var rest = Substring(code)
    let order = rest.first.flatMap { NumPyType.byteOrders[$0] }
    if order != nil { rest.removeFirst() }
    if rest.first == "U", let characters = Int(rest.dropFirst()),
      (0...1 << 20).contains(characters)
    {
      return .text(characters: characters, order ?? .little)
    }
    return .other(NumPyType.description(ofOtherCode: code))
  }

  /// The header of an array of plain numbers, as NumPy writes it: version 1, room for the first axis to
  /// grow to 21 digits, and blanks so that the elements begin at a multiple of 64.
  static func bytes(code: String, shape: Shape) -> [UInt8] {
    let sizes = shape.dimensions.map(String.init)
    let tuple = sizes.count == 1 ? "(\(sizes[0]),)" : "(\(sizes.joined(separator: ", ")))"
    var text = "{'descr': '\(code)', 'fortran_order': False, 'shape': \(tuple), }"
    if let first = sizes.first { text += String(repeating: " ", count: 21 - first.utf8.count) }
    let unpadded = magic.count + 4 + text.utf8.count + 1
    text += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
    var bytes = magic + [1, 0]
    bytes.appendLittleEndian(text.utf8.count, width: 2)
    return bytes + Array(text.utf8)
  }
}

/// A cursor over the text of a header.
private struct NPYHeaderText {
  enum ElementTypeCode {
    case code(String)
    case structure
  }

  private let text: [UInt8]
  private let place: Location
  private var next = 0

  init(_ text: [UInt8], at place: Location) {
    self.text = text
    self.place = place
  }

  mutating func fields() throws(ReadError) -> (
    type: ElementTypeCode, isColumnMajor: Bool, shape: Shape
  ) {
    var type: ElementTypeCode?
    var isColumnMajor: Bool?
    var shape: Shape?
    try expect("{")
    while !take("}") {
      let start = next
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where type == nil: type = try typeCode()
      case "fortran_order" where isColumnMajor == nil: isColumnMajor = try bool()
      case "shape" where shape == nil: shape = try self.shape()
      default:
        throw error(
          at: start, expected: "the keys descr, fortran_order and shape, each once",
          found: "'\(printable(key))'")
      }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skipWhiteSpace()
    guard next == text.count else { throw error(expected: "nothing more", found: here) }
    guard let type, let isColumnMajor, let shape else {
      throw error(
        at: 0, expected: "the keys descr, fortran_order and shape",
        found: "no \(type == nil ? "descr" : isColumnMajor == nil ? "fortran_order" : "shape")")
    }
    return (type, isColumnMajor, shape)
  }

  private mutating func typeCode() throws(ReadError) -> ElementTypeCode {
    guard take("[") else { return .code(try string()) }
    // The brackets of a structure, which may hold others, and strings.
    var depth = 1
    while depth > 0 {
      skipWhiteSpace()
      guard next < text.count else { throw error(expected: "']'", found: here) }
      switch text[next] {
      case UInt8(ascii: "'"), UInt8(ascii: "\""): _ = try string()
      case UInt8(ascii: "["):
        depth += 1
        next += 1
      case UInt8(ascii: "]"):
        depth -= 1
        next += 1
      default: next += 1
      }
    }
    return .structure
  }

  private mutating func bool() throws(ReadError) -> Bool {
    skipWhiteSpace()
    for (word, value) in [("True", true), ("False", false)]
    where text[next...].starts(with: word.utf8) {
      next += word.utf8.count
      return value
    }
    throw error(expected: "True or False", found: here)
  }

  private mutating func shape() throws(ReadError) -> Shape {
    skipWhiteSpace()
    let start = next
    var sizes: [Int] = []
    var hasComma = false
    try expect("(")
    while !take(")") {
      sizes.append(try naturalNumber())
      if !take(",") {
        try expect(")")
        break
      }
      hasComma = true
    }
    // In Python `(3)` is a number.
    guard let shape = Shape(checking: sizes), sizes.count != 1 || hasComma else {
      throw error(
        at: start, expected: "a shape",
        found: "'\(String(decoding: text[start..<min(next, start + 80)], as: UTF8.self))'")
    }
    return shape
  }

  private mutating func naturalNumber() throws(ReadError) -> Int {
    skipWhiteSpace()
    let digits = text[next...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let isPython =
      digits.first != UInt8(ascii: "0") || digits.allSatisfy { $0 == UInt8(ascii: "0") }
    guard isPython else {
      throw error(expected: "a size as Python writes it", found: "one that begins with 0")
    }
    guard let number = Int(String(decoding: digits, as: UTF8.self)) else {
      throw error(
        expected: "a size", found: digits.isEmpty ? here : "a number that is too large")
    }
    next = digits.endIndex
    if next < text.count, text[next] == UInt8(ascii: "L") { next += 1 }
    return number
  }

  private mutating func string() throws(ReadError) -> String {
    skipWhiteSpace()
    guard next < text.count, [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(text[next]) else {
      throw error(expected: "a string", found: here)
    }
    let contents = text[(next + 1)...].prefix { $0 != text[next] }
    guard contents.endIndex < text.count, !contents.contains(UInt8(ascii: "\\")) else {
      throw error(
        expected: "a string without escapes",
        found: contents.endIndex < text.count ? "one with a backslash" : "no end of it")
    }
    next = contents.endIndex + 1
    return String(decoding: contents, as: UTF8.self)
  }

  private mutating func expect(_ mark: Unicode.Scalar) throws(ReadError) {
    guard take(mark) else { throw error(expected: "'\(mark)'", found: here) }
  }

  private mutating func take(_ mark: Unicode.Scalar) -> Bool {
    skipWhiteSpace()
    guard next < text.count, text[next] == UInt8(ascii: mark) else { return false }
    next += 1
    return true
  }

  private mutating func skipWhiteSpace() {
    while next < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[next]) { next += 1 }
  }

  /// What stands at the cursor, for an error.
  private var here: String {
    guard next < text.count else { return "the end of the header" }
    guard (0x21...0x7E).contains(text[next]) else { return "the byte \(text[next])" }
    return "'\(Character(Unicode.Scalar(text[next])))'"
  }

  private func error(at offset: Int? = nil, expected: String, found: String) -> ReadError {
    .malformed(
      place.at((place.offset ?? 0) + (offset ?? next)), expected: expected, found: found,
      remedy: fetchAgain)
  }
}
