internal import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The element types of ONNX, by their numbers in `TensorProto.DataType`.
private struct ElementCode {
  var name: String
  /// Nil of types that nothing here can make use of.
  var elementType: ElementType?
  /// The field that has the elements where they are not raw.
  var field: Int

  static let all: [Int: ElementCode] = [
    1: ElementCode(name: "FLOAT", elementType: .float32, field: Field.Tensor.floats),
    2: ElementCode(name: "UINT8", elementType: .uint8, field: Field.Tensor.int32s),
    3: ElementCode(name: "INT8", elementType: .int8, field: Field.Tensor.int32s),
    4: ElementCode(name: "UINT16", elementType: .uint16, field: Field.Tensor.int32s),
    5: ElementCode(name: "INT16", elementType: .int16, field: Field.Tensor.int32s),
    6: ElementCode(name: "INT32", elementType: .int32, field: Field.Tensor.int32s),
    7: ElementCode(name: "INT64", elementType: .int64, field: Field.Tensor.int64s),
    9: ElementCode(name: "BOOL", elementType: .bool, field: Field.Tensor.int32s),
    10: ElementCode(name: "FLOAT16", elementType: .float16, field: Field.Tensor.int32s),
    11: ElementCode(name: "DOUBLE", elementType: .float64, field: Field.Tensor.doubles),
    12: ElementCode(name: "UINT32", elementType: .uint32, field: Field.Tensor.uint64s),
    13: ElementCode(name: "UINT64", elementType: .uint64, field: Field.Tensor.uint64s),
    14: ElementCode(name: "COMPLEX64", elementType: .complex64, field: Field.Tensor.floats),
    15: ElementCode(name: "COMPLEX128", elementType: .complex128, field: Field.Tensor.doubles),
    16: ElementCode(name: "BFLOAT16", elementType: .bfloat16, field: Field.Tensor.int32s),
    17: ElementCode(name: "FLOAT8E4M3FN", elementType: .float8e4m3fn, field: Field.Tensor.int32s),
    19: ElementCode(name: "FLOAT8E5M2", elementType: .float8e5m2, field: Field.Tensor.int32s),
  ]
}

extension ONNXFile.StoredTensor {
  /// A `TensorProto`: its elements are in one of three places.
  ///
  ///     raw_data             as they are in memory, little-endian
  ///     float_data, double_data, int32_data, int64_data, uint64_data
  ///                          numbers, packed or not; of types of fewer bits as integers that have them
  ///     external_data        in another file: its `location`, and perhaps `offset` and `length`
  init(
    _ message: ProtobufCursor, at place: Location, _ source: any ByteSource,
    _ external: inout ExternalFiles
  ) throws(ReadError) {
    var message = message
    var (sizes, code, isExternal): ([Int], Int, Bool) = ([], 0, false)
    var name: Name = ""
    var raw: Range<Int>?
    var typed: (field: Int, bits: [UInt64], packed: Range<Int>?)?
    var entries: [(key: String, value: String)] = []
    while let field = try message.field() {
      switch field.number {
      case Field.Tensor.dimensions: try message.integers(field, "a shape", to: &sizes)
      case Field.Tensor.elementType: code = try message.integer(field, "an element type")
      case Field.Tensor.name: name = try message.name(field, "the name of a tensor")
      case Field.Tensor.raw: raw = try message.range(field, "elements")
      case Field.Tensor.floats, Field.Tensor.doubles:
        let width = field.number == Field.Tensor.floats ? 4 : 8
        // Packed numbers are elements as they are in memory, and stay in the file.
        if typed == nil, case .bytes(let range) = field.value {
          typed = (field.number, [], range)
        } else if typed?.packed == nil, typed.map({ $0.field == field.number }) ?? true {
          typed = typed ?? (field.number, [], nil)
          try message.fixeds(field, "elements", width: width, to: &typed!.bits)
        } else {
          throw message.error(field.place, "the elements of a tensor in one piece", "several")
        }
      case Field.Tensor.int32s, Field.Tensor.int64s, Field.Tensor.uint64s:
        guard typed.map({ $0.field == field.number }) ?? true else {
          throw message.error(field.place, "the elements of a tensor in one field", "two")
        }
        typed = typed ?? (field.number, [], nil)
        var numbers: [Int] = []
        try message.integers(field, "elements", to: &numbers)
        typed!.bits += numbers.map { UInt64(bitPattern: Int64($0)) }
      case Field.Tensor.externalData:
        entries.append(try ONNXFile.entry(try message.message(field, "a place of elements")))
      case Field.Tensor.dataLocation:
        isExternal = try message.integer(field, "the place of elements") == 1
      default: break
      }
    }
    let shown = "'\(printable(name))'"
    guard let shape = Shape(checking: sizes) else {
      throw message.error(
        place, "a shape of \(shown) with a number of elements below 2^63",
        sizes.count > Shape.maximumRank
          ? "\(sizes.count) axes" : sizes.map(String.init).joined(separator: "x"))
    }
    let row = ElementCode.all[code]
    self.init(
      name: name, place: place, shape: shape, tensor: nil, typeName: row?.name ?? "type \(code)")
    guard let row, let type = row.elementType else { return }
    let (bytes, overflow) = shape.elementCount.multipliedReportingOverflow(by: type.byteCount)
    func requireBytes(_ found: Int, _ what: String = "bytes") throws(ReadError) {
      let wanted = what == "bytes" ? bytes : bytes / elementWidth
      guard !overflow, found == wanted else {
        throw message.error(
          place,
          "\(overflow ? "more than 2^63" : "\(wanted)") \(what) for \(shown) (\(row.name) \(shape))",
          "\(found)")
      }
    }
    /// Bytes of one number of a field: complex ones are two.
    var elementWidth: Int {
      [.complex64, .complex128].contains(type) ? type.byteCount / 2 : type.byteCount
    }
    if isExternal {
      guard !overflow else {
        try requireBytes(0)
        return
      }
      let (file, offset) = try external.open(entries, bytes, of: shown, at: place)
      tensor = try Tensor(type, shape: shape, in: file, at: offset, name: name)
    } else if let raw {
      try requireBytes(raw.count)
      tensor = try Tensor(type, shape: shape, in: source, at: raw.lowerBound, name: name)
    } else if let packed = typed?.packed {
      guard typed!.field == row.field else {
        throw message.error(
          place, "the elements of \(shown) in the field of \(row.name)", "another")
      }
      try requireBytes(packed.count)
      tensor = try Tensor(type, shape: shape, in: source, at: packed.lowerBound, name: name)
    } else {
      let typed = typed ?? (row.field, [], nil)
      guard typed.field == row.field else {
        throw message.error(
          place, "the elements of \(shown) in the field of \(row.name)", "another")
      }
      try requireBytes(typed.bits.count, "numbers")
      let width = elementWidth
      let memory = typed.bits.flatMap { bits in
        (0..<width).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
      }
      tensor = try Tensor(
        type, shape: shape, in: MemoryBytes(memory, location: place), name: name)
    }
  }
}

