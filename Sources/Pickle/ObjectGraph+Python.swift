public import Tensors

// What the basic Python objects in a graph mean. Every method returns nil if the object is not of the
// kind asked for; none follows more than one object deep, so cycles are harmless.

// Plain values.
extension ObjectGraph {
  /// The longest text returned as a string.
  private var longestString: Int { source.limits[.nameLength] }

  /// The text of a string, or of a Python 2 byte string that is UTF-8. Nil if it is longer than names may
  /// be.
  public func string(_ handle: Handle) -> Name? {
    guard let payload = textPayload(handle), payload.count <= longestString,
      let bytes = try? bytes(of: payload)
    else { return nil }
    return String(validating: bytes, as: UTF8.self).map { Name($0) }
  }

  /// The name that an object is; nil if it is no text at all.
  ///
  /// - Throws: `ReadError` for a text that is longer than names may be.
  public func name(_ handle: Handle) throws(ReadError) -> Name? {
    if case .text(let payload) = self[handle], payload.count > longestString {
      throw source.exceeded(.nameLength, at: location(of: handle), found: String(payload.count))
    }
    return string(handle)
  }

  private func textPayload(_ handle: Handle) -> Payload? {
    switch self[handle] {
    case .text(let payload), .bytes(let payload): payload
    default: nil
    }
  }

  /// Whether the object is the string `text`; quicker than `string`.
  public func isString(_ handle: Handle, _ text: Name) -> Bool {
    guard let payload = textPayload(handle), payload.count == text.utf8.count else { return false }
    if payload.isDecoded {
      return decoded[payload.offset..<payload.offset + payload.count].elementsEqual(text.utf8)
    }
    return (try? bytes(of: payload).elementsEqual(text.utf8)) ?? false
  }

