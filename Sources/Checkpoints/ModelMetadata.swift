/// What people want to know of a model, and nothing is computed by. Empty or nil is what is not said.
public struct ModelMetadata: Equatable, Sendable {
  /// Something that has no property of its own.
  public struct Entry: Equatable, Sendable {
    /// Not empty; compared as bytes of UTF-8.
    public var key: String
    public var value: String

    public init(_ key: String, _ value: String) {
      self.key = key
      self.value = value
    }
  }

  /// The name of each class, in the order of the network's result.
  public var labels: [String] = []
  /// An SPDX license expression: `Apache-2.0`.
  public var license: String?
  /// Who made the model.
  public var authors: [String] = []
  /// A URL.
  public var homepage: String?
  /// What the network does, in the words of Hugging Face's list of tasks: `image-classification`.
  public var task: String?
  /// Anything else, each key once. Files have it in the order of the keys.
  public var custom: [Entry] = []

  /// Says nothing.
  public init() {}

  /// Whether nothing is said.
  public var isEmpty: Bool { self == ModelMetadata() }
}
