// Functions of one number, applied to each. The formulas are in `formats/rvd.md`.
extension NodeKind {
  /// Not below 0.
  public static let relu = elementwise("relu")
  /// Not above 6.
  public static let relu6 = elementwise("relu6")
  /// The logistic function.
  public static let sigmoid = elementwise("sigmoid")
  /// x sigmoid(x), also called swish.
  public static let silu = elementwise("silu")
  /// The hyperbolic tangent.
  public static let tanh = elementwise("tanh")
  /// x Phi(x), with the normal distribution's function: the exact one, of erf.
  public static let gelu = elementwise("gelu")
  /// The approximation of GELU by tanh.
  public static let geluTanh = elementwise("gelu-tanh")
  /// relu6(x + 3) / 6.
  public static let hardSigmoid = elementwise("hard-sigmoid")
  /// x relu6(x + 3) / 6.
  public static let hardSwish = elementwise("hard-swish")

  private static func elementwise(_ name: String) -> NodeKind {
    NodeKind(name) { (check) throws(GraphProblem) in check.inputs[0] }
  }

  /// What is negative times a slope, of the channel or of all.
  public static let prelu = NodeKind("prelu", operands: [Operand("slope", .vector)]) {
    (check) throws(GraphProblem) in
    check.inputs[0].with(channels: try check.channelVector(0, check.inputs[0].channels))
  }

  /// Over the channels.
  public static let softmax = elementwise("softmax")
}
