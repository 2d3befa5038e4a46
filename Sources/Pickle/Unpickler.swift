public import Tensors

/// The opcode machine.
///
/// It does to an arena of inert values what Python's `pickle.loads` does to live objects: a stack, a
/// memo that holds references, and marks on a stack of their own, so that no value in a file can pose
/// as one. Nothing is imported and nothing is called; a call leaves a record. The errors it throws say
/// at which byte; limits bound time and memory for any input.
public struct Unpickler {
  /// Parses one pickle, from `offset` of `source` to its STOP.
  ///
  /// Reads each opcode once, front to back, and no string longer than a name. Memory grows with the
  /// number of objects, not with their sizes.
  ///
  /// - Throws: `ReadError` if the bytes are no pickle, end early, need buffers from elsewhere, or
  ///   exceed one of the limits.
  public static func parse(
    _ source: any ByteSource, at offset: Int = 0
  ) throws(ReadError) -> ObjectGraph {
    try source.check(offset, 0, field: "a pickle")
    var machine = Unpickler(source, at: offset)
    try machine.run()
    machine.graph.end = machine.cursor.position
    return machine.graph
  }

  /// A text this short is kept in memory: names are compared again and again.
  static let shortText = 1 << 8
  /// Bytes of short texts kept.
  static let shortTexts = 1 << 20

  /// Bytes of memory that things take, with what arrays and dictionaries keep free to grow.
  private enum Cost {
    static let value = 2 * MemoryLayout<ObjectGraph.Value>.stride
    static let object = 2 * MemoryLayout<ObjectGraph.Object>.stride
    /// An array of its own, and what is in it.
    static func array(_ count: Int, of stride: Int) -> Int { 48 + 2 * stride * count }
    static let handle = 2 * MemoryLayout<Handle>.stride
    static let mark = 2 * MemoryLayout<Int>.stride
    static let memoEntry = 48
    static let global = 512
  }

  typealias Handle = ObjectGraph.Handle

  /// Bytes of memory taken, but for the stacks and the memo.
  private var memory = 0
  private let allowedMemory: PickleMemory
  var graph: ObjectGraph
  var cursor: PickleCursor
  private var stack: [Handle] = []
  /// Heights of the stack where MARK was.
  private var marks: [Int] = []
  /// A dictionary, since an index can be any number of 32 bits or, in text, any at all.
  private var memo: [Int: Handle] = [:]
  private var globalIndices: [GlobalKey: Int] = [:]
  /// The last PROTO, which decides how names are spelled.
  private var version = 0
  /// The opcode being executed and its offset.
  private(set) var opcode = Opcode.stop
  private(set) var opcodeOffset: Int

  private struct GlobalKey: Hashable {
    var module, name: Name
  }

  private init(_ source: any ByteSource, at offset: Int) {
    allowedMemory = PickleMemory(source)
    graph = ObjectGraph(source: source)
    cursor = PickleCursor(source, at: offset)
    opcodeOffset = offset
  }

  private mutating func run() throws(ReadError) {
    var executed = 0
    let maximumOpcodes = graph.source.limits[.pickleOpcodes]
    while true {
      opcodeOffset = cursor.position
      guard let byte = try cursor.next() else {
        throw .truncated(
          location, field: "a pickle, before its STOP", needed: 1, available: 0)
      }
      guard let opcode = Opcode(rawValue: byte) else {
        throw malformed(expected: "a pickle opcode", found: "byte 0x" + String(byte, radix: 16))
      }
      executed += 1
      guard executed <= maximumOpcodes else {
        throw graph.source.exceeded(.pickleOpcodes, at: location)
      }
      let stacks = stack.count * Cost.handle + marks.count * Cost.mark + memo.count * Cost.memoEntry
      guard memory + stacks <= allowedMemory.byteCount else {
        throw allowedMemory.exceeded(at: location, by: "the objects of a pickle")
      }
      // What is built is kept in arrays, the largest of which grows by doubling.
      if executed.isMultiple(of: 1 << 14) {
        try requireMemory(for: 3 * graph.objects.count, ObjectGraph.Object.self, at: location)
      }
      self.opcode = opcode
      if opcode == .stop {
        graph.root = try pop()
        return
      }
      try execute()
    }
  }

