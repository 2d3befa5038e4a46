/// How a network in deploy form computes in int8: which of its values are rounded to steps, and of which
/// size.
///
/// Layers whose weights are in steps take values in steps; a runtime that sees both, and that the result
/// is rounded to steps, multiplies integers.
public struct IntegerArithmetic: Equatable, Sendable {
  /// The steps that a value is rounded to: it is `scale * (step - zeroPoint)`, `step` the nearest integer
  /// of eight bits, of two equally near the even one.
  public struct Steps: Equatable, Sendable {
    /// Finite and greater than 0.
    public var scale: Float
    /// The step that stands for 0; from 0 to 255, or 0 if it has a sign.
    public var zeroPoint: Int
    /// Whether steps are from -128 to 127, not from 0 to 255.
    public var isSigned: Bool

    public init(scale: Float, zeroPoint: Int, isSigned: Bool) {
      self.scale = scale
      self.zeroPoint = zeroPoint
      self.isSigned = isSigned
    }

    /// The numbers that a value can be: of the first and of the last step.
    public var bounds: ClosedRange<Float> {
      let first = isSigned ? -128 : -zeroPoint
      return scale * Float(first)...scale * Float(first + 255)
    }
  }

  /// By the graph's values, those that are rounded, for all that take them.
  public var values: [Int: Steps] = [:]
  /// Whether biases of layers with weights in steps are int32, in steps of the input's scale times the
  /// weight's.
  public var hasIntegerBiases = false
  /// Whether the scales of a weight's channels are all the same, and it is told once.
  public var hasOneScalePerTensor = false

  public init() {}
}
