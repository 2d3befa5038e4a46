internal import Pickle
internal import Tensors

/// Turns the calls by which PyTorch would rebuild tensors into tensors, without making them.
///
/// A tensor is a call of one of the functions in `rebuilds` on a storage, an offset, sizes and strides,
/// all in elements. Strides are real: a convolution saved in channels-last order has (27, 1, 9, 3) for
/// (4, 3, 3, 3). Views may overlap, repeat (stride 0) and share storages.
final class TorchTensors {
  let graph: ObjectGraph
  private let byteOrder: ByteOrder
  private let allowsViews: Bool
  private let bytes: (TorchStorage) throws(ReadError) -> any ByteSource
  private var arrays: PickledArrays
  private var known: [Int: Tensor] = [:]
  /// What `_load_from_bytes` makes of byte strings, each of which is parsed once: many tensors may be
  /// views of one storage.
  private var inside: [ObjectGraph.Handle: (TorchStorage, any ByteSource)] = [:]
  private var logicalBytes = 0
  private let maximumLogicalBytes: Int

  /// What small files may exceed that by.
  static let unquestionedBytes = 64 << 20

  /// - Parameters:
  ///   - storedBytes: all bytes that storages could have in the file.
  ///   - allowsViews: whether persistent ids may cut views, as in legacy files.
  ///   - bytes: finds the bytes of a whole storage; it checks that there are `byteCount` of them.
  init(
    _ graph: ObjectGraph, byteOrder: ByteOrder, storedBytes: Int, allowsViews: Bool,
    bytes: @escaping (TorchStorage) throws(ReadError) -> any ByteSource
  ) {
    self.graph = graph
    self.byteOrder = byteOrder
    self.allowsViews = allowsViews
    self.bytes = bytes
    arrays = PickledArrays(graph)
    maximumLogicalBytes = Int(
      clamping: Int128(storedBytes) * Int128(graph.source.limits[.viewExpansion])
        + Int128(Self.unquestionedBytes)
    )
  }

  /// How a function turns its arguments into a tensor.
  private enum Rebuild {
    /// storage, offset, sizes, strides
    case plain
    /// storage, offset, sizes, strides, requires_grad, hooks [, metadata]
    case strided
    /// storage, offset, sizes, strides, requires_grad, hooks, element type [, metadata]
    case typed
    /// class, then as `strided`
    case afterClass
    /// tensor, requires_grad, hooks [, state]: so many arguments
    case parameter(Int)
    /// tensor, and what else is of no interest
    case firstArgument
    /// function, type, arguments [, state]
    case call
    /// NumPy array, and the device it was on; bfloat16 was widened to float32.
    case array
    /// No weights can be had from it, for the reason given.
    case refused(String)
  }

