public import Tensors

extension NodeKind {
  /// BatchNorm with its running statistics, where no convolution takes it up: one that stands before a
  /// convolution, or that a project leaves as it is.
  public static let batchNorm = NodeKind(
    "batch-norm",
    operands: [
      Operand("gamma", .vector), Operand("beta", .vector), Operand("mean", .vector),
      Operand("variance", .vector),
    ], hasEpsilon: true
  ) { (check) throws(GraphProblem) in try normalized(check) }

  /// LayerNorm over the channels, at each position by itself (arXiv:1607.06450; as ConvNeXt has it,
  /// arXiv:2201.03545).
  public static let layerNorm = NodeKind(
    "layer-norm", operands: [Operand("gamma", .vector), Operand("beta", .vector)],
    hasEpsilon: true
  ) { (check) throws(GraphProblem) in try normalized(check) }

  /// Global Response Normalization: every channel by how large it is over the image, beside the others
  /// (arXiv:2301.00808, 3.2).
  public static let globalResponseNorm = NodeKind(
    "global-response-norm",
    operands: [Operand("gamma", .vector), Operand("beta", .vector, isOptional: true)],
    hasEpsilon: true
  ) { (check) throws(GraphProblem) in
    _ = try check.map()
    return try normalized(check)
  }

  /// The same shape, with as many channels as `gamma` and every other operand have numbers.
  private static func normalized(_ check: ShapeCheck) throws(GraphProblem) -> ValueShape {
    let gamma = check.operands[0]!
    let channels = check.inputs[0].channels
    try check.require(
      channels ?? gamma[0] == gamma[0], "gamma",
      "one number for each of the \(channels ?? 0) channels",
      "\(gamma[0])")
    for operand in check.operands.indices.dropFirst() { try check.requireOperand(operand, gamma) }
    return check.inputs[0].with(channels: gamma[0])
  }
}

extension Graph {
  /// Appends a BatchNorm; its parameters are tensors `[C]`.
  ///
  /// - Returns: its value.
  @discardableResult
  public mutating func batchNorm(
    _ input: Int, gamma: Int, beta: Int, mean: Int, variance: Int, epsilon: Double,
    block: Name? = nil
  ) -> Int {
    append(
      Node(
        .batchNorm, inputs: [input], operands: [gamma, beta, mean, variance], epsilon: epsilon,
        block: block))
  }

  /// Appends a normalization without running statistics: `layerNorm` or `globalResponseNorm`; its
  /// parameters are tensors `[C]`.
  ///
  /// - Returns: its value.
  @discardableResult
  public mutating func normalization(
    _ kind: NodeKind, _ input: Int, gamma: Int, beta: Int?, epsilon: Double, block: Name? = nil
  ) -> Int {
    append(
      Node(kind, inputs: [input], operands: [gamma, beta], epsilon: epsilon, block: block))
  }
}
