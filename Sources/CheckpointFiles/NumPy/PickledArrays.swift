internal import Pickle
internal import Tensors

/// NumPy's arrays, scalars and dtypes in a pickle.
///
/// An array is one of two records:
///
///     _reconstruct(ndarray, (0,), b"b")        protocols 0 to 4, all kinds of arrays
///       BUILD (version, shape, dtype, isFortran, data)
///     _frombuffer(data, dtype, shape, order)   protocol 5, arrays without gaps; `order` is "C", "F",
///                                              or "K" with the order of axes as fifth argument
///
/// and a dtype is `dtype(code, align, copy)`, BUILD `(version, byteorder, subdtype, names, fields,
/// itemsize, alignment, flags[, metadata])`. The data are bytes in any of the forms that pickles have for
/// them. See `numpy/_core/src/multiarray/methods.c` (`array_reduce`, `array_setstate`) and
/// `descriptor.c` (`arraydescr_reduce`).
struct PickledArrays {
  private let graph: ObjectGraph
  private var tensors: [ObjectGraph.Handle: Tensor] = [:]
  private var types: [ObjectGraph.Handle: Result<NumPyType, Refusal>] = [:]
  private var bytesLeft: Int

  typealias Handle = ObjectGraph.Handle

  /// Why a dtype is not read, as the end of a sentence that begins "has the dtype".
  private struct Refusal: Error {
    var dtype: String
  }

  init(_ graph: ObjectGraph) {
    self.graph = graph
    // Arrays may share their data, and each is looked at once; but a file in which all arrays together
    // are many times as large as itself is made to keep a reader busy.
    bytesLeft = Int(
      clamping: Int128(graph.source.count) * Int128(graph.source.limits[.viewExpansion]) + 1 << 26)
  }

  /// Whether an object is the record of an array.
  static func isArray(_ handle: Handle, in graph: ObjectGraph) -> Bool {
    guard let name = graph.call(handle)?.name else { return false }
    return isFunction("_reconstruct", of: "multiarray", name)
      || isFunction("_frombuffer", of: "numeric", name)
  }

  private static func isFunction(_ function: Name, of module: Name, _ name: Name) -> Bool {
    name == "numpy.core.\(module).\(function)" || name == "numpy._core.\(module).\(function)"
  }
}

// Arrays.
extension PickledArrays {
  /// The parts of an array, in whichever way it was written.
  private struct Parts {
    var shape: Handle
    var dtype: Handle
    var data: Handle
    var order: Order
  }

  private enum Order {
    case rowMajor
    case columnMajor
    /// Row-major, then its axes in this order.
    case axes([Int])
  }

  /// The array that an object is a record of; nil if it is none.
  ///
  /// - Parameter name: what to call it in an error.
  /// - Throws: `ReadError.unsupported` if its elements are not plain numbers, `malformed` if it
  ///   contradicts itself.
  mutating func tensor(_ handle: Handle, name: Name) throws(ReadError) -> Tensor? {
    if let tensor = tensors[handle] { return tensor }
    guard let parts = try parts(handle, name) else { return nil }
    let place = graph.location(of: handle)
    let type = try elementType(parts.dtype, of: handle, name)
    guard let sizes = integers(parts.shape), let shape = Shape(checking: sizes) else {
      throw .malformed(
        place, expected: "a shape of '\(printable(name))'",
        found: graph.description(of: parts.shape),
        remedy: fetchAgain)
    }
    let (expected, overflow) = shape.elementCount.multipliedReportingOverflow(
      by: type.elementType.byteCount)
    let wanted =
      "\(overflow ? "more" : String(expected)) bytes for '\(printable(name))' "
      + "(\(type.elementType.rawValue) \(shape))"
    func wrongSize(_ found: Int) -> ReadError {
      .malformed(place, expected: wanted, found: String(found), remedy: fetchAgain)
    }

    // Bytes stored as text may take up to twice as many; counting them takes time, so not in vain.
    guard let stored = graph.storedByteCount(parts.data) else {
      throw .malformed(
        place, expected: wanted, found: graph.description(of: parts.data), remedy: fetchAgain)
    }
    guard !overflow, stored >= expected, stored / 2 <= expected else { throw wrongSize(stored) }
    bytesLeft -= expected
    guard bytesLeft >= 0 else {
      throw graph.source.exceeded(
        .viewExpansion, at: place,
        what: "bytes of arrays in a pickle of \(graph.source.count) bytes",
        allowed: bytesLeft + expected, found: "\(expected) more for '\(printable(name))'")
    }
    guard let (source, offset, count) = try graph.byteSource(parts.data) else { return nil }
    guard count == expected else { throw wrongSize(count) }

    var strides: [Int]?
    if case .columnMajor = parts.order { strides = shape.columnMajorStrides }
    var tensor = try Tensor(
      type.elementType, shape: shape, strides: strides, byteOrder: type.byteOrder, in: source,
      at: offset, name: name)
    if case .axes(let order) = parts.order {
      guard order.sorted() == Array(0..<shape.rank) else {
        throw .malformed(
          place, expected: "an order of the \(shape.rank) axes of '\(printable(name))'",
          found: "\(order)",
          remedy: fetchAgain)
      }
      tensor = tensor.transposed(order)
    }
    tensors[handle] = tensor
    return tensor
  }

