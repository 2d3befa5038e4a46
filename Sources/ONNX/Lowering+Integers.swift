internal import Checkpoints
internal import Graphs
internal import Tensors

// What a network that computes in int8 has beside its operations: values between QuantizeLinear and
// DequantizeLinear, which runtimes put together with the operations between them.
extension Lowering {
  /// The value rounded to its steps, if it has some.
  ///
  /// - Parameter owner: the block it belongs to.
  mutating func inSteps(_ value: Name, of index: Int, owner: Name?) -> Name {
    guard let steps = integers.values[index] else { return value }
    let scale = scale(steps.scale)
    let zero = zeroPoint(steps)
    let rounded = append("QuantizeLinear", [value, scale, zero], attributes: [:], of: owner)
    return append("DequantizeLinear", [rounded, scale, zero], attributes: [:], of: owner)
  }

  /// The bias of the node's layer: in steps, if the layer computes in integers and its bias does as well.
  ///
  /// - Returns: nil if the node has none.
  mutating func bias() throws -> Name? {
    guard let weight = node.operand("weight"), integers.hasIntegerBiases,
      let input = integers.values[node.inputs[0]]
    else { return tensor("bias") }
    guard let weightScales = tensors[weight].scales else { return try biasOfFloats() }
    guard let index = node.operand("bias") else { return nil }
    return try bias(
      index, try tensors[index].floats(), weightScales.map { $0 * input.scale }, input.scale)
  }

  /// The bias of a layer that stays in floating-point numbers between values in steps.
  ///
  /// ONNX Runtime rounds weights between such values to steps of its own, one scale for a whole weight, if
  /// it finds weight and bias as initializers (`WeightBiasQuantization`); so the bias is none, but 2^30 steps of its
  /// largest number, or zeros.
  private mutating func biasOfFloats() throws -> Name {
    let channels = shape("weight")[0]
    let index = node.operand("bias")
    let numbers =
      try index.map { try tensors[$0].floats() } ?? [Float](repeating: 0, count: channels)
    let largest = numbers.map(\.magnitude).max() ?? 0
    let scale = max(largest * 0x1p-30, .leastNormalMagnitude)
    return try bias(
      index ?? -1 - channels, numbers, [Float](repeating: scale, count: channels), scale)
  }

  private mutating func scale(_ number: Float) -> Name {
    // Safe, as those below: numbers in memory.
    own(.scale(number), named: "scale") {
      try! Tensor(float32: [number], shape: [], name: $0)
    }
  }

  private mutating func zeroPoint(_ steps: IntegerArithmetic.Steps) -> Name {
    own(.zeroPoint(steps.zeroPoint, isSigned: steps.isSigned), named: "zero_point") {
      try! steps.isSigned
        ? Tensor(.int8, [Int8(steps.zeroPoint)], shape: [], name: $0)
        : Tensor(.uint8, [UInt8(steps.zeroPoint)], shape: [], name: $0)
    }
  }

  /// The nearest steps of scales, one for each channel.
  ///
  /// - Parameters:
  ///   - index: of the tensor, or what stands for none.
  ///   - scale: what tells them apart from others of the same tensor.
  private mutating func bias(
    _ index: Int, _ numbers: [Float], _ scales: [Float], _ scale: Float
  ) throws -> Name {
    let steps = zip(numbers, scales).map { number, scale -> Int32 in
      let step = (Double(number) / Double(scale)).rounded(.toNearestOrEven)
      return step.isNaN ? 0 : Int32(max(Double(Int32.min), min(Double(Int32.max), step)))
    }
    let name = index < 0 ? "zeros" : tensors[index].name
    let rounded = own(.bias(index, scale), named: name) {
      try! Tensor(.int32, steps, shape: [steps.count], name: $0)
    }
    let isOne = Set(scales).count == 1
    let scaleName = own(.biasScale(index, scale), named: "\(name)_scale") {
      try! isOne
        ? Tensor(float32: [scales[0]], shape: [], name: $0)
        : Tensor(float32: scales, shape: [scales.count], name: $0)
    }
    return append(
      "DequantizeLinear", [rounded, scaleName],
      attributes: isOne ? [:] : ["axis": .integer(0)], of: name)
  }
}

extension OutputTensor {
  /// All elements of a float32 tensor.
  fileprivate func floats() throws -> [Float] {
    precondition(elementType == .float32)
    var workspace = Workspace()
    var numbers = [Float](repeating: 0, count: shape.elementCount)
    let contents = contents
    let count = numbers.count
    try unsafe numbers.withUnsafeMutableBytes { bytes in
      try unsafe contents.read(0..<count, into: bytes, workspace: &workspace)
    }
    return numbers
  }
}
