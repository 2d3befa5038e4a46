internal import Graphs
internal import Reparameterization
internal import Tensors

/// The same network with the ranges of channels evened out between layers that follow each other, so that one
/// scale does for all channels of a weight (Nagel et al. 2019, arXiv:1906.04721, 4.1): what a channel is
/// divided by in the one, it is multiplied by in the other; a ReLU between them does not mind.
func equalized(_ tensors: [DeployTensor], of graph: Graph) throws -> [DeployTensor] {
  let pairs = graph.equalizablePairs
  var numbers: [Int: [Double]] = [:]
  for tensor in Set(pairs.flatMap { [$0.first.weight, $0.first.bias, $0.second.weight] }) {
    guard let tensor else { continue }
    numbers[tensor] = try tensors[tensor].doubles()
  }
  // Ranges settle in a few.
  let sweeps = 20
  for _ in 0..<sweeps {
    for (first, second) in pairs {
      let (node, shape) = (graph.nodes[second.node], tensors[second.weight].shape)
      equalize(
        first, second, groups: node.kind == .convolution ? node.attribute("groups")[0] : 1,
        inputsPerGroup: shape[1], taps: shape.dimensions.dropFirst(2).reduce(1, *), &numbers)
    }
  }
  var result = tensors
  for (tensor, numbers) in numbers {
    let shape = tensors[tensor].shape
    result[tensor].contents = .numbers(
      try Tensor(float64: numbers, shape: shape, name: "equalised weights"))
  }
  return result
}

/// - Parameters:
///   - groups: of the second layer.
///   - taps: of its kernel.
private func equalize(
  _ first: IntegerLayer, _ second: IntegerLayer, groups: Int, inputsPerGroup inputs: Int,
  taps: Int, _ numbers: inout [Int: [Double]]
) {
  // Taken out while they are changed, so that they are not copied.
  var a = numbers.removeValue(forKey: first.weight)!
  var b = numbers.removeValue(forKey: second.weight)!
  var bias = first.bias.map { numbers.removeValue(forKey: $0)! }
  let channels = groups * inputs
  let run = a.count / channels
  let groupSize = b.count / groups
  for channel in 0..<channels {
    let (group, input) = channel.quotientAndRemainder(dividingBy: inputs)
    let own = channel * run..<(channel + 1) * run
    // Of each output channel of the group, the kernel that this channel goes through.
    let starts = stride(
      from: group * groupSize + input * taps, to: (group + 1) * groupSize, by: inputs * taps)
    var (largestFirst, largestSecond) = (0.0, 0.0)
    for index in own { largestFirst = max(largestFirst, a[index].magnitude) }
    for start in starts {
      for index in start..<start + taps { largestSecond = max(largestSecond, b[index].magnitude) }
    }
    let factor = (largestFirst / largestSecond).squareRoot()
    // Of a channel without weights there is nothing to even out.
    guard factor.isNormal else { continue }
    for index in own { a[index] /= factor }
    bias?[channel] /= factor
    for start in starts {
      for index in start..<start + taps { b[index] *= factor }
    }
  }
  numbers[first.weight] = a
  numbers[second.weight] = b
  if let tensor = first.bias { numbers[tensor] = bias }
}

extension Graph {
  /// Layers, and those that alone take their channels, with nothing between that would notice a factor.
  fileprivate var equalizablePairs: [(first: IntegerLayer, second: IntegerLayer)] {
    let layers = integerLayers
    var users = [[Int]](repeating: [], count: nodes.count + 1)
    var tensorUses: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for value in node.inputs { users[value].append(index) }
      for tensor in node.operands.compactMap(\.self) { tensorUses[tensor, default: 0] += 1 }
    }
    let byNode = Dictionary(uniqueKeysWithValues: layers.map { ($0.node, $0) })
    let isHomogeneous: Set<NodeKind> = [
      .relu, .prelu, .maxPool, .averagePool, .globalAveragePool, .flatten,
    ]
    return layers.compactMap { first in
      var value = first.node + 1
      var isOnePosition = false
      while users[value].count == 1 {
        let next = users[value][0]
        let kind = nodes[next].kind
        if let second = byNode[next] {
          let own = [first.weight, first.bias, second.weight].compactMap(\.self)
          return own.allSatisfy { tensorUses[$0] == 1 } ? (first, second) : nil
        }
        // Of more positions than one, it makes channels of them.
        guard isHomogeneous.contains(kind), kind != .flatten || isOnePosition else { return nil }
        isOnePosition = kind == .globalAveragePool || isOnePosition
        value = next + 1
      }
      return nil
    }
  }
}