/// The files beside a model that have its tensors, each opened once.
struct ExternalFiles {
  private let model: String
  private var opened: [Name: InputFile] = [:]

  init(ofModelAt path: String) { model = path }

  private var folder: String {
    guard let slash = model.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == model.startIndex ? "/" : String(model[..<slash])
  }

  /// The file that a tensor's elements are in, and where.
  ///
  /// A model is data of somebody else: it may name files of its own folder and of those below, however
  /// links lead there, and no others.
  mutating func open(
    _ entries: [(key: String, value: String)], _ count: Int, of tensor: String, at place: Location
  ) throws(ReadError) -> (file: InputFile, offset: Int) {
    func refuse(_ expected: String, _ found: String) -> ReadError {
      .malformed(place, expected: "\(expected) of \(tensor)", found: found, remedy: fetchAgain)
    }
    func value(_ key: String) -> String? { entries.last { $0.key == key }?.value }
    func number(_ key: String) throws(ReadError) -> Int? {
      guard let text = value(key) else { return nil }
      guard let number = Int(text), number >= 0 else {
        throw refuse("a whole number as the \(key) in another file", "'\(printable(text))'")
      }
      return number
    }
    guard let name = value("location").map({ Name($0) }), !name.isEmpty else {
      throw refuse("the location of the elements", "none")
    }
    let parts = name.parts(separator: "/")
    guard !name.hasPrefix("/"), !parts.contains(".."), !name.utf8.contains(0),
      !name.utf8.contains(UInt8(ascii: "\\"))
    else {
      throw refuse("a location in the model's own folder for the elements", "'\(printable(name))'")
    }
    let file: InputFile
    if let known = opened[name] {
      file = known
    } else {
      let path = folder + "/" + name.text
      file = try InputFile(path: path)
      guard let home = resolved(folder), let there = resolved(path),
        there.hasPrefix(home == "/" ? "/" : home + "/")
      else {
        throw refuse(
          "a location in the model's own folder for the elements",
          "'\(printable(name))', a link that leads out of it")
      }
      opened[name] = file
    }
    let offset = try number("offset") ?? 0
    let length = try number("length") ?? count
    guard length == count else {
      throw refuse("\(count) bytes as the length of the elements", "\(length)")
    }
    try file.check(offset, count, field: "the elements of \(tensor)")
    return (file, offset)
  }
}

/// Where a path leads in the end, without links.
private func resolved(_ path: String) -> String? {
  // Safe: `realpath` gives a string that ends in zero, and that is ours to free.
  guard let text = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(text) }
  return unsafe String(cString: text)
}
