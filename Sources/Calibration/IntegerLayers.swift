internal import Checkpoints
internal import Graphs
internal import Tensors

/// A convolution or linear layer, and the values that it computes between.
struct IntegerLayer {
  /// Of the graph.
  var node: Int
  /// Tensors.
  var weight: Int
  var bias: Int?
  /// The value that it takes.
  var input: Int
  /// The value that is rounded behind it: its own or, if only a ReLU takes that, the ReLU's. Nil for the
  /// matrix that gives the network's result, which stays as it is.
  var output: Int?
}

extension Graph {
  /// Those that can compute in integers, in order.
  var integerLayers: [IntegerLayer] {
    var users = [[Int]](repeating: [], count: nodes.count + 1)
    for (index, node) in nodes.enumerated() {
      for value in node.inputs { users[value].append(index) }
    }
    return nodes.enumerated().compactMap { index, node in
      guard node.kind == .convolution || node.kind == .linear else { return nil }
      var output: Int? = index + 1
      // Runtimes leave out what the range of the steps cuts off anyway.
      if users[index + 1].count == 1, [.relu, .relu6].contains(nodes[users[index + 1][0]].kind) {
        output = users[index + 1][0] + 1
      }
      if index + 1 == result, node.kind == .linear { output = nil }
      return IntegerLayer(
        node: index, weight: node.operand("weight")!, bias: node.operand("bias"),
        input: node.inputs[0], output: output)
    }
  }

  /// For each value the last node that takes it.
  var lastUses: [Int] {
    var result = [Int](repeating: -1, count: nodes.count + 1)
    for (index, node) in nodes.enumerated() {
      for value in node.inputs { result[value] = index }
    }
    return result
  }
}

extension IntegerArithmetic.Steps {
  /// Steps that reach over a range and 0.
  ///
  /// - Parameters:
  ///   - bounds: finite.
  ///   - margin: what they are multiplied by.
  init(of bounds: ClosedRange<Float>, margin: Double, for target: IntegerTarget) {
    let least = min(0, Double(bounds.lowerBound) * margin)
    let largest = max(0, Double(bounds.upperBound) * margin)
    func scale(_ width: Double, _ steps: Double) -> Float {
      // Of nothing but zeros any scale will do.
      width > 0 ? max(Float(width / steps), .leastNormalMagnitude) : 1
    }
    switch target {
    case .tensorrt:
      self.init(scale: scale(max(-least, largest), 127), zeroPoint: 0, isSigned: true)
    case .cpu:
      let scale = scale(largest - least, 255)
      let zero = (-least / Double(scale)).rounded(.toNearestOrEven)
      self.init(scale: scale, zeroPoint: Int(max(0, min(255, zero))), isSigned: false)
    }
  }
}
