public import Tensors

extension NodeKind {
  /// A matrix, and a bias if there is one; of a map at each position by itself.
  public static let linear = NodeKind(
    "linear", operands: [Operand("weight", .matrix), Operand("bias", .vector, isOptional: true)]
  ) { (check) throws(GraphProblem) in
    let channels = check.inputs[0].channels
    let matrix = check.operands[0]!
    try check.require(
      channels ?? matrix[1] == matrix[1], "weight", "a matrix for \(channels ?? 0) channels",
      "\(matrix)")
    try check.requireOperand(1, [matrix[0]])
    return check.inputs[0].with(channels: matrix[0])
  }
}

extension Graph {
  /// Appends a linear layer; `weight` is a tensor `[O, I]`, `bias` one `[O]`.
  ///
  /// - Returns: its value.
  @discardableResult
  public mutating func linear(
    _ input: Int, weight: Int, bias: Int?, block: Name? = nil
  ) -> Int {
    append(.linear, input, operands: [weight, bias], block: block)
  }
}