  private static let rebuilds: [Name: Rebuild] = [
    "torch._utils._rebuild_tensor": .plain,
    "torch._utils._rebuild_tensor_v2": .strided,
    "torch._utils._rebuild_tensor_v3": .typed,
    "torch._utils._rebuild_parameter": .parameter(3),
    "torch._utils._rebuild_parameter_v2": .firstArgument,
    "torch._utils._rebuild_parameter_with_state": .parameter(4),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": .firstArgument,
    // PyTorch 0.3 and earlier.
    "torch.nn.parameter.Parameter": .firstArgument,
    "torch.autograd.variable.Variable": .firstArgument,
    "torch._tensor._rebuild_from_type_v2": .call,
    "torch._tensor._rebuild_from_type": .call,
    "torch.tensor._rebuild_from_type": .call,
    "fastai.torch_core._fa_rebuild_tensor": .afterClass,
    "torch._utils._rebuild_qtensor": .refused("quantised"),
    "torch._utils._rebuild_sparse_tensor": .refused("sparse"),
    "torch._utils._rebuild_sparse_csr_tensor": .refused("sparse"),
    "torch._utils._rebuild_nested_tensor": .refused("a nested tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": .refused(
      "on the device 'meta', without any data"),
    "torch._utils._rebuild_wrapper_subclass": .refused(
      "of a wrapper class, without data of its own"),
    // From devices that storages cannot be saved from, such as TPUs.
    "torch._utils._rebuild_device_tensor_from_numpy": .array,
    "torch._utils._rebuild_xla_tensor": .array,
  ]

  /// What an error is about.
  private struct Subject {
    var tensor: Name
    /// Fit to be shown.
    var name: String { printable(tensor) }
    var location: Location

    func malformed(_ expected: String, _ found: String) -> ReadError {
      .malformed(location, expected: "\(expected) for '\(name)'", found: found, remedy: fetchAgain)
    }

    func unsupported(_ what: String, remedy: String) -> ReadError {
      .unsupported(location, what: "'\(name)' is \(what)", remedy: remedy)
    }
  }

  /// The tensor that `handle` stands for; nil if it is none.
  ///
  /// - Parameter name: what to call it in an error.
  func tensor(_ handle: ObjectGraph.Handle, name: Name) throws(ReadError) -> Tensor? {
    guard case .object(let index) = graph[handle] else { return nil }
    if let tensor = known[index] { return tensor }
    let subject = Subject(tensor: name, location: graph.location(of: handle))
    guard let tensor = try rebuild(handle, subject, wrappers: 0) else { return nil }
    let (sum, overflow) = logicalBytes.addingReportingOverflow(tensor.byteCount)
    guard !overflow, sum <= maximumLogicalBytes else {
      throw graph.source.exceeded(
        .viewExpansion, at: subject.location,
        what: "bytes of all tensors up to '\(subject.name)', views included",
        allowed: maximumLogicalBytes, found: overflow ? "2^63 or more" : String(sum))
    }
    logicalBytes = sum
    known[index] = tensor
    return tensor
  }

  private func rebuild(
    _ handle: ObjectGraph.Handle, _ subject: Subject, wrappers: Int
  ) throws(ReadError) -> Tensor? {
    guard let (function, object) = graph.call(handle) else { return nil }
    if let storageClass = Self.storageClassName(ofTensorClass: function) {
      return try oldest(object, storageClass: storageClass, subject)
    }
    return try apply(function, to: object.arguments, subject, wrappers: wrappers)
  }

  private func apply(
    _ function: Name, to arguments: [ObjectGraph.Handle], _ subject: Subject, wrappers: Int
  ) throws(ReadError) -> Tensor? {
    guard let rebuild = Self.rebuilds[function] else { return nil }
    func expect(_ counts: some RangeExpression<Int>, _ words: String) throws(ReadError) {
      guard counts.contains(arguments.count) else {
        throw subject.malformed("\(words) arguments of \(function)", String(arguments.count))
      }
    }
    func expectBool(_ index: Int) throws(ReadError) {
      guard case .bool = graph[arguments[index]] else {
        throw subject.malformed("a bool as requires_grad", graph.description(of: arguments[index]))
      }
    }
    /// Hooks are nothing to us; what cannot be hooks, PyTorch does not take.
    func expectHooks(_ index: Int) throws(ReadError) {
      if case .none = graph[arguments[index]] { return }
      guard graph.isDictionary(arguments[index]) else {
        throw subject.malformed("a dict of backward hooks", graph.description(of: arguments[index]))
      }
    }
    guard wrappers <= graph.source.limits[.wrappers] else {
      throw graph.source.exceeded(
        .wrappers, at: subject.location, what: "wrappers around '\(subject.name)'",
        found: String(wrappers))
    }
    switch rebuild {
    case .plain:
      try expect(4...4, "4")
      return try strided(arguments, type: nil, subject)
    case .strided:
      try expect(6...7, "6 or 7")
      try expectBool(4)
      try expectHooks(5)
      try refuseMetadata(arguments.dropFirst(6).first, subject)
      return try strided(arguments, type: nil, subject)
    case .typed:
      try expect(7...8, "7 or 8")
      try expectBool(4)
      try expectHooks(5)
      try refuseMetadata(arguments.dropFirst(7).first, subject)
      return try strided(arguments, type: try elementType(arguments[6], subject), subject)
    case .afterClass:
      try expect(5..., "at least 5")
      return try strided(Array(arguments.dropFirst()), type: nil, subject)
    case .parameter(let count):
      try expect(count...count, String(count))
      try expectBool(1)
      return try self.rebuild(arguments[0], subject, wrappers: wrappers + 1)
    case .firstArgument:
      try expect(1..., "at least 1")
      return try self.rebuild(arguments[0], subject, wrappers: wrappers + 1)
    case .call:
      try expect(3..., "at least 3")
      guard let inner = graph.globalName(arguments[0]),
        let innerArguments = graph.elements(arguments[2])
      else {
        throw subject.malformed(
          "a function and its arguments in \(function)", graph.description(of: arguments[2]))
      }
      return try apply(inner, to: innerArguments, subject, wrappers: wrappers + 1)
    case .array:
      try expect(1..., "at least 1")
      return try arrays.tensor(arguments[0], name: subject.tensor)
    case .refused(let what):
      throw subject.unsupported(
        what,
        remedy:
          "Load the checkpoint with PyTorch and save a state dict of plain float tensors on the CPU."
      )
    }
  }

  /// `torch.FloatStorage` for `torch.FloatTensor`: the oldest files call the class of a tensor and set
  /// its state to (storage, offset, sizes, strides).
  private static func storageClassName(ofTensorClass name: Name) -> Name? {
    guard name.hasPrefix("torch."), let type = name.dropping(suffix: "Tensor") else { return nil }
    let storage = type + "Storage"
    return TorchStorageClass(globalName: storage) == nil ? nil : storage
  }

  private func oldest(
    _ object: ObjectGraph.Object, storageClass: Name, _ subject: Subject
  ) throws(ReadError) -> Tensor {
    guard object.states.count == 1, let state = graph.elements(object.states[0]), state.count == 4
    else {
      let found = object.states.first.map { graph.description(of: $0) } ?? "none"
      throw subject.malformed("storage, offset, sizes and strides as the state of a tensor", found)
    }
    return try strided(state, type: nil, subject)
  }

  /// - Parameters:
  ///   - arguments: storage, offset, sizes, strides, and what else follows.
  ///   - type: of the elements; nil for that of the storage.
  private func strided(
    _ arguments: [ObjectGraph.Handle], type: ElementType?, _ subject: Subject
  ) throws(ReadError) -> Tensor {
    let (storage, source) = try storage(arguments[0], subject)
    let elementType: ElementType
    switch (type, storage.contents) {
    case (let type?, _): elementType = type
    case (nil, .elements(let type)): elementType = type
    case (nil, .untyped):
      throw subject.malformed("an element type for its untyped storage", "none")
    case (nil, .quantized):
      throw subject.unsupported(
        "quantised (\(storage.className))", remedy: "Save the weights from before quantisation.")
    }
    guard case .integer(let wideOffset) = graph[arguments[1]], let sizes = integers(arguments[2]),
      let strides = integers(arguments[3])
    else {
      let found = arguments[1...3].map { graph.description(of: $0) }.joined(separator: ", ")
      throw subject.malformed("an offset, sizes and strides", found)
    }
    let offset = Int(wideOffset)
    guard sizes.count == strides.count else {
      throw subject.malformed("as many strides as sizes", "\(strides.count) for \(sizes.count)")
    }
    guard offset >= 0, sizes.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
      throw subject.malformed(
        "an offset, sizes and strides of 0 or more", "\(offset), \(sizes) and \(strides)")
    }
    guard sizes.count <= Shape.maximumRank else {
      throw subject.malformed("up to \(Shape.maximumRank) sizes", String(sizes.count))
    }
    guard let shape = Shape(checking: sizes),
      !shape.elementCount.multipliedReportingOverflow(by: elementType.byteCount).overflow
    else {
      throw subject.malformed("sizes that fit 64 bits together", "\(sizes)")
    }
    let (byteOffset, overflow) = offset.multipliedReportingOverflow(by: elementType.byteCount)
    guard !overflow else {
      throw subject.malformed("an offset inside the storage", String(offset))
    }
    return try Tensor(
      elementType, shape: shape, strides: strides, byteOrder: byteOrder, in: source,
      at: shape.elementCount == 0 ? 0 : byteOffset, name: subject.tensor)
  }

