// How values appear in reports. Every key is always there; what is not known is nil, for the encoder to
// write as null.

extension Shape: Encodable {
  public func encode(to encoder: any Encoder) throws { try dimensions.encode(to: encoder) }
}

extension ElementType: Encodable {}
