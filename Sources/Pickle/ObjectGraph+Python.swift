public import Tensors

// What the basic Python objects in a graph mean. Every method returns nil if the object is not of the
// kind asked for; none follows more than one object deep, so cycles are harmless.
extension ObjectGraph {
  /// The text of a string, or of a Python 2 byte string that is UTF-8. Nil if longer than 1 MiB.
  public func string(_ handle: Handle) -> String? { fatalError() }

  /// An integer that fits, or a bool.
  public func integer(_ handle: Handle) -> Int? { fatalError() }

  /// A float or an integer.
  public func real(_ handle: Handle) -> Double? { fatalError() }

  /// The elements of a list, tuple, set or frozenset, as literal or as `builtins.set([...])` and such.
  public func elements(_ handle: Handle) -> [Handle]? { fatalError() }

  /// The entries of a dict: a literal; `OrderedDict`, `dict`, `defaultdict`, `Counter` and every dict
  /// subclass (an object with entries); Python 2's `OrderedDict([[k, v], ...])`. Later duplicates of a
  /// string key replace earlier ones in place. An object of a known dict class without entries is
  /// an empty dict; any other object without entries is none.
  public func entries(_ handle: Handle) -> [Entry]? { fatalError() }

  /// The value under a string key of a dict.
  public func value(_ key: String, of handle: Handle) -> Handle? { fatalError() }

  /// `builtins.getattr`, if the object is a global.
  public func globalName(_ handle: Handle) -> String? { fatalError() }

  /// What a call would have called, by name, with the record of the call. `copyreg._reconstructor(cls,
  /// base, state)` is seen as a call of `cls`.
  public func call(_ handle: Handle) -> (name: String, object: Object)? { fatalError() }

  /// What BUILD would have set as attributes: dicts, and both halves of `(dict, slots)`.
  public func attributes(_ handle: Handle) -> [String: Handle]? { fatalError() }

  /// The bytes of bytes, bytearray, Python 2 strings, `builtins.bytes()`, `builtins.bytearray(...)`
  /// and of `_codecs.encode(text, "latin1")`, still where they are; the last decoded on reading.
  public func byteSource(_ handle: Handle) throws(ReadError) -> (source: any ByteSource, offset: Int, count: Int)? {
    fatalError()
  }
}