  private mutating func execute() throws(ReadError) {
    switch opcode {
    case .stop: break
    case .proto: try setProtocol()
    case .frame: _ = try cursor.length(8, of: opcode)

    case .mark: marks.append(stack.count)
    case .pop:
      if let mark = marks.last, mark == stack.count { marks.removeLast() } else { _ = try pop() }
    case .popMark: _ = try popToMark()
    case .dup: stack.append(try top())

    case .none: try push(.none)
    case .newtrue: try push(.bool(true))
    case .newfalse: try push(.bool(false))
    case .int, .long, .float, .binint, .binint1, .binint2, .binfloat, .long1, .long4:
      try push(try number())
    case .string, .unicode, .binstring, .shortBinstring, .binunicode, .shortBinunicode,
      .binunicode8,
      .binbytes, .shortBinbytes, .binbytes8, .bytearray8:
      try push(try string())
    case .readonlyBuffer: _ = try top()
    case .nextBuffer:
      throw .unsupported(
        location, what: "the pickle needs buffers that were stored outside of it",
        remedy: "Save the checkpoint again without a buffer_callback.")

    case .emptyTuple: try push(.tuple([]))
    case .tuple1: try pushTuple(1)
    case .tuple2: try pushTuple(2)
    case .tuple3: try pushTuple(3)
    case .tuple: try push(.tuple(try popToMark()))
    case .emptyList: try push(.list([]))
    case .list: try push(.list(try popToMark()))
    case .append: try append([try pop()])
    case .appends: try append(try popToMark())
    case .emptySet: try push(.set([]))
    case .additems: try addItems(try popToMark())
    case .frozenset: try push(.frozenSet(try popToMark()))
    case .emptyDict: try push(.dictionary([]))
    case .dict: try push(.dictionary(try pairs(try popToMark())))
    case .setitem:
      let value = try pop()
      try setItems([ObjectGraph.Entry(key: try pop(), value: value)])
    case .setitems: try setItems(try pairs(try popToMark()))

    case .get: try recall(try memoIndex())
    case .binget: try recall(Int(try cursor.integer(1, of: opcode)))
    case .longBinget: try recall(Int(try cursor.integer(4, of: opcode)))
    case .put: try remember(try memoIndex())
    case .binput: try remember(Int(try cursor.integer(1, of: opcode)))
    case .longBinput: try remember(Int(try cursor.integer(4, of: opcode)))
    case .memoize: try remember(memo.count)

    case .global: try push(try namedGlobal())
    case .stackGlobal:
      let name = try pop()
      let module = try pop()
      try push(try global(module: try globalPart(module), name: try globalPart(name)))
    case .persid:
      let (start, line) = (cursor.position, try cursor.line(of: opcode))
      try push(.text(.init(offset: start, count: line.count, isDecoded: false)))
      try push(.persistentID(try pop()))
    case .binpersid: try push(.persistentID(try pop()))
    case .ext1, .ext2, .ext4: try pushExtension()

    case .reduce:
      let arguments = try popArguments()
      try pushCall(try pop(), arguments)
    case .newobj:
      let arguments = try popArguments()
      try pushCall(try pop(), arguments, isNew: true)
    case .newobjEx:
      let keywords = try pop()
      let arguments = try popArguments()
      try pushCall(try pop(), arguments, keywords: keywords, isNew: true)
    case .inst:
      let callable = try namedGlobal()
      let arguments = try popToMark()
      try push(callable)
      try pushCall(try pop(), arguments)
    case .obj:
      let operands = try popToMark()
      guard let callable = operands.first else {
        throw malformed(expected: "a class above the mark of OBJ", found: "nothing")
      }
      try pushCall(callable, Array(operands.dropFirst()))
    case .build: try build(try pop())
    }
  }

  private mutating func setProtocol() throws(ReadError) {
    version = Int(try cursor.integer(1, of: opcode))
    guard version <= 5 else {
      throw .unsupported(
        location, what: "pickle protocol \(version), newer than 5, the newest there was",
        remedy: "If the file is sound, save it again with pickle_protocol=4.")
    }
    graph.pickleProtocol = max(graph.pickleProtocol, version)
  }
}

// The stack.
extension Unpickler {
  /// Values below the last mark are out of reach until the mark is gone.
  private var reachable: Int { stack.count - (marks.last ?? 0) }

  private func top() throws(ReadError) -> Handle {
    guard reachable > 0, let top = stack.last else { throw underflow() }
    return top
  }

  private mutating func pop() throws(ReadError) -> Handle {
    guard reachable > 0, let top = stack.popLast() else { throw underflow() }
    return top
  }