  private func parts(_ handle: Handle, _ name: Name) throws(ReadError) -> Parts? {
    guard let (function, object) = graph.call(handle) else { return nil }
    let arguments = object.arguments
    if PickledArrays.isFunction("_reconstruct", of: "multiarray", function) {
      // Subclasses may append their own state.
      guard let state = object.states.last, case .tuple(var fields) = graph[state],
        fields.count >= 5, graph.integer(fields[0]) != nil
      else {
        throw .malformed(
          graph.location(of: handle),
          expected:
            "the state of the array '\(printable(name))' (version, shape, dtype, order and data)",
          found: object.states.last.map { graph.description(of: $0) } ?? "none", remedy: fetchAgain)
      }
      fields.removeFirst()
      // NumPy takes any number but 0 for column-major; it writes no others than these.
      guard let isColumnMajor = graph.integer(fields[2]), 0...1 ~= isColumnMajor else {
        throw .malformed(
          graph.location(of: handle),
          expected: "0 or 1 to say whether the array '\(printable(name))' is column-major",
          found: graph.integer(fields[2]).map(String.init) ?? graph.description(of: fields[2]),
          remedy: fetchAgain)
      }
      return Parts(
        shape: fields[0], dtype: fields[1], data: fields[3],
        order: isColumnMajor == 1 ? .columnMajor : .rowMajor)
    }
    if PickledArrays.isFunction("_frombuffer", of: "numeric", function), arguments.count >= 4 {
      var order: Order?
      switch graph.string(arguments[3]) {
      case "C": order = .rowMajor
      case "F": order = .columnMajor
      case "K" where arguments.count > 4:
        order = integers(arguments[4]).map { .axes($0) }
      default: break
      }
      guard let order else {
        throw .malformed(
          graph.location(of: handle), expected: "the order of the array '\(printable(name))'",
          found: graph.description(of: arguments[3]), remedy: fetchAgain)
      }
      // The shape under "K" is that before the axes are permuted.
      return Parts(shape: arguments[2], dtype: arguments[1], data: arguments[0], order: order)
    }
    if function == "numpy.ma.core._mareconstruct" {
      throw .unsupported(
        graph.location(of: handle),
        what: "'\(printable(name))' is a masked array, of which elements are missing",
        remedy: "Fill the gaps before saving: array.filled(0).")
    }
    return nil
  }

  private func integers(_ handle: Handle) -> [Int]? {
    guard let elements = graph.elements(handle) else { return nil }
    let integers = elements.compactMap { graph.integer($0) }
    return integers.count == elements.count ? integers : nil
  }
}

// Types.
extension PickledArrays {
  /// The type of an array's elements.
  ///
  /// - Throws: `ReadError.unsupported` by the name of the dtype if they are not plain numbers.
  mutating func elementType(
    _ dtype: Handle, of array: Handle, _ name: Name
  ) throws(ReadError) -> NumPyType {
    switch type(dtype) {
    case .success(let type): return type
    case .failure(let refusal):
      throw .unsupported(
        graph.location(of: array), what: "'\(printable(name))' has the dtype \(refusal.dtype)",
        remedy: "Save the checkpoint again with plain numbers, such as float32, in its place.")
    }
  }

  /// Whether an object is a dtype at all.
  func isType(_ handle: Handle) -> Bool {
    graph.call(handle)?.name == "numpy.dtype"
  }

  private mutating func type(_ handle: Handle) -> Result<NumPyType, Refusal> {
    if let type = types[handle] { return type }
    let type = interpretedType(handle)
    types[handle] = type
    return type
  }

