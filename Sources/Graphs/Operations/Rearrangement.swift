extension NodeKind {
  /// All inputs' channels, one input's after the other's.
  public static let concatenate = NodeKind("concatenate", inputs: 2...Int.max) {
    (check) throws(GraphProblem) in
    var result = try check.map()
    for input in check.inputs.indices.dropFirst() {
      let next = try check.map(input)
      func common(_ a: Int?, _ b: Int?) throws(GraphProblem) -> Int? {
        try check.require(
          a == nil || b == nil || a == b, "inputs", "values of one height and width",
          "\(check.inputs[0]) and \(check.inputs[input])")
        return a ?? b
      }
      result = (
        channels: try check.sum(result.channels, next.channels),
        height: try common(result.height, next.height), width: try common(result.width, next.width)
      )
    }
    return .map(channels: result.channels, height: result.height, width: result.width)
  }

  /// All numbers of an image in the order of channels, rows and columns.
  public static let flatten = NodeKind("flatten") { (check) throws(GraphProblem) in
    let (channels, height, width) = try check.map()
    return .vector(channels: try check.product(channels, check.product(height, width)))
  }

  /// Repeats every row and every column `factor` times.
  public static let upsampleNearest = NodeKind(
    "upsample-nearest", attributes: [.pair("factor", from: 1)]
  ) { (check) throws(GraphProblem) in
    let (channels, height, width) = try check.map()
    let factor = check.attributes[0]
    return .map(
      channels: channels, height: try check.product(height, factor[0]),
      width: try check.product(width, factor[1]))
  }

  /// Lays `factor`² channels out as the pixels of a square.
  public static let pixelShuffle = NodeKind(
    "pixel-shuffle", attributes: [.single("factor", from: 1)]
  ) { (check) throws(GraphProblem) in
    let (channels, height, width) = try check.map()
    let factor = check.attributes[0][0]
    let square = try check.product(factor, factor)!
    try check.require(
      channels.map { $0.isMultiple(of: square) } ?? true, "factor",
      "one whose square divides the \(channels ?? 0) channels", "\(factor)")
    return .map(
      channels: channels.map { $0 / square }, height: try check.product(height, factor),
      width: try check.product(width, factor))
  }
}
