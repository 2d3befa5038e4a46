public import Tensors

extension NodeKind {
  /// A two-dimensional convolution (cross-correlation) with zeros around its input.
  public static let convolution = NodeKind(
    "convolution",
    operands: [Operand("weight", .kernel), Operand("bias", .vector, isOptional: true)],
    attributes: [
      .pair("stride", from: 1), .pair("padding", from: 0), .pair("dilation", from: 1),
      .single("groups", from: 1),
    ]
  ) { (check) throws(GraphProblem) in
    let (channels, height, width) = try check.map()
    let kernel = check.operands[0]!
    let (stride, padding, dilation) = (
      check.attributes[0], check.attributes[1], check.attributes[2]
    )
    let groups = check.attributes[3][0]
    try check.require(
      kernel[0].isMultiple(of: groups), "groups",
      "a divisor of the \(kernel[0]) output channels", "\(groups)")
    let inputs = try check.product(kernel[1], groups)!
    try check.require(
      channels ?? inputs == inputs, "weight", "a kernel for \(channels ?? 0) channels",
      "\(kernel) and groups \(groups)")
    try check.requireOperand(1, [kernel[0]])
    return .map(
      channels: kernel[0],
      height: try check.windowed(
        height, axis: "height", kernel: kernel[2], stride: stride[0], padding: padding[0],
        dilation: dilation[0]),
      width: try check.windowed(
        width, axis: "width", kernel: kernel[3], stride: stride[1], padding: padding[1],
        dilation: dilation[1]))
  }
}

extension Graph {
  /// Appends a convolution.
  ///
  /// - Parameters:
  ///   - weight: the tensor `[O, I, height, width]`.
  ///   - bias: the tensor `[O]`.
  ///   - stride: vertical and horizontal, as are `padding` and `dilation`.
  /// - Returns: its value.
  @discardableResult
  public mutating func convolution(
    _ input: Int, weight: Int, bias: Int?, stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    dilation: [Int] = [1, 1], groups: Int = 1, block: Name? = nil
  ) -> Int {
    append(
      .convolution, input, operands: [weight, bias],
      attributes: [stride, padding, dilation, [groups]], block: block)
  }
}