  private func interpretedType(_ handle: Handle) -> Result<NumPyType, Refusal> {
    guard let (name, object) = graph.call(handle), name == "numpy.dtype",
      let codeHandle = object.arguments.first
    else { return .failure(Refusal(dtype: graph.description(of: handle))) }
    var byteOrder: ByteOrder?
    if let last = object.states.last {
      guard let state = graph.elements(last), state.count >= 5, let mark = graph.string(state[1]),
        mark.utf8.count == 1, let order = NumPyType.byteOrders[mark.text.first!]
      else { return .failure(Refusal(dtype: "in an unknown encoding")) }
      byteOrder = order
      // A subdtype, or names of fields.
      for field in state[2...4] {
        if case .none = graph[field] { continue }
        return .failure(Refusal(dtype: structureDescription(names: state[3])))
      }
      if state.count > 8, let quantised = megEngineType(state[8]) {
        return .failure(Refusal(dtype: quantised))
      }
    }
    if let className = graph.globalName(codeHandle) {
      guard let elementType = NumPyType.extensionTypes[className] else {
        return .failure(Refusal(dtype: printable(className)))
      }
      return .success(NumPyType(elementType, byteOrder ?? .little))
    }
    guard let code = graph.string(codeHandle), var type = NumPyType(code: code.text) else {
      return .failure(Refusal(dtype: codeDescription(codeHandle)))
    }
    type.byteOrder = byteOrder ?? type.byteOrder
    return .success(type)
  }

  private func structureDescription(names: Handle) -> String {
    let names = (graph.elements(names) ?? []).prefix(4).compactMap { graph.string($0) }
    return "of a structure"
      + (names.isEmpty ? "" : " (fields \(names.map(printable).joined(separator: ", ")))")
  }

  private func codeDescription(_ handle: Handle) -> String {
    graph.string(handle).map { NumPyType.description(ofOtherCode: $0.text) }
      ?? graph.description(of: handle)
  }

  /// MegEngine marks its own types, among them the quantised ones, in the metadata of a NumPy type:
  /// `{"mgb_dtype": {"name": "QuantizedS8", "scale": 0.1}}`.
  private func megEngineType(_ metadata: Handle) -> String? {
    guard let type = graph.value("mgb_dtype", of: metadata) else { return nil }
    let name = graph.value("name", of: type).flatMap { graph.string($0) } ?? "of MegEngine"
    let scale = graph.value("scale", of: type).flatMap { graph.real($0) }
    return printable(name) + (scale.map { " (quantised, scale \($0))" } ?? "")
  }
}

// Scalars.
extension PickledArrays {
  /// What a NumPy scalar is, as `float32 scalar of NumPy`; nil if the object is none.
  mutating func scalarDescription(_ handle: Handle) -> String? {
    guard let dtype = scalarParts(handle)?.dtype else { return nil }
    switch type(dtype) {
    case .success(let type): return "\(type.elementType.rawValue) scalar of NumPy"
    case .failure: return "scalar of NumPy"
    }
  }

  /// The text of a `numpy.str_`: UTF-32 in the byte order of its dtype, `U` and the number of
  /// characters.
  func string(_ handle: Handle) -> Name? {
    guard let (dtypeHandle, dataHandle) = scalarParts(handle),
      let dtype = graph.call(dtypeHandle)?.object, let code = dtype.arguments.first,
      graph.string(code)?.hasPrefix("U") == true,
      graph.storedByteCount(dataHandle) ?? .max < 1 << 16,
      let (source, offset, count) = try? graph.byteSource(dataHandle),
      let bytes = try? source.bytes(offset..<offset + count, field: "a string")
    else { return nil }
    let state = dtype.states.last.flatMap { graph.elements($0) } ?? []
    let isBig = state.count > 1 && graph.isString(state[1], ">")
    return String(utf32: bytes[...], isBig ? .big : .little).map { Name($0) }
  }

  private func scalarParts(_ handle: Handle) -> (dtype: Handle, data: Handle)? {
    guard let (name, object) = graph.call(handle), object.arguments.count == 2,
      PickledArrays.isFunction("scalar", of: "multiarray", name)
        || PickledArrays.isFunction("scalar", of: "_multiarray_umath", name)
    else { return nil }
    return (object.arguments[0], object.arguments[1])
  }
}
