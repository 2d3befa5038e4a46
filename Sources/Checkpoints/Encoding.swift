// How what checkpoints say appears in reports. Every key is always there; what is not known is nil, for the
// encoder to write as null.

extension InputConvention.ChannelOrder: Encodable {}

extension InputConvention: Encodable {
  private enum CodingKeys: CodingKey {
    case channelOrder, scale, mean, standardDeviation, size
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(channelOrder, forKey: .channelOrder)
    try container.encode(scale, forKey: .scale)
    try container.encode(mean, forKey: .mean)
    try container.encode(standardDeviation, forKey: .standardDeviation)
    try container.encodeIfPresent(size, forKey: .size)
  }
}

extension Provenance: Encodable {
  private enum CodingKeys: CodingKey {
    case sourceSHA256, container, dialect, epsilons, arithmetic, tool
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(sourceSHA256, forKey: .sourceSHA256)
    try container.encode(self.container, forKey: .container)
    try container.encode(dialect, forKey: .dialect)
    try container.encode(epsilons, forKey: .epsilons)
    try container.encode(arithmetic, forKey: .arithmetic)
    try container.encode(tool, forKey: .tool)
  }
}

extension PickledGlobal: Encodable {
  private enum CodingKeys: CodingKey {
    case name, calls, expected
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(calls, forKey: .calls)
    try container.encode(isExpected, forKey: .expected)
  }
}