  private mutating func popToMark() throws(ReadError) -> [Handle] {
    guard let mark = marks.popLast() else {
      throw malformed(expected: "a MARK before \(opcode.name)", found: "none")
    }
    return take(from: mark)
  }

  /// Takes all values from `start` on, into an array that is no longer than they are: one made of the whole
  /// stack would be the stack's own, with all the room it has.
  private mutating func take(from start: Int) -> [Handle] {
    var values: [Handle] = []
    values.reserveCapacity(stack.count - start)
    values.append(contentsOf: stack[start...])
    stack.removeSubrange(start...)
    return values
  }

  private func underflow() -> ReadError {
    malformed(expected: "an operand of \(opcode.name) on the stack", found: "none")
  }

  private mutating func push(_ value: ObjectGraph.Value) throws(ReadError) {
    memory += Cost.value
    switch value {
    case .list(let elements), .tuple(let elements), .set(let elements), .frozenSet(let elements):
      if !elements.isEmpty { memory += Cost.array(elements.count, of: MemoryLayout<Handle>.stride) }
    case .dictionary(let entries):
      if !entries.isEmpty {
        memory += Cost.array(entries.count, of: MemoryLayout<ObjectGraph.Entry>.stride)
      }
    default: break
    }
    stack.append(Handle(graph.values.count))
    graph.values.append(value)
  }

  private mutating func pushTuple(_ count: Int) throws(ReadError) {
    guard reachable >= count else { throw underflow() }
    try push(.tuple(take(from: stack.count - count)))
  }

  private mutating func recall(_ index: Int) throws(ReadError) {
    guard let handle = memo[index] else {
      throw malformed(expected: "an earlier object under memo index \(index)", found: "none")
    }
    stack.append(handle)
  }

  private mutating func remember(_ index: Int) throws(ReadError) {
    memo[index] = try top()
  }

  private mutating func memoIndex() throws(ReadError) -> Int {
    let line = try cursor.line(of: opcode)
    guard let index = DecimalText.integer(line), index >= 0 else {
      throw malformed(expected: "a memo index", found: shown(line))
    }
    return index
  }
}

// Containers change in place, so that whoever refers to them sees it.
extension Unpickler {
  private mutating func append(_ elements: [Handle]) throws(ReadError) {
    let target = try top()
    memory += Cost.array(elements.count, of: MemoryLayout<Handle>.stride)
    if case .object(let object) = graph[target] {
      graph.objects[object].items += elements
    } else if !graph.values[Int(target.index)].appendToList(elements) {
      throw cannotHold(target, "a list")
    }
  }

  private mutating func addItems(_ elements: [Handle]) throws(ReadError) {
    let target = try top()
    memory += Cost.array(elements.count, of: MemoryLayout<Handle>.stride)
    if case .object(let object) = graph[target] {
      graph.objects[object].items += elements
    } else if !graph.values[Int(target.index)].appendToSet(elements) {
      throw cannotHold(target, "a set")
    }
  }

  private mutating func setItems(_ entries: [ObjectGraph.Entry]) throws(ReadError) {
    let target = try top()
    memory += Cost.array(entries.count, of: MemoryLayout<ObjectGraph.Entry>.stride)
    if case .object(let object) = graph[target] {
      graph.objects[object].entries += entries
    } else if !graph.values[Int(target.index)].appendToDictionary(entries) {
      throw cannotHold(target, "a dict")
    }
  }

  private mutating func build(_ state: Handle) throws(ReadError) {
    let target = try top()
    guard case .object(let object) = graph[target] else {
      throw cannotHold(target, "the result of a call")
    }
    if case .global(let index) = graph[graph.objects[object].callable],
      graph.globals[index].module == "joblib.numpy_pickle"
    {
      // The bytes of the array follow here, between the opcodes.
      throw .unsupported(
        location, what: "the pickle was written by joblib, with array data between its opcodes",
        remedy: "Load it with joblib.load and save it again with pickle.dump.")
    }
    memory += Cost.array(1, of: MemoryLayout<Handle>.stride)
    graph.objects[object].states.append(state)
  }

  private func pairs(_ operands: [Handle]) throws(ReadError) -> [ObjectGraph.Entry] {
    guard operands.count.isMultiple(of: 2) else {
      throw malformed(
        expected: "a value for each key of \(opcode.name)", found: "\(operands.count) operands")
    }
    return stride(from: 0, to: operands.count, by: 2).map {
      .init(key: operands[$0], value: operands[$0 + 1])
    }
  }

