internal import Blocks
internal import ONNX
internal import Proof
internal import Reparameterization
internal import Tensors

/// A part of an ONNX graph that is one convolution: a `Conv` or `Gemm` node alone, or several with what
/// stands between and behind them, as long as it is linear. A linear layer counts as a convolution of 1x1.
struct ONNXLayer {
  /// What it computes.
  var branch: Branch
  /// Of the kernel that it amounts to, OIHW.
  var shape: Shape
  /// The names of its first weight and of the bias, as the file has them.
  var weightName, biasName: Name
  /// The kernel and bias, computed unless they are stored.
  var weight, bias: Tensor
  var weightSteps, biasSteps: StoredSteps?
  /// Of the weight that the file stores.
  var storedType: ElementType
  /// Whether kernel and bias are what the file stores.
  var isStored: Bool
  /// Its nodes, by their places in the file.
  var nodes: Set<Int>

  /// Whether it is more than a convolution with what stands behind it.
  var hasBranches: Bool { branch.all.contains { if case .sum = $0 { true } else { false } } }
  /// Whether a BatchNorm is in it.
  var hasNorms: Bool { !branch.epsilons.isEmpty }
}

extension StoredSteps {
  /// Of numbers that are each multiplied by the factor of its channel, or all by one.
  fileprivate mutating func scale(_ factors: [Double]) {
    guard factors != [1], !sizes.isEmpty else { return }
    let count = max(sizes.count, factors.count)
    guard [1, count].contains(sizes.count), [1, count].contains(factors.count) else { return }
    sizes = (0..<count).map {
      sizes[sizes.count == 1 ? 0 : $0] * factors[factors.count == 1 ? 0 : $0].magnitude
    }
    // A factor of zero leaves no steps, and no rounding.
    sizes = sizes.map { $0 > 0 && $0.isFinite ? $0 : Double.leastNormalMagnitude }
  }

  /// What rounding to either can do to a sum.
  fileprivate static func sum(_ a: StoredSteps?, _ b: StoredSteps?) -> StoredSteps? {
    guard var result = a, let b else { return a ?? b }
    let count = max(result.sizes.count, b.sizes.count)
    let (first, second) = (result.sizes, b.sizes)
    guard [1, count].contains(first.count), [1, count].contains(second.count) else { return a }
    result.sizes = (0..<count).map {
      first[first.count == 1 ? 0 : $0] + second[second.count == 1 ? 0 : $0]
    }
    result.isShifted = result.isShifted || b.isShifted
    return result
  }
}

/// The linear parts of an ONNX graph.
struct ONNXLayers {
  private let file: ONNXFile
  let constants: ONNXConstants
  /// Values by the one that they are but for rounding, or for a change of type.
  private var origins: [Name: Name] = [:]
  /// How many nodes take a value, or one that it is the origin of.
  private var uses: [Name: Int] = [:]
  /// Of the nodes that values come from.
  private var places: [Name: Int] = [:]

  init(_ file: ONNXFile) throws(ReadError) {
    self.file = file
    constants = ONNXConstants(file)
    for (index, node) in file.nodes.enumerated() {
      if let output = node.outputs.first { places[output] = index }
      if let origin = try passed(by: node), let output = node.outputs.first {
        origins[output] = self.origin(origin)
      } else {
        for input in node.inputs where !input.isEmpty { uses[self.origin(input), default: 0] += 1 }
      }
    }
    for output in file.outputs { uses[origin(output.name), default: 0] += 1 }
  }

  private func origin(_ value: Name) -> Name { origins[value] ?? value }

  /// The value that a node hands on.
  private func passed(by node: ONNXFile.Node) throws(ReadError) -> Name? {
    switch node.operation {
    case "Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear":
      node.input(0)
    case "Dropout": try isTraining(node) ? nil : node.input(0)
    case "Add":
      // A sum that began with nothing.
      try constants.vector(node.input(1))?.tensor.doubles() == [0] ? node.input(0) : nil
    default: nil
    }
  }

