extension NodeKind {
  /// The sum of two values; one may have height and width 1 beside a larger one.
  public static let add = NodeKind("add", inputs: 2...2, shape: broadcast)
  /// The product of two values, with the shapes of `add`.
  public static let multiply = NodeKind("multiply", inputs: 2...2, shape: broadcast)

  /// Both of one shape, or one of them N x C x 1 x 1 and used at every position of the other.
  private static let broadcast: ShapeRule = { (check) throws(GraphProblem) in
    let (a, b) = (check.inputs[0], check.inputs[1])
    func requireFit(_ holds: Bool) throws(GraphProblem) {
      try check.require(
        holds, "inputs", "values of one shape, or one of N x C x 1 x 1", "\(a) and \(b)")
    }
    func agree(_ a: Int?, _ b: Int?) -> Bool { a == nil || b == nil || a == b }
    try requireFit(agree(a.channels, b.channels))
    let channels = a.channels ?? b.channels
    switch (a, b) {
    case (.vector, .vector): return .vector(channels: channels)
    case (.map(_, let height, let width), .map(_, let otherHeight, let otherWidth)):
      func mayBePixel(_ height: Int?, _ width: Int?) -> Bool {
        height ?? 1 == 1 && width ?? 1 == 1
      }
      try requireFit(
        agree(height, otherHeight) && agree(width, otherWidth) || mayBePixel(height, width)
          || mayBePixel(otherHeight, otherWidth))
      /// Where one is 1 or not known, the other may be larger.
      func larger(_ a: Int?, _ b: Int?) -> Int? {
        if let a, let b { return max(a, b) }
        return (a ?? b).flatMap { $0 > 1 ? $0 : nil }
      }
      return .map(
        channels: channels, height: larger(height, otherHeight), width: larger(width, otherWidth))
    default: try check.refuse("inputs", expected: "values of one shape", found: "\(a) and \(b)")
    }
  }

  /// A factor, and a shift if there is one, for each channel or for all: layer scales, and what is left of
  /// a BatchNorm that no convolution takes up.
  public static let scale = NodeKind(
    "scale", operands: [Operand("factor", .vector), Operand("shift", .vector, isOptional: true)]
  ) { (check) throws(GraphProblem) in
    var channels = check.inputs[0].channels
    for operand in 0..<2 { channels = try check.channelVector(operand, channels) }
    return check.inputs[0].with(channels: channels)
  }
}

extension ValueShape {
  func with(channels: Int?) -> ValueShape {
    switch self {
    case .map(_, let height, let width): .map(channels: channels, height: height, width: width)
    case .vector: .vector(channels: channels)
    }
  }
}
