internal import Tensors

extension NodeKind {
  /// BatchNorm with its running statistics, where no convolution takes it up: one that stands before a
  /// convolution, or that a project leaves as it is.
  public static let batchNorm = NodeKind(
    "batch-norm",
    operands: [
      Operand("gamma", .vector), Operand("beta", .vector), Operand("mean", .vector),
      Operand("variance", .vector),
    ], hasEpsilon: true
  ) { (check) throws(GraphProblem) in
    let gamma = check.operands[0]!
    let channels = check.inputs[0].channels
    try check.require(
      channels ?? gamma[0] == gamma[0], "gamma",
      "one number for each of the \(channels ?? 0) channels",
      "\(gamma[0])")
    for operand in 1..<4 { try check.requireOperand(operand, gamma) }
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
    block: String? = nil
  ) -> Int {
    append(
      Node(
        .batchNorm, inputs: [input], operands: [gamma, beta, mean, variance], epsilon: epsilon,
        block: block))
  }
}