  /// Whether a node computes something else in training than in use, and is set to the former.
  func isTraining(_ node: ONNXFile.Node) throws(ReadError) -> Bool {
    switch node.operation {
    // Before operator set 14 the outputs say it, before 7 an attribute that is 0.
    case "BatchNormalization":
      node.integer("training_mode", default: 0) != 0
        || file.operatorSet < 14 && node.outputs.dropFirst().contains { !$0.isEmpty }
        || file.operatorSet < 7 && node.integer("is_test", default: 0) == 0
    case "Dropout": try constants.isTrue(node.input(2))
    case "ReduceMean":
      // Statistics of the batch.
      (try constants.integers(node.input(1)) ?? node.integers("axes") ?? []).contains(0)
    default: false
    }
  }

  // MARK: Regions

  /// A way from one value to another that is linear.
  private struct Region {
    var source: Name
    var branch: Branch
    var nodes: Set<Int>
    var stride: [Int] = [1, 1]
    /// Whether kernels are padded such that their centres stand on top of each other.
    var isCentred = true
    var first: (weight: ONNXConstants.Constant, bias: ONNXConstants.Constant?)?
    /// Whether there is nothing but the convolution and its bias.
    var isPlain = false
    /// What steps of weights and of biases amount to in those of the whole.
    var weightSteps, biasSteps: StoredSteps?

    /// With every output channel times its own factor.
    mutating func scale(_ factors: [Double]) {
      weightSteps?.scale(factors)
      biasSteps?.scale(factors)
    }
  }

  /// Regions that end in the same value, the shortest first, are not looked at beyond these.
  private static let limit = 6
  /// Nodes of one region: the largest block there is, of a dozen branches with a BatchNorm each, has some forty.
  private static let maximumNodes = 96