  /// An integer that fits, or a bool.
  public func integer(_ handle: Handle) -> Int? {
    switch self[handle] {
    case .integer(let value): Int(value)
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// A float or an integer.
  public func real(_ handle: Handle) -> Double? {
    switch self[handle] {
    case .real(let value): value
    case .integer(let value): Double(value)
    default: nil
    }
  }

  /// What an object is, in a word or two of Python's: `int`, `OrderedDict`, `function or class
  /// os.system`, `opaque object argparse.Namespace`.
  public func description(of handle: Handle) -> String {
    switch self[handle] {
    case .none: return "None"
    case .bool: return "bool"
    case .integer, .bigInteger: return "int"
    case .real: return "float"
    case .text: return "str"
    case .bytes: return "bytes"
    case .byteArray: return "bytearray"
    case .list: return "list"
    case .tuple: return "tuple"
    case .set: return "set"
    case .frozenSet: return "frozenset"
    case .dictionary: return "dict"
    case .global(let index): return "function or class \(printable(globals[index].qualifiedName))"
    case .object:
      guard let name = call(handle)?.name else { return "opaque object" }
      if ObjectGraph.dictionaries[name] != nil || ObjectGraph.sequences.contains(name) {
        return name.lastPart.text
      }
      return "opaque object \(printable(name))"
    case .persistentID: return "persistent id"
    case .extensionCode(let code): return "extension code \(code)"
    }
  }
}

// Calls.
extension ObjectGraph {
  /// `builtins.getattr`, if the object is a global.
  public func globalName(_ handle: Handle) -> Name? {
    guard case .global(let index) = self[handle] else { return nil }
    return globals[index].qualifiedName
  }

  /// What a call would have called, by name, with the record of the call. `copyreg._reconstructor(cls,
  /// base, state)`, the `__new__` of protocols 0 and 1, is seen as a call of `cls` with `state`, if
  /// there is one, as its argument.
  public func call(_ handle: Handle) -> (name: Name, object: Object)? {
    guard case .object(let index) = self[handle] else { return nil }
    var object = objects[index]
    guard let name = globalName(object.callable) else { return nil }
    guard let (type, _, state) = reconstruction(object) else { return (name, object) }
    guard let typeName = globalName(type) else { return nil }
    object.callable = type
    object.isNew = true
    if case .none = self[state] { object.arguments = [] } else { object.arguments = [state] }
    return (typeName, object)
  }

  /// The arguments of `copyreg._reconstructor`.
  private func reconstruction(_ object: Object) -> (type: Handle, base: Handle, state: Handle)? {
    guard globalName(object.callable) == "copyreg._reconstructor", object.arguments.count == 3
    else { return nil }
    return (object.arguments[0], object.arguments[1], object.arguments[2])
  }

  /// What BUILD would have set as attributes: dicts, and both halves of `(dict, slots)`. Nil if the
  /// object is not the result of a call.
  public func attributes(_ handle: Handle) -> [Name: Handle]? {
    guard case .object(let index) = self[handle] else { return nil }
    var attributes: [Name: Handle] = [:]
    func add(_ dictionary: Handle) {
      for entry in entries(dictionary) ?? [] {
        if let name = string(entry.key) { attributes[name] = entry.value }
      }
    }
    for state in objects[index].states {
      if case .tuple(let halves) = self[state], halves.count == 2 {
        halves.forEach(add)
      } else {
        add(state)
      }
    }
    return attributes
  }
}

// Containers.
extension ObjectGraph {
  /// Classes whose argument is a sequence of elements.
  private static let sequences: Set<Name> = [
    "builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque",
  ]

  /// Classes of dicts, with the position of the argument that holds the first entries.
  private static let dictionaries: [Name: Int] = [
    "builtins.dict": 0, "collections.OrderedDict": 0, "collections.defaultdict": 1,
    "collections.Counter": 0,
  ]

  /// The elements of a list, tuple, set or frozenset, as literal or as `builtins.set([...])` and such,
  /// and those of an object that APPENDS or ADDITEMS added to, as a subclass of list.
  public func elements(_ handle: Handle) -> [Handle]? {
    if let literal = literalElements(handle) { return literal }
    guard case .object(let index) = self[handle] else { return nil }
    let object = objects[index]
    let type = reconstruction(object)?.base ?? object.callable
    let state = reconstruction(object)?.state ?? object.arguments.first
    guard let name = globalName(type), ObjectGraph.sequences.contains(name) else {
      return object.items.isEmpty ? nil : object.items
    }
    guard let state else { return object.items }
    guard let initial = literalElements(state) else { return nil }
    return initial + object.items
  }

  private func literalElements(_ handle: Handle) -> [Handle]? {
    switch self[handle] {
    case .list(let elements), .tuple(let elements), .set(let elements), .frozenSet(let elements):
      elements
    default: nil
    }
  }

  /// The entries of a dict: a literal; `OrderedDict`, `dict`, `defaultdict`, `Counter` and every dict
  /// subclass (an object with entries); Python 2's `OrderedDict([[k, v], ...])`. Later duplicates of a
  /// string key replace earlier ones in place. An object of a known dict class without entries is
  /// an empty dict; any other object without entries is none.
  public func entries(_ handle: Handle) -> [Entry]? {
    guard let all = allEntries(handle) else { return nil }
    return withoutRepetitions(all).entries
  }

  /// Whether it is a dict, of any class that is known; the entries are not looked at.
  public func isDictionary(_ handle: Handle) -> Bool {
    if case .dictionary = self[handle] { return true }
    guard let (name, _) = call(handle) else { return false }
    return ObjectGraph.dictionaries[name] != nil
  }

  /// The string keys that a dict sets more than once; Python keeps the last value.
  public func repeatedKeys(_ handle: Handle) -> [Name] {
    guard let all = allEntries(handle) else { return [] }
    let (entries, repeated) = withoutRepetitions(all)
    return repeated.sorted().compactMap { string(entries[$0].key) }
  }

  /// The value under a string key of a dict.
  public func value(_ key: Name, of handle: Handle) -> Handle? {
    allEntries(handle)?.last { isString($0.key, key) }?.value
  }

  /// How many entries `entries` and `attributes` go through for an object, at most. Many objects may
  /// share them, so the time for all is not bounded by the length of the pickle.
  public func entryCount(_ handle: Handle) -> Int {
    func count(_ handle: Handle) -> Int {
      if case .dictionary(let entries) = self[handle] { return entries.count }
      return literalElements(handle)?.count ?? 0
    }
    switch self[handle] {
    case .dictionary(let entries): return entries.count
    case .object(let index):
      let object = objects[index]
      let states = object.states.flatMap { state in
        if case .tuple(let halves) = self[state], halves.count == 2 { halves } else { [state] }
      }
      return (object.arguments + states).reduce(object.entries.count) { $0 + count($1) }
    default: return 0
    }
  }

  /// All entries as they were set.
  private func allEntries(_ handle: Handle) -> [Entry]? {
    if case .dictionary(let entries) = self[handle] { return entries }
    guard case .object(let index) = self[handle] else { return nil }
    let object = objects[index]
    let reconstruction = reconstruction(object)
    guard let name = globalName(reconstruction?.base ?? object.callable),
      let position = ObjectGraph.dictionaries[name]
    else { return object.entries.isEmpty ? nil : object.entries }
    let initial: Handle? =
      if let reconstruction {
        reconstruction.state
      } else {
        object.arguments.indices.contains(position) ? object.arguments[position] : nil
      }
    guard let initial else { return object.entries }
    guard let entries = literalEntries(initial) else { return nil }
    return entries + object.entries
  }

  /// The entries of a literal dict or of a sequence of pairs.
  private func literalEntries(_ handle: Handle) -> [Entry]? {
    if case .dictionary(let entries) = self[handle] { return entries }
    guard let pairs = literalElements(handle) else { return nil }
    var entries: [Entry] = []
    entries.reserveCapacity(pairs.count)
    for pair in pairs {
      guard let pair = literalElements(pair), pair.count == 2 else { return nil }
      entries.append(Entry(key: pair[0], value: pair[1]))
    }
    return entries
  }

  /// Each key once, and the places of those that were there more than once.
  private func withoutRepetitions(_ all: [Entry]) -> (entries: [Entry], repeated: Set<Int>) {
    var positions: [[UInt8]: Int] = [:]
    positions.reserveCapacity(all.count)
    // A text that the pickle refers to again need not be read again.
    var known: [Payload: Int] = [:]
    var entries: [Entry] = []
    entries.reserveCapacity(all.count)
    var repeated: Set<Int> = []
    for entry in all {
      guard let payload = textPayload(entry.key), payload.count <= longestString else {
        entries.append(entry)
        continue
      }
      if let position = known[payload] {
        entries[position].value = entry.value
        repeated.insert(position)
        continue
      }
      guard let key = try? bytes(of: payload) else {
        entries.append(entry)
        continue
      }
      if let position = positions[key] {
        entries[position].value = entry.value
        repeated.insert(position)
      } else {
        positions[key] = entries.count
        known[payload] = entries.count
        entries.append(entry)
      }
    }
    return (entries, repeated)
  }
}

// Bytes.
extension ObjectGraph {
  /// How an object that stands for bytes holds them.
  private enum Stored {
    case empty
    case bytes(Payload)
    case latin1(Payload)
  }

  private func stored(_ handle: Handle) -> Stored? {
    switch self[handle] {
    case .bytes(let payload), .byteArray(let payload): return .bytes(payload)
    case .object: break
    default: return nil
    }
    guard let (name, object) = call(handle) else { return nil }
    switch (name, object.arguments.count) {
    case ("builtins.bytes", 0), ("builtins.bytearray", 0): return .empty
    case ("_codecs.encode", 2), ("builtins.bytearray", 2), ("builtins.bytes", 2):
      return latin1(object)
    case ("builtins.bytearray", 1):
      switch self[object.arguments[0]] {
      case .bytes(let payload), .byteArray(let payload): return .bytes(payload)
      default:
        guard let (name, inner) = call(object.arguments[0]) else { return nil }
        if name == "builtins.bytes" && inner.arguments.isEmpty { return .empty }
        return name == "_codecs.encode" ? latin1(inner) : nil
      }
    default: return nil
    }
  }

  /// A call with the arguments `(text, "latin1")`.
  private func latin1(_ object: Object) -> Stored? {
    guard object.arguments.count == 2, case .text(let text) = self[object.arguments[0]],
      isString(object.arguments[1], "latin1") || isString(object.arguments[1], "latin-1")
    else { return nil }
    return .latin1(text)
  }

  /// The bytes of bytes, bytearray, Python 2 strings, `builtins.bytes()`, `builtins.bytearray(...)`
  /// and of `_codecs.encode(text, "latin1")`, still where they are; the last decoded on reading, after
  /// a pass over them that counts.
  ///
  /// - Throws: `ReadError.malformed` if text that stands for bytes has a character above U+00FF.
  public func byteSource(
    _ handle: Handle
  ) throws(ReadError) -> (source: any ByteSource, offset: Int, count: Int)? {
    switch stored(handle) {
    case nil: return nil
    case .empty: return (MemoryBytes([], location: location(of: handle)), 0, 0)
    case .bytes(let payload): return (source(of: payload), payload.offset, payload.count)
    case .latin1(let payload):
      let source = try Latin1Bytes.source(
        of: source(of: payload), at: payload.offset, count: payload.count)
      return (source, 0, source.count)
    }
  }

  /// The bytes that an object of the kinds of `byteSource` takes where it is stored: as many as it
  /// stands for, or up to twice as many for text. Costs nothing.
  public func storedByteCount(_ handle: Handle) -> Int? {
    switch stored(handle) {
    case nil: nil
    case .empty: 0
    case .bytes(let payload), .latin1(let payload): payload.count
    }
  }

  private func source(of payload: Payload) -> any ByteSource {
    payload.isDecoded ? MemoryBytes(decoded, location: source.location) : source
  }
}
