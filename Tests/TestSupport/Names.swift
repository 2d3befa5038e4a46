public import Tensors

// Tests say names as texts, often ones that they read from tables of expected answers.

extension Name {
  public static func == (name: Name, text: String) -> Bool { name == Name(text) }
  public static func == (text: String, name: Name) -> Bool { name == Name(text) }
  public static func != (name: Name, text: String) -> Bool { name != Name(text) }
}

extension [Name] {
  public static func == (names: [Name], texts: [String]) -> Bool { names == texts.map { Name($0) } }
}

extension Set<Name> {
  public static func == (names: Set<Name>, texts: Set<String>) -> Bool {
    names == Set(texts.map { Name($0) })
  }
}

extension Dictionary where Key == String {
  public subscript(name: Name) -> Value? {
    get { self[name.text] }
    set { self[name.text] = newValue }
  }
}

extension Dictionary where Key == Name {
  public subscript(text: String) -> Value? { self[Name(text)] }
}

extension NamedTensor {
  public init(_ name: String, _ tensor: Tensor) { self.init(Name(name), tensor) }
}

extension OutputTensor {
  public init(name: String, _ tensor: Tensor) { self.init(name: Name(name), tensor) }
}

extension Tensor {
  public init(
    _ elementType: ElementType, shape: Shape, in source: any ByteSource, at offset: Int = 0,
    name: String
  ) throws(ReadError) {
    try self.init(elementType, shape: shape, in: source, at: offset, name: Name(name))
  }
}

extension Name {
  public func contains(_ text: String) -> Bool { self.text.contains(text) }
  public func hasPrefix(_ text: String) -> Bool { hasPrefix(Name(text)) }
  public func hasSuffix(_ text: String) -> Bool { hasSuffix(Name(text)) }
  public func dropFirst(_ count: Int) -> String { String(text.dropFirst(count)) }
  public func dropLast(_ count: Int) -> String { String(text.dropLast(count)) }
}

extension Set<Name> {
  public func contains(_ text: String) -> Bool { contains(Name(text)) }
}

extension DefaultStringInterpolation {
  /// As it is, where the program has to say which is meant.
  public mutating func appendInterpolation(_ name: Name) { appendLiteral(name.text) }
}
