import JSON
import RVD
import Tensors

/// Makes a JSON value of whatever is `Encodable`: keys in the order in which they are encoded, a null for
/// everything that is nil, so that every key is always there, and for numbers that JSON has none for.
struct ReportEncoder: Encoder {
  /// Where the value goes. A reference, as containers outlive the call that makes them.
  private let node: Node
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  fileprivate init(_ node: Node) { self.node = node }

  static func value(of report: some Encodable) throws -> JSONValue {
    let node = Node()
    try node.set(report)
    return node.value
  }

  func container<Key>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    node.becomeObject()
    return KeyedEncodingContainer(Members(node: node))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.becomeArray()
    return Elements(node: node)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { Single(node: node) }
}

/// A value in the making.
private final class Node {
  private enum Content {
    case scalar(JSONValue)
    case array([Node])
    case object([(key: String, node: Node)])
  }
  private var content = Content.scalar(.null)

  var value: JSONValue {
    switch content {
    case .scalar(let value): value
    case .array(let nodes): .array(nodes.map(\.value))
    case .object(let members): .object(members.map { .init(Name($0.key), $0.node.value) })
    }
  }

  func becomeObject() {
    // A second container of the same object goes on with it.
    if case .object = content { return }
    content = .object([])
  }

  func becomeArray() { content = .array([]) }

  var count: Int { if case .array(let nodes) = content { nodes.count } else { 0 } }

  func member(_ key: String) -> Node {
    guard case .object(var members) = content else { preconditionFailure("not an object") }
    content = .scalar(.null)  // Lets go of the array, so that it grows in place.
    let node = Node()
    members.append((key, node))
    content = .object(members)
    return node
  }

  func element() -> Node {
    guard case .array(var nodes) = content else { preconditionFailure("not an array") }
    content = .scalar(.null)
    let node = Node()
    nodes.append(node)
    content = .array(nodes)
    return node
  }

  func set(_ value: some Encodable) throws {
    if let scalar = Node.scalar(value) {
      content = .scalar(scalar)
    } else {
      try value.encode(to: ReportEncoder(self))
    }
  }

  private static func scalar(_ value: any Encodable) -> JSONValue? {
    switch value {
    case let value as Bool: .bool(value)
    case let value as String: .string(value)
    case let value as Double: value.isFinite ? .number(value) : .null
    // Its own shortest digits, not those of the double of the same value.
    case let value as Float: value.isFinite ? .number(Double("\(value)")!) : .null
    case let value as any BinaryInteger: .integer(Int(value))
    default: nil
    }
  }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: Node
  var codingPath: [any CodingKey] { [] }

  func encodeNil(forKey key: Key) { _ = node.member(key.stringValue) }

  func encode(_ value: some Encodable, forKey key: Key) throws {
    try node.member(key.stringValue).set(value)
  }

  // Where the defaults leave a key out.
  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
    try encodeOrNull(value, key)
  }

  private func encodeOrNull(_ value: (some Encodable)?, _ key: Key) throws {
    let member = node.member(key.stringValue)
    if let value { try member.set(value) }
  }

  func nestedContainer<Nested>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    ReportEncoder(node.member(key.stringValue)).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    ReportEncoder(node.member(key.stringValue)).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { ReportEncoder(node.member("super")) }
  func superEncoder(forKey key: Key) -> any Encoder { ReportEncoder(node.member(key.stringValue)) }
}

private struct Elements: UnkeyedEncodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { [] }
  var count: Int { node.count }

  func encodeNil() { _ = node.element() }
  func encode(_ value: some Encodable) throws { try node.element().set(value) }
  func nestedContainer<Nested>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    ReportEncoder(node.element()).container(keyedBy: type)
  }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    ReportEncoder(node.element()).unkeyedContainer()
  }
  func superEncoder() -> any Encoder { ReportEncoder(node.element()) }
}

private struct Single: SingleValueEncodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { [] }

  func encodeNil() {}
  func encode(_ value: some Encodable) throws { try node.set(value) }
}
