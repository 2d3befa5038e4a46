public import Tensors

extension NodeKind {
  /// The mean over height and width: N x C x 1 x 1.
  public static let globalAveragePool = NodeKind("global-average-pool") {
    (check) throws(GraphProblem) in
    .map(channels: try check.map().channels, height: 1, width: 1)
  }

  /// The mean of what a window sees; zeros of the padding count.
  public static let averagePool = NodeKind("average-pool", attributes: window, shape: pooled)

  /// The largest number that a window sees; the padding does not count.
  public static let maxPool = NodeKind("max-pool", attributes: window, shape: pooled)

  private static let window: [Attribute] = [
    .pair("kernel", from: 1), .pair("stride", from: 1), .pair("padding", from: 0),
  ]

  private static let pooled: ShapeRule = { (check) throws(GraphProblem) in
    let (channels, height, width) = try check.map()
    let (kernel, stride, padding) = (check.attributes[0], check.attributes[1], check.attributes[2])
    // So no window lies in the padding alone.
    try check.require(
      zip(kernel, padding).allSatisfy { $0 > $1 }, "padding", "less than the kernel, \(kernel)",
      "\(padding)")
    return .map(
      channels: channels,
      height: try check.windowed(
        height, axis: "height", kernel: kernel[0], stride: stride[0], padding: padding[0]),
      width: try check.windowed(
        width, axis: "width", kernel: kernel[1], stride: stride[1], padding: padding[1]))
  }
}

extension Graph {
  /// Appends a pooling, `.averagePool` or `.maxPool`.
  ///
  /// - Returns: its value.
  @discardableResult
  public mutating func pool(
    _ kind: NodeKind, _ input: Int, kernel: [Int], stride: [Int], padding: [Int] = [0, 0],
    block: Name? = nil
  ) -> Int {
    append(kind, input, attributes: [kernel, stride, padding], block: block)
  }
}
