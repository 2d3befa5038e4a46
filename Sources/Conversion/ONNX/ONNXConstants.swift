internal import ONNX
internal import Proof
internal import Tensors

/// What of an ONNX file's values does not depend on the input, as far as weights go through it: tensors,
/// turned, reshaped, or in steps.
struct ONNXConstants {
  /// A tensor of numbers.
  struct Constant {
    /// The name of the stored tensor.
    var name: Name
    /// Of a weight type; computed where it is stored in steps.
    var tensor: Tensor
    /// Along the first axis, if it is stored in steps.
    var steps: StoredSteps?
    /// Of what the file stores.
    var storedType: ElementType
  }

  private let stored: [Name: ONNXFile.StoredTensor]
  private let producers: [Name: ONNXFile.Node]

  /// Nodes between a stored tensor and the layer that takes it.
  private static let maximumDepth = 8

  init(_ file: ONNXFile) {
    var stored: [Name: ONNXFile.StoredTensor] = [:]
    var producers: [Name: ONNXFile.Node] = [:]
    for tensor in file.initializers { stored[tensor.name] = tensor }
    for node in file.nodes {
      for output in node.outputs where !output.isEmpty { producers[output] = node }
      if node.operation == "Constant", let output = node.outputs.first {
        switch node.attributes["value"] {
        case .tensor(var tensor)?:
          tensor.name = output
          stored[output] = tensor
        default: break
        }
      }
    }
    self.stored = stored
    self.producers = producers
  }

  /// The node that a value comes from; nil of inputs and initializers.
  func producer(of value: Name) -> ONNXFile.Node? { producers[value] }

  /// The numbers that a value is, if it is constant; of integers those of their steps.
  func constant(_ value: Name?, depth: Int = 0) throws(ReadError) -> Constant? {
    guard let value, depth < ONNXConstants.maximumDepth else { return nil }
    if let stored = stored[value] {
      guard let tensor = stored.tensor, tensor.isWeight else { return nil }
      return Constant(name: value, tensor: tensor, storedType: tensor.elementType)
    }
    guard let node = producers[value], node.domain.isEmpty || node.domain == "com.microsoft" else {
      return nil
    }
    if node.operation == "DequantizeLinear" {
      guard node.integer("block_size", default: 0) == 0 else { return nil }
      // Weights that become steps only when the file is loaded.
      if let input = node.input(0), let rounding = producers[input],
        rounding.operation == "QuantizeLinear"
      {
        return try constant(rounding.input(0), depth: depth + 1)
      }
      return try inSteps(
        node.input(0), scale: node.input(1), zero: node.input(2),
        axis: node.integer("axis", default: 1))
    }
    guard
      ["Identity", "Cast", "CastLike", "Expand", "Transpose", "Reshape", "Unsqueeze", "Squeeze"]
        .contains(node.operation),
      var constant = try constant(node.input(0), depth: depth + 1)
    else { return nil }
    switch node.operation {
    case "Expand":
      // Of one number, which is then that of all channels.
      guard constant.tensor.shape.elementCount == 1 else { return nil }
    case "Transpose":
      let rank = constant.tensor.shape.rank
      let order = node.integers("perm") ?? Array((0..<rank).reversed())
      guard order.sorted() == Array(0..<rank), !constant.tensor.isReshaped else { return nil }
      // Steps are those of the first axis.
      guard constant.steps == nil || order.first == 0 else { return nil }
      constant.tensor = constant.tensor.transposed(order)
    case "Reshape", "Unsqueeze", "Squeeze":
      // Of vectors only, whose elements stay what they are.
      let sizes = constant.tensor.shape.dimensions.filter { $0 != 1 }
      guard sizes.count <= 1 else { return nil }
      constant.tensor = constant.tensor.reshaped(to: [constant.tensor.shape.elementCount])
    default: break
    }
    return constant
  }

  /// A vector of as many numbers as there are channels, whatever axes of one stand beside it.
  func vector(_ value: Name?) throws(ReadError) -> Constant? {
    guard var constant = try constant(value),
      constant.tensor.shape.dimensions.filter({ $0 != 1 }).count <= 1,
      constant.tensor.shape.elementCount > 0
    else { return nil }
    constant.tensor = constant.tensor.reshaped(to: [constant.tensor.shape.elementCount])
    return constant
  }

  /// A vector of so many numbers, or one number for all of them.
  func bias(_ value: Name?, _ channels: Int) throws(ReadError) -> Constant? {
    guard var constant = try vector(value) else { return nil }
    if constant.tensor.shape.elementCount == 1, channels != 1 {
      constant.tensor = try Tensor(
        float64: [Double](repeating: try constant.tensor.doubles()[0], count: channels),
        shape: [channels], name: constant.name)
      constant.steps = nil
    }
    return constant
  }

  /// All integers of a stored tensor, such as a list of axes.
  func integers(_ value: Name?) throws(ReadError) -> [Int]? {
    guard let value, let tensor = stored[value]?.tensor, tensor.elementType == .int64,
      tensor.shape.elementCount <= 64
    else { return nil }
    return try tensor.int64s().map { Int($0) }
  }

