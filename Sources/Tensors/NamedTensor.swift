/// A tensor and the name that a file gives it.
public struct NamedTensor: Sendable {
  /// In the file.
  public var name: String
  /// Where its bytes are.
  public var tensor: Tensor

  public init(_ name: String, _ tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }
}