  /// A storage and its bytes, or those of its view.
  private func storage(
    _ handle: ObjectGraph.Handle, _ subject: Subject
  ) throws(ReadError) -> (TorchStorage, any ByteSource) {
    if let storage = try TorchStorage(handle, in: graph, allowsView: allowsViews) {
      let source = try bytes(storage)
      guard let view = storage.view else { return (storage, source) }
      let size = storage.elementSize
      return (
        storage,
        try ByteRegion(
          of: source, start: view.lowerBound * size, count: view.count * size,
          field: "a view of a storage")
      )
    }
    if let (function, object) = graph.call(handle), function == "torch.storage._load_from_bytes",
      object.arguments.count == 1,
      let (source, offset, count) = try graph.byteSource(object.arguments[0])
    {
      if let known = inside[object.arguments[0]] { return known }
      let file = try ByteRegion(
        of: source, start: offset, count: count, field: "a storage saved inside")
      let storage = try PyTorchLegacy.storage(in: file)
      inside[object.arguments[0]] = storage
      return storage
    }
    throw subject.malformed("a storage", graph.description(of: handle))
  }

  /// The sizes or strides that `handle` stands for: a tuple, a list or a `torch.Size`.
  private func integers(_ handle: ObjectGraph.Handle) -> [Int]? {
    var handle = handle
    if let (function, object) = graph.call(handle), function == "torch.Size",
      object.arguments.count == 1
    {
      handle = object.arguments[0]
    }
    guard let elements = graph.elements(handle) else { return nil }
    var integers: [Int] = []
    for element in elements {
      guard case .integer(let integer) = graph[element] else { return nil }
      integers.append(Int(integer))
    }
    return integers
  }

  /// The element type that a global such as `torch.float8_e4m3fn` names.
  private func elementType(
    _ handle: ObjectGraph.Handle, _ subject: Subject
  ) throws(ReadError) -> ElementType {
    guard let global = graph.globalName(handle), let name = global.dropping(prefix: "torch.") else {
      throw subject.malformed("an element type", graph.description(of: handle))
    }
    guard let type = ElementType(rawValue: name.text) else {
      throw subject.unsupported(
        "a tensor of type \(printable(global))",
        remedy: "Load the checkpoint with PyTorch and save the weights as float32.")
    }
    return type
  }

  /// A tensor may be marked as the conjugate or the negative of what is stored.
  private func refuseMetadata(_ handle: ObjectGraph.Handle?, _ subject: Subject) throws(ReadError) {
    guard let handle else { return }
    guard graph.isDictionary(handle) else {
      throw subject.malformed("a dict of marks", graph.description(of: handle))
    }
    for mark in ["conj", "neg"] as [Name] {
      if let value = graph.value(mark, of: handle), graph.integer(value) != 0 {
        throw subject.unsupported(
          "marked as a \(mark == "conj" ? "conjugate" : "negative") view",
          remedy:
            "Load the checkpoint with PyTorch and save the tensor after .resolve_conj().resolve_neg()."
        )
      }
    }
  }
}