  /// Whether a stored tensor is a single boolean that is true.
  func isTrue(_ value: Name?) throws(ReadError) -> Bool {
    guard let value, let tensor = stored[value]?.tensor, tensor.elementType == .bool,
      tensor.shape.elementCount == 1
    else { return false }
    return try tensor.bytes().first != 0
  }

  /// Integers as the numbers that they are steps of: `(q - zero) scale`.
  ///
  /// - Parameters:
  ///   - scale: a value, one number or one for each index along `axis`.
  ///   - zero: as `scale`; zero if nil.
  ///   - factor: another scale, of one number: that of the input, for biases.
  func inSteps(
    _ value: Name?, scale: Name?, zero: Name? = nil, axis: Int, times factor: Name? = nil
  ) throws(ReadError) -> Constant? {
    guard let value, let integers = stored[value]?.tensor,
      let kind = SteppedNumbers.Kind(integers.elementType),
      let scales = try vector(scale)?.tensor.doubles(), integers.shape.elementCount > 0
    else { return nil }
    let outer = try factor.map { (name) throws(ReadError) in try vector(name)?.tensor.doubles() }
    if factor != nil, outer??.count != 1 { return nil }
    let sizes = scales.map { $0 * (outer??[0] ?? 1) }
    var zeros = [0]
    if let zero {
      guard let tensor = stored[zero]?.tensor, tensor.elementType == integers.elementType else {
        return nil
      }
      zeros = try kind.integers(of: tensor, 0..<tensor.shape.elementCount)
    }
    let shape = integers.shape
    let axis = axis < 0 ? axis + shape.rank : axis
    var run = shape.elementCount
    if sizes.count > 1 || zeros.count > 1 {
      guard shape.dimensions.indices.contains(axis), shape[axis] == max(sizes.count, zeros.count)
      else { return nil }
      run = shape.dimensions[(axis + 1)...].reduce(1, *)
    }
    guard sizes.allSatisfy({ $0 > 0 && $0.isFinite }),
      [1, max(sizes.count, zeros.count)].contains(zeros.count),
      [1, max(sizes.count, zeros.count)].contains(sizes.count)
    else { return nil }
    let numbers = SteppedNumbers(
      integers: integers, kind: kind, sizes: sizes, zeros: zeros, run: run)
    let isAlongFirst = run == shape.dimensions.dropFirst().reduce(1, *)
    let channels = shape.dimensions.first ?? 1
    return Constant(
      name: value,
      tensor: try Tensor(
        computing: numbers, as: NumberFormat(.float64)!, shape: shape,
        at: integers.source.location, name: value),
      steps: StoredSteps(
        sizes: isAlongFirst && sizes.count == channels
          ? sizes : [Double](repeating: sizes.max()!, count: channels),
        count: kind.largest, isShifted: zeros.contains { $0 != 0 },
        elementType: integers.elementType),
      storedType: integers.elementType)
  }
}

/// Integers of a file as the numbers that they are steps of.
private struct SteppedNumbers: NumberSource {
  /// The integer types that weights and biases come in.
  enum Kind {
    case int8, uint8, int32

    init?(_ type: ElementType) {
      switch type {
      case .int8: self = .int8
      case .uint8: self = .uint8
      case .int32: self = .int32
      default: return nil
      }
    }

    /// The most steps to one side of 0.
    var largest: Double {
      switch self {
      case .int8: 128
      case .uint8: 255
      case .int32: 0x1p31
      }
    }

    func integers(of tensor: Tensor, _ range: Range<Int>) throws(ReadError) -> [Int] {
      let size = tensor.elementType.byteCount
      var bytes = [UInt8](repeating: 0, count: range.count * size)
      // Safe: the memory of the array, which is as long as the elements of the range.
      try unsafe bytes.withMutableBytes { (buffer) throws(ReadError) in
        try unsafe tensor.read(range, into: buffer)
      }
      return switch self {
      case .int8: bytes.map { Int(Int8(bitPattern: $0)) }
      case .uint8: bytes.map { Int($0) }
      case .int32:
        stride(from: 0, to: bytes.count, by: 4).map { start in
          Int(
            Int32(
              bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }))
        }
      }
    }
  }

  var integers: Tensor
  var kind: Kind
  /// One, or one for each channel.
  var sizes: [Double]
  /// One, or one for each channel.
  var zeros: [Int]
  /// Elements of a channel that follow each other.
  var run: Int

  var granularity: Int { 1 }
  var pieceBytes: Int { 1 << 20 }

  func compute(_ range: Range<Int>, workspace: inout Workspace) throws(ReadError) {
    workspace.doubles.grow(to: range.count)
    let numbers = try kind.integers(of: integers, range)
    let channels = max(sizes.count, zeros.count)
    for (place, index) in range.enumerated() {
      let channel = index / run % channels
      workspace.doubles[place] =
        Double(numbers[place] - zeros[zeros.count == 1 ? 0 : channel])
        * sizes[sizes.count == 1 ? 0 : channel]
    }
  }
}
