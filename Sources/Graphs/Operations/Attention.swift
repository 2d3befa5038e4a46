extension NodeKind {
  /// Attention of every position to all, head by head, of queries, keys and values that lie one after the
  /// other in the channels (arXiv:1706.03762, 3.2).
  public static let attention = NodeKind("attention", attributes: [.single("heads", from: 1)]) {
    (check) throws(GraphProblem) in
    let (channels, height, width) = try check.map()
    let heads = check.attributes[0][0]
    guard let channels else { return .map(channels: nil, height: height, width: width) }
    try check.require(
      channels.isMultiple(of: 3 * heads), "heads",
      "a number that divides a third of the \(channels) channels", "\(heads)")
    return .map(channels: channels / 3, height: height, width: width)
  }
}
