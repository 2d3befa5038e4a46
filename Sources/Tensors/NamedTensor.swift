/// A tensor and the name that a file gives it.
public struct NamedTensor: Sendable {
  /// In the file.
  public var name: Name
  /// Where its bytes are.
  public var tensor: Tensor
  /// How the file stores it, where it says so of each tensor.
  public var storage: TensorStorage?

  public init(_ name: Name, _ tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }
}

/// How a file stores a tensor.
public struct TensorStorage: Equatable, Sendable {
  /// What the file calls the way: `raw`, as the elements are.
  public var codec: String
  /// Bytes in the file.
  public var byteCount: Int

  public init(codec: String, byteCount: Int) {
    self.codec = codec
    self.byteCount = byteCount
  }
}
