// How what checkpoints say appears in reports. Every key is always there; what is not known is nil, for the
// encoder to write as null.

internal import Tensors

extension InputConvention.ChannelOrder: Encodable {}

extension InputConvention: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "channelOrder": channelOrder, "scale": scale, "mean": mean,
      "standardDeviation": standardDeviation, "size": size,
    ])
  }
}

extension ModelMetadata: Encodable {
  public func encode(to encoder: any Encoder) throws {
    func known(_ texts: [String]) -> [String]? { texts.isEmpty ? nil : texts }
    try encoder.encode(members: [
      "labels": known(labels), "license": license, "authors": known(authors),
      "homepage": homepage, "task": task, "custom": custom.isEmpty ? nil : custom,
    ])
  }
}

extension ModelMetadata.Entry: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["key": key, "value": value])
  }
}

extension Provenance: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "sourceSHA256": sourceSHA256, "container": container, "dialect": dialect,
      "epsilons": epsilons, "arithmetic": arithmetic,
      "biasCorrection": biasCorrection, "tool": tool,
    ])
  }
}

extension PickledGlobal: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["name": name, "calls": calls, "expected": isExpected])
  }
}