  private func cannotHold(_ target: Handle, _ expected: String) -> ReadError {
    malformed(
      expected: "\(expected) below the operands of \(opcode.name)",
      found: graph.description(of: target))
  }
}

// An array is taken out of its enum before it grows, and nothing else has hold of it then: it would be
// copied each time.
extension ObjectGraph.Value {
  /// - Returns: false if it is no list.
  fileprivate mutating func appendToList(_ elements: [ObjectGraph.Handle]) -> Bool {
    guard case .list(var list) = self else { return false }
    self = .none
    list += elements
    self = .list(list)
    return true
  }

  /// - Returns: false if it is no set.
  fileprivate mutating func appendToSet(_ elements: [ObjectGraph.Handle]) -> Bool {
    guard case .set(var set) = self else { return false }
    self = .none
    set += elements
    self = .set(set)
    return true
  }

  /// - Returns: false if it is no dict.
  fileprivate mutating func appendToDictionary(_ entries: [ObjectGraph.Entry]) -> Bool {
    guard case .dictionary(var dictionary) = self else { return false }
    self = .none
    dictionary += entries
    self = .dictionary(dictionary)
    return true
  }
}

// Globals and calls.
extension Unpickler {
  private mutating func namedGlobal() throws(ReadError) -> ObjectGraph.Value {
    let module = try name(try cursor.line(of: opcode))
    return try global(module: module, name: try name(try cursor.line(of: opcode)))
  }

  /// An operand of STACK_GLOBAL.
  private func globalPart(_ handle: Handle) throws(ReadError) -> Name {
    switch graph[handle] {
    case .text(let payload), .bytes(let payload):
      guard payload.count <= graph.source.limits[.pickleLine] else {
        throw graph.source.exceeded(
          .pickleLine, at: location, what: "characters in the name of a global",
          found: String(payload.count))
      }
      return try name(try graph.bytes(of: payload))
    default:
      throw malformed(
        expected: "two strings below STACK_GLOBAL", found: graph.description(of: handle))
    }
  }

  private func name(_ bytes: [UInt8]) throws(ReadError) -> Name {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw malformed(expected: "the name of a global in UTF-8", found: shown(bytes))
    }
    return Name(name)
  }

  private mutating func global(module: Name, name: Name) throws(ReadError) -> ObjectGraph.Value {
    var (module, name) = (module, name)
    if version <= 2 { (module, name) = PythonNames.modern(module, name) }
    let key = GlobalKey(module: module, name: name)
    if let index = globalIndices[key] { return .global(index) }
    memory += Cost.global + 2 * (module.utf8.count + name.utf8.count)
    globalIndices[key] = graph.globals.count
    graph.globals.append(.init(module: module, name: name, calls: 0))
    return .global(graph.globals.count - 1)
  }

  private mutating func popArguments() throws(ReadError) -> [Handle] {
    let handle = try pop()
    guard case .tuple(let arguments) = graph[handle] else {
      throw malformed(
        expected: "a tuple of arguments for \(opcode.name)", found: graph.description(of: handle))
    }
    return arguments
  }

  private mutating func pushCall(
    _ callable: Handle, _ arguments: [Handle], keywords: Handle? = nil, isNew: Bool = false
  ) throws(ReadError) {
    if case .global(let index) = graph[callable] {
      graph.globals[index].calls += 1
      if isNew { graph.globals[index].news += 1 }
    }
    memory += Cost.object
    try push(.object(graph.objects.count))
    graph.objects.append(
      .init(
        offset: opcodeOffset, callable: callable, arguments: arguments, keywords: keywords,
        isNew: isNew))
  }

  private mutating func pushExtension() throws(ReadError) {
    let width = opcode == .ext1 ? 1 : opcode == .ext2 ? 2 : 4
    let code = Int(Int32(truncatingIfNeeded: try cursor.integer(width, of: opcode)))
    guard code > 0 else {
      throw malformed(expected: "a positive extension code", found: String(code))
    }
    try push(.extensionCode(code))
  }
}

// Errors.
extension Unpickler {
  /// The place of the opcode being executed.
  var location: Location { graph.source.location(at: opcodeOffset) }

  func malformed(expected: String, found: String) -> ReadError {
    .malformed(location, expected: expected, found: found, remedy: fetchAgain)
  }

  /// The first bytes of a text, in quotes, fit for a terminal.
  func shown(_ bytes: [UInt8]) -> String {
    let start = bytes.prefix(24).map {
      (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16)
    }
    return "'" + start.joined() + (bytes.count > 24 ? "...'" : "'")
  }
}