  /// The linear parts, each as large as it can be, in the order of their last nodes.
  ///
  /// - Parameters:
  ///   - joins: whether layers side by side that are added are one.
  ///   - absorbs: whether factors, constants and BatchNorms around a layer are part of it.
  func layers(joining joins: Bool, absorbing absorbs: Bool = true) throws -> [ONNXLayer] {
    var regions: [Name: [Region]] = [:]
    var order: [Name: Int] = [:]
    for (index, node) in file.nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { order[output] = index }
      guard let output = node.outputs.first, origins[output] == nil else { continue }
      regions[output] =
        absorbs
        ? try self.regions(of: node, index, regions, order, joins: joins)
          .filter { $0.nodes.count <= ONNXLayers.maximumNodes }
        : try convolution(node, index).map { [$0.1] } ?? []
    }
    // The largest first; what is in one is in no other.
    var layers: [(last: Int, ONNXLayer)] = []
    var covered: Set<Int> = []
    for (index, node) in file.nodes.enumerated().reversed() {
      guard !covered.contains(index), let output = node.outputs.first,
        let region = regions[output]?.first(where: { $0.first != nil }),
        covered.isDisjoint(with: region.nodes), let layer = try layer(region)
      else { continue }
      covered.formUnion(region.nodes)
      layers.append((region.nodes.min()!, layer))
    }
    return layers.sorted { $0.last < $1.last }.map(\.1)
  }

  /// The regions that end in a node's value.
  private func regions(
    of node: ONNXFile.Node, _ index: Int, _ known: [Name: [Region]], _ order: [Name: Int],
    joins: Bool
  ) throws(ReadError) -> [Region] {
    func before(_ value: Name) -> [Region] {
      let value = origin(value)
      return uses[value] == 1 ? known[value] ?? [] : []
    }
    /// Those before, and none at all, with something done to them.
    func extended(
      _ value: Name, by factors: [Double] = [1], _ change: (Branch) -> Branch
    ) -> [Region] {
      let none = Region(source: origin(value), branch: .identity, nodes: [])
      return ([none] + before(value)).prefix(ONNXLayers.limit).map { region in
        var region = region
        region.branch = change(region.branch)
        region.nodes.insert(index)
        region.isPlain = false
        region.scale(factors)
        return region
      }
    }
    if let (input, layer) = try convolution(node, index) {
      let longer = before(input).filter {
        $0.stride == [1, 1] && $0.isCentred && layer.isCentred
      }
      let chains = longer.map { region in
        var chain = layer
        chain.source = region.source
        chain.branch = region.branch.then(layer.branch)
        chain.nodes.formUnion(region.nodes)
        chain.isPlain = false
        (chain.weightSteps, chain.biasSteps) = (nil, nil)
        return chain
      }
      return [layer] + chains.prefix(ONNXLayers.limit - 1)
    }
    guard node.domain.isEmpty else { return [] }
    switch node.operation {
    case "BatchNormalization":
      guard let input = node.input(0), let norm = try batchNorm(node) else { return [] }
      let inverses = norm.runningVariance.map { 1 / ($0 + norm.epsilon).squareRoot() }
      var regions = extended(input, by: zip(norm.gamma, inverses).map { $0 * $1 }) {
        $0.normalized(by: norm)
      }
      // Of an identity, gamma is the weight.
      regions[0].weightSteps = try constants.vector(node.input(1))?.steps
      regions[0].weightSteps?.scale(inverses)
      regions[0].biasSteps = try constants.vector(node.input(2))?.steps
      return regions
    case "Mul", "Div", "Add", "Sub":
      guard let a = node.input(0), let b = node.input(1) else { return [] }
      return try combined(node, index, a, b, known, order, joins: joins, extended)
    default: return []
    }
  }

  private func combined(
    _ node: ONNXFile.Node, _ index: Int, _ a: Name, _ b: Name, _ known: [Name: [Region]],
    _ order: [Name: Int], joins: Bool,
    _ extended: (Name, [Double], (Branch) -> Branch) -> [Region]
  ) throws(ReadError) -> [Region] {
    let isCommutative = node.operation == "Mul" || node.operation == "Add"
    var (value, constant) = (a, try constants.vector(b))
    if constant == nil, isCommutative { (value, constant) = (b, try constants.vector(a)) }
    if let constant {
      let count = constant.tensor.shape.elementCount
      let numbers = try constant.tensor.doubles()
      switch node.operation {
      case "Mul": return extended(value, numbers) { $0.scaled(by: constant.tensor) }
      case "Div":
        guard count == 1, numbers[0] != 0 else { return [] }
        return extended(value, [1 / numbers[0]]) { $0.scaled(by: 1 / numbers[0]) }
      case "Add":
        return extended(value, [1]) { $0.shifted(by: constant.tensor) }
          .map { region in
            // A bias that is a node of its own.
            var result = region
            if case .shifted(.convolution(let weight, nil), _) = region.branch,
              count == weight.shape[0], var first = region.first
            {
              first.bias = constant
              result.biasSteps = constant.steps
              result.first = first
              result.branch = .convolution(weight, bias: constant.tensor)
              result.isPlain = true
            }
            return result
          }
      default: return []
      }
    }
    if node.operation == "Mul", let region = try dequantized(node, index, known) { return [region] }
    guard joins, node.operation == "Add" || node.operation == "Sub", origin(a) != origin(b) else {
      return []
    }
    let sign = node.operation == "Sub" ? -1.0 : 1
    func all(_ value: Name) -> [Region] { extended(value, [1]) { $0 } }
    var sums: [(order: Int, region: Region)] = []
    for first in all(a) {
      for second in all(b)
      where first.source == second.source && first.stride == second.stride
        && first.isCentred && second.isCentred && (first.first ?? second.first) != nil
      {
        var sum = first
        sum.branch = first.branch + (sign < 0 ? second.branch.scaled(by: sign) : second.branch)
        sum.nodes.formUnion(second.nodes)
        sum.first = first.first ?? second.first
        sum.weightSteps = StoredSteps.sum(first.weightSteps, second.weightSteps)
        sum.biasSteps = StoredSteps.sum(first.biasSteps, second.biasSteps)
        // Beside an identity or another branch, the whole may be any number of one's steps.
        sum.weightSteps?.count = 0x1p16
        sums.append((order[first.source] ?? -1, sum))
      }
    }
    return sums.sorted { $0.order > $1.order }.prefix(ONNXLayers.limit).map(\.region)
  }

  /// `ConvInteger` gives whole numbers; what they are multiplied by is the scale of the input, known when
  /// it is there, times that of the weight.
  private func dequantized(
    _ node: ONNXFile.Node, _ index: Int, _ known: [Name: [Region]]
  ) throws(ReadError) -> Region? {
    for (value, factor) in [(node.input(0)!, node.input(1)!), (node.input(1)!, node.input(0)!)] {
      guard let producer = constants.producer(of: origin(value)),
        ["ConvInteger", "MatMulInteger"].contains(producer.operation),
        let product = constants.producer(of: factor), product.operation == "Mul",
        let scale = [product.input(0), product.input(1)].first(where: { name in
          (try? constants.vector(name)) != nil
        }).flatMap({ $0 }),
        let input = producer.input(0),
        let place = producer.outputs.first.flatMap({ places[$0] }),
        let weight = try constants.inSteps(
          producer.input(1), scale: scale, zero: producer.input(3),
          axis: producer.operation == "ConvInteger" ? 0 : 1)
      else { continue }
      if producer.operation == "ConvInteger" {
        return try region(producer, place, input, weight, nil).map { region in
          var region = region
          region.nodes.insert(index)
          return region
        }
      }
      return matrix(weight, nil, from: input, place, isTransposed: false).map { region in
        var region = region
        region.nodes.insert(index)
        return region
      }
    }
    return nil
  }

  // MARK: Nodes

  /// A node that is a convolution or a linear layer, with its constants.
  private func convolution(
    _ node: ONNXFile.Node, _ index: Int
  ) throws(ReadError) -> (input: Name, Region)? {
    guard let input = node.input(0) else { return nil }
    switch (node.domain, node.operation) {
    case ("", "Conv"):
      guard let weight = try constants.constant(node.input(1)) else { return nil }
      let bias = try constants.bias(node.input(2), weight.tensor.shape.dimensions.first ?? 0)
      guard node.input(2) == nil || bias != nil else { return nil }
      return try region(node, index, input, weight, bias).map { (input, $0) }
    case ("", "QLinearConv"):
      guard
        let weight = try constants.inSteps(
          node.input(3), scale: node.input(4), zero: node.input(5), axis: 0)
      else { return nil }
      let bias = try constants.inSteps(
        node.input(8), scale: node.input(4), axis: 0, times: node.input(1))
      guard node.input(8) == nil || bias != nil else { return nil }
      return try region(node, index, input, weight, bias).map { (input, $0) }
    case ("", "Gemm"):
      guard let weight = try constants.constant(node.input(1)),
        node.integer("transA", default: 0) == 0, node.float("alpha", default: 1) == 1,
        node.float("beta", default: 1) == 1
      else { return nil }
      let bias = try constants.vector(node.input(2))
      guard node.input(2) == nil || bias != nil else { return nil }
      return matrix(
        weight, bias, from: input, index, isTransposed: node.integer("transB", default: 0) != 0
      ).map { (input, $0) }
    case ("", "MatMul"):
      guard let weight = try constants.constant(node.input(1)) else { return nil }
      return matrix(weight, nil, from: input, index, isTransposed: false).map { (input, $0) }
    case ("com.microsoft", "QGemm"):
      let isTransposed = node.integer("transB", default: 0) != 0
      guard
        let weight = try constants.inSteps(
          node.input(3), scale: node.input(4), zero: node.input(5), axis: isTransposed ? 0 : 1)
      else { return nil }
      let bias = try constants.inSteps(
        node.input(6), scale: node.input(4), axis: 0, times: node.input(1))
      guard node.input(6) == nil || bias != nil else { return nil }
      return matrix(weight, bias, from: input, index, isTransposed: isTransposed).map {
        (input, $0)
      }
    case ("", "QLinearMatMul"):
      guard
        let weight = try constants.inSteps(
          node.input(3), scale: node.input(4), zero: node.input(5), axis: 1)
      else { return nil }
      return matrix(weight, nil, from: input, index, isTransposed: false).map { (input, $0) }
    default: return nil
    }
  }

  /// How many convolutions and linear layers take weights or biases that other nodes compute.
  func unreadCount() throws(ReadError) -> Int {
    var count = 0
    for (index, node) in file.nodes.enumerated()
    where ["Conv", "QLinearConv", "Gemm", "QGemm"].contains(node.operation) {
      if try convolution(node, index) == nil { count += 1 }
    }
    return count
  }

  private func region(
    _ node: ONNXFile.Node, _ index: Int, _ input: Name, _ weight: ONNXConstants.Constant,
    _ bias: ONNXConstants.Constant?
  ) throws(ReadError) -> Region? {
    let shape = weight.tensor.shape
    guard shape.rank == 4, shape.elementCount > 0,
      bias.map({ $0.tensor.shape == [shape[0]] }) ?? true
    else { return nil }
    let stride = node.integers("strides") ?? [1, 1]
    let dilation = node.integers("dilations") ?? [1, 1]
    let pads = node.integers("pads") ?? [0, 0, 0, 0]
    guard stride.count == 2, dilation.count == 2, pads.count == 4, dilation[0] == dilation[1],
      (1...Int(Int32.max)).contains(dilation[0])
    else { return nil }
    var branch = Branch.convolution(weight.tensor, bias: bias?.tensor)
    var isPlain = true
    if dilation[0] != 1 {
      guard max(shape[2], shape[3]) * dilation[0] < 1 << 10 else { return nil }
      branch = branch.dilated(by: dilation[0])
      isPlain = false
    }
    let middle = [2, 3, 2, 3].map { (shape[$0] - 1) * dilation[0] / 2 }
    return Region(
      source: origin(input), branch: branch, nodes: [index], stride: stride,
      isCentred: pads == middle || ["SAME_UPPER", "SAME_LOWER"].contains(node.string("auto_pad")),
      first: (weight, bias), isPlain: isPlain, weightSteps: weight.steps, biasSteps: bias?.steps)
  }

  private func matrix(
    _ weight: ONNXConstants.Constant, _ bias: ONNXConstants.Constant?, from input: Name,
    _ index: Int, isTransposed: Bool
  ) -> Region? {
    var weight = weight
    guard weight.tensor.shape.rank == 2, weight.tensor.shape.elementCount > 0,
      !weight.tensor.isReshaped
    else { return nil }
    if !isTransposed {
      weight.tensor = weight.tensor.transposed([1, 0])
      // Steps of columns are those of outputs now; others are taken for the largest.
      if var steps = weight.steps {
        let outputs = weight.tensor.shape[0]
        if steps.sizes.count != outputs || Set(steps.sizes).count > 1 {
          steps.sizes = [Double](repeating: steps.sizes.max()!, count: outputs)
        }
        weight.steps = steps
      }
    }
    weight.tensor = weight.tensor.asKernel
    guard bias.map({ $0.tensor.shape == [weight.tensor.shape[0]] }) ?? true else { return nil }
    return Region(
      source: origin(input), branch: .convolution(weight.tensor, bias: bias?.tensor),
      nodes: [index], first: (weight, bias), isPlain: true, weightSteps: weight.steps,
      biasSteps: bias?.steps)
  }

  private func batchNorm(_ node: ONNXFile.Node) throws(ReadError) -> BatchNorm? {
    var vectors: [[Double]] = []
    for place in 1...4 {
      guard let constant = try constants.vector(node.input(place)) else { return nil }
      vectors.append(try constant.tensor.doubles())
    }
    guard Set(vectors.map(\.count)).count == 1 else { return nil }
    let norm = BatchNorm(
      gamma: vectors[0], beta: vectors[1], runningMean: vectors[2], runningVariance: vectors[3],
      epsilon: Double(node.float("epsilon", default: 1e-5)))
    return norm.firstInvalidChannel == nil ? norm : nil
  }

  /// - Returns: nil if the parts of the region do not go together.
  private func layer(_ region: Region) throws -> ONNXLayer? {
    let first = region.first!
    let kernel: Kernel
    do { kernel = try Kernel(region.branch) } catch is KernelProblem { return nil }
    let place = file.location
    var layer = ONNXLayer(
      branch: region.branch, shape: kernel.shape, weightName: first.weight.name,
      biasName: first.bias?.name ?? "no bias", weight: first.weight.tensor,
      bias: first.weight.tensor, storedType: first.weight.storedType, isStored: region.isPlain,
      nodes: region.nodes)
    (layer.weightSteps, layer.biasSteps) = (region.weightSteps, region.biasSteps)
    if region.isPlain {
      layer.bias =
        try first.bias?.tensor
        ?? Tensor(
          float32: [Float](repeating: 0, count: kernel.shape[0]), shape: [kernel.shape[0]],
          name: first.weight.name)
    } else {
      layer.weight = try Tensor(
        computing: FusedWeights(kernel), as: .float32, shape: kernel.shape, at: place,
        name: first.weight.name)
      layer.bias = try Tensor(
        computing: FusedBias(kernel), as: .float32, shape: [kernel.shape[0]], at: place,
        name: layer.biasName)
    }
    return layer
  }
}
