// How values appear in reports. Every key is always there; what is not known is nil, for the encoder to
// write as null.

extension Shape: Encodable {
  public func encode(to encoder: any Encoder) throws { try dimensions.encode(to: encoder) }
}

extension ElementType: Encodable {}

extension Encoder {
  /// Encodes an object of these members, in this order.
  package func encode(members: KeyValuePairs<String, any Encodable>) throws {
    var container = container(keyedBy: MemberName.self)
    for (name, value) in members { try container.encode(value, forKey: MemberName(name)) }
  }
}

private struct MemberName: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { nil }
}
