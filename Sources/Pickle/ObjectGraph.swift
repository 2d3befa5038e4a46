public import Tensors

/// What a pickle describes, as inert data.
///
/// Objects lie in one array and refer to each other by index, so sharing, cycles and any depth of
/// nesting cost nothing and nothing is ever expanded. A global is a name; a call is a record of what
/// would have been called with what. Long strings stay in the file.
public struct ObjectGraph: Sendable {
  /// An object: its index in the graph.
  public struct Handle: Hashable, Sendable {
    public let index: Int32
    public init(_ index: Int) { self.index = Int32(index) }
  }

  public struct Entry: Sendable {
    public var key: Handle
    public var value: Handle
  }

  /// The bytes of a string: a range of the file, or of memory where the file escapes them or they are
  /// a short text, such as a name. `bytes(of:)` reads either.
  public struct Payload: Hashable, Sendable {
    public var offset: Int
    public var count: Int
    public var isDecoded: Bool
  }

  public enum Value: Sendable {
    case none
    case bool(Bool)
    case integer(Int64)
    /// An integer of more than 64 bits: little-endian two's complement.
    case bigInteger(Payload)
    case real(Double)
    /// UTF-8, in which Python allows lone surrogates.
    case text(Payload)
    case bytes(Payload)
    case byteArray(Payload)
    case list([Handle])
    case tuple([Handle])
    case set([Handle])
    case frozenSet([Handle])
    case dictionary([Entry])
    /// An index of `globals`.
    case global(Int)
    /// An index of `objects`.
    case object(Int)
    case persistentID(Handle)
    case extensionCode(Int)
  }

  /// A name, and how often it would have been called.
  public struct Global: Sendable {
    /// As Python 3 spells them: `builtins`, not `__builtin__`.
    public var module: Name
    public var name: Name
    public var calls: Int
    /// How many of these make no more than an empty object of a class (NEWOBJ).
    public var news = 0
    public var qualifiedName: Name { "\(module).\(name)" }
  }

  /// The record of a call that was not made (REDUCE, NEWOBJ, NEWOBJ_EX, INST, OBJ), and of what would
  /// have been done to its result.
  public struct Object: Sendable {
    /// Where in the file the call stands.
    public var offset: Int
    public var callable: Handle
    /// The tuple of arguments.
    public var arguments: [Handle]
    /// NEWOBJ_EX only.
    public var keywords: Handle?
    /// Whether only `__new__` would have been called.
    public var isNew: Bool
    /// What BUILD would have set, one after the other.
    public var states: [Handle] = []
    /// What APPEND(S) or ADDITEMS would have added.
    public var items: [Handle] = []
    /// What SETITEM(S) would have set.
    public var entries: [Entry] = []
  }

  /// The bytes that were parsed; payloads lie in it.
  public let source: any ByteSource
  public internal(set) var values: [Value] = []
  public internal(set) var globals: [Global] = []
  public internal(set) var objects: [Object] = []
  public internal(set) var root = Handle(0)
  /// The highest PROTO seen; 0 if none.
  public internal(set) var pickleProtocol = 0
  /// The offset in `source` behind STOP.
  public internal(set) var end = 0
  /// Strings that had to be decoded and short texts, end to end.
  var decoded: [UInt8] = []

  init(source: any ByteSource) {
    self.source = source
  }

  public subscript(handle: Handle) -> Value { values[Int(handle.index)] }

  /// The bytes of a string or of a long integer, in memory.
  public func bytes(of payload: Payload) throws(ReadError) -> [UInt8] {
    payload.isDecoded
      ? Array(decoded[payload.offset..<payload.offset + payload.count])
      : try source.bytes(payload.offset..<payload.offset + payload.count, field: "a string")
  }

  /// The place of an object in the file, for errors: of the call for the record of a call, of the
  /// bytes for a long string, else of the pickle as a whole.
  public func location(of handle: Handle) -> Location {
    switch self[handle] {
    case .object(let index): source.location(at: objects[index].offset)
    case .text(let payload) where !payload.isDecoded,
      .bytes(let payload) where !payload.isDecoded, .byteArray(let payload):
      source.location(at: payload.offset)
    default: source.location
    }
  }
}
