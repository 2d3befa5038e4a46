internal import Blocks
internal import Checkpoints
internal import Naming
internal import ONNX
internal import Proof
internal import Reparameterization
internal import Tensors

/// Which layer of an ONNX graph is which of a training network's deploy form, whatever the file calls them.
struct ONNXMatching {
  /// The deploy form, as far as it was found in the file; parameters have the names that the file gives
  /// them.
  let network: Network
  /// Of parameters that are stored in steps.
  let steps: [Role: StoredSteps]
  /// What reports say of it.
  private(set) var summary: ONNXSummary
  /// The element types of kernels, as the file stores them.
  let kernelTypes: [ElementType]
  /// Names in the training file of what exporters fold into convolutions, so that nothing is left to be
  /// compared.
  let folded: Set<Name>

  /// A layer that the deploy form has.
  private struct Expected {
    /// The path of a block, or the name of a weight.
    var name: Name
    var weight, bias: Role
    var shape: Shape
    /// Of a block.
    var kernel: Kernel?
    /// Of a layer that is no block.
    var tensor: Tensor?
    var hasBias = true

    /// What its weights should be, as a kernel.
    var numbers: any NumberSource { kernel.map { FusedWeights($0) } ?? tensor!.asKernel }
  }

  /// - Throws: `ReadError`.
  init(_ file: ONNXFile, _ checkpoint: Checkpoint, to plan: FusionPlan) throws {
    let parts = try ONNXLayers(file)
    let expected = ONNXMatching.expected(plan)
    // Of a network whose order is known.
    let shapes = (try? plan.structure.get()) == nil ? nil : expected.map(\.shape)
    let bare = try parts.layers(joining: false, absorbing: false)
    let alone = try parts.layers(joining: false)
    var found: [ONNXLayer?]
    var isByOrder = true
    if bare.map(\.shape) == shapes {
      found = try zip(expected, bare).map { expected, layer in
        // What stands behind it may be part of it, or the next of the network's own layers.
        let around = alone.filter {
          !$0.nodes.isDisjoint(with: layer.nodes) && $0.shape == layer.shape
        }
        return try ONNXMatching.nearest(to: expected, [layer] + around)
      }
    } else if alone.map(\.shape) == shapes {
      found = alone
    } else {
      let joined = try parts.layers(joining: true)
      isByOrder = joined.map(\.shape) == shapes
      found = try isByOrder ? joined : ONNXMatching.byValue(expected, joined + alone + bare)
    }

    var parameters: [(role: Role, name: Name, tensor: Tensor)] = []
    var steps: [Role: StoredSteps] = [:]
    var (notCompared, folded): ([Name], Set<Name>) = ([], [])
    for (index, expected) in expected.enumerated() {
      guard let layer = found[index] else { continue }
      // Of a layer outside the blocks, an exporter may have folded the BatchNorm behind it.
      if expected.kernel == nil, !expected.hasBias, layer.biasName != "no bias" || !layer.isStored {
        folded.insert(expected.name)
        notCompared.append(expected.name)
        continue
      }
      func add(_ role: Role, _ name: Name, _ tensor: Tensor, _ sizes: StoredSteps?) {
        parameters.append((role, name, tensor))
        guard var sizes else { return }
        if sizes.sizes.count != expected.shape[0] {
          sizes.sizes = [Double](repeating: sizes.sizes.max()!, count: expected.shape[0])
        }
        steps[role] = sizes
      }
      var weight = layer.weight
      let isMatrix =
        if case .block(let block, _) = expected.weight { block.family.hasMatrices } else {
          expected.tensor?.shape.rank == 2
        }
      if isMatrix { weight = weight.reshaped(to: Shape(Array(expected.shape.dimensions[..<2]))) }
      add(expected.weight, layer.weightName, weight, layer.weightSteps)
      if expected.hasBias {
        add(expected.bias, layer.biasName, layer.bias, layer.biasSteps)
      }
    }
    let layers = Set(expected.flatMap { [$0.weight, $0.bias] })
    for case .pass(let parameter) in plan.steps where !layers.contains(parameter.role) {
      // Under the name that it has there, or that of the family's first project.
      var names = [parameter.originalName]
      if case .other(let name) = parameter.role { names.append(name) }
      let other = try names.lazy.compactMap { try parts.constants.constant($0) }.first {
        $0.tensor.shape.elementCount == parameter.tensor.shape.elementCount
      }
      if let other {
        parameters.append(
          (parameter.role, other.name, other.tensor.reshaped(to: parameter.tensor.shape)))
      } else {
        folded.insert(parameter.originalName)
        // Of these a graph has none.
        if !parameter.originalName.hasSuffix(".num_batches_tracked") {
          notCompared.append(parameter.originalName)
        }
      }
    }
    network = Network(
      deployFormOf: plan.network, path: file.location.path, parameters: parameters,
      stateDict: checkpoint.stateDicts.first ?? StateDict(tensors: []))
    self.steps = steps
    self.folded = folded

    let used = found.compactMap(\.self)
    let nodes = used.reduce(into: Set<Int>()) { $0.formUnion($1.nodes) }
    kernelTypes = Set(used.map(\.storedType)).sorted { $0.rawValue < $1.rawValue }
    summary = ONNXSummary(
      producer: file.producer, operatorSet: file.operatorSet, nodes: file.nodes.count,
      layers: used.count, expectedLayers: expected.count,
      unreadLayers: try parts.unreadCount(), isByOrder: isByOrder,
      unfused: zip(expected, found).filter { $1?.hasBranches == true }.map(\.0.name),
      normsLeft: zip(expected, found).filter { $1?.hasBranches == false && $1!.hasNorms }.map(
        \.0.name),
      training: try ONNXMatching.training(file, parts),
      quantized: zip(expected, found).compactMap { expected, layer in
        layer?.weightSteps.map { steps in
          ONNXSummary.Quantized(
            name: expected.name, type: layer!.storedType,
            isPerChannel: Set(steps.sizes).count > 1, isShifted: steps.isShifted,
            smallest: steps.sizes.min()!, largest: steps.sizes.max()!)
        }
      },
      notCompared: notCompared.sorted(), notRun: ONNXMatching.problem(of: file),
      unexpected: alone.filter { $0.nodes.isDisjoint(with: nodes) }.map(\.weightName))
  }

  /// The layers of the deploy form in the order of the plan.
  private static func expected(_ plan: FusionPlan) -> [Expected] {
    var passed: Set<Role> = []
    for case .pass(let parameter) in plan.steps { passed.insert(parameter.role) }
    return plan.steps.compactMap { step in
      switch step {
      case .fuse(let block):
        return Expected(
          name: block.path, weight: .block(block.address, .fused(.weight)),
          bias: .block(block.address, .fused(.bias)), shape: block.kernel.shape,
          kernel: block.kernel)
      case .pass(let parameter):
        guard let bias = parameter.role.biasBeside, parameter.tensor.isWeight,
          [2, 4].contains(parameter.tensor.shape.rank), parameter.tensor.shape.elementCount > 0
        else { return nil }
        return Expected(
          name: parameter.originalName, weight: parameter.role, bias: bias,
          shape: parameter.tensor.asKernel.shape, tensor: parameter.tensor,
          hasBias: passed.contains(bias))
      }
    }
  }

  /// Rows that are compared: wrong ones are among few.
  private static func rows(_ numbers: any NumberSource, _ shape: Shape) throws(ReadError)
    -> [Double]
  {
    let length = shape.elementCount / shape[0]
    var workspace = Workspace()
    var result: [Double] = []
    for row in Set([0, shape[0] / 2, shape[0] - 1]).sorted() {
      try numbers.compute(row * length..<(row + 1) * length, workspace: &workspace)
      result += workspace.doubles.prefix(length)
    }
    return result
  }

  /// The squares of differences, of those of what is wanted.
  private static func distance(_ wanted: [Double], _ found: [Double]) -> Double {
    let size = wanted.reduce(0) { $0 + $1 * $1 }
    let distance = zip(wanted, found).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return size > 0 ? distance / size : distance
  }

  /// The one of these whose values are nearest to what they should be; the last of several, which
  /// has all that stands around.
  private static func nearest(to expected: Expected, _ layers: [ONNXLayer]) throws -> ONNXLayer {
    guard layers.count > 1 else { return layers[0] }
    let wanted = try rows(expected.numbers, expected.shape)
    let distances = try layers.map { distance(wanted, try rows($0.weight, $0.shape)) }
    return layers[distances.lastIndex(of: distances.min()!)!]
  }

  /// Of layers of one shape, those whose values are nearest to what they should be; what is not near
  /// anything, in the order of the graph.
  private static func byValue(
    _ expected: [Expected], _ layers: [ONNXLayer]
  ) throws -> [ONNXLayer?] {
    let found = try layers.map { try rows($0.weight, $0.shape) }
    var pairs: [(distance: Double, expected: Int, layer: Int)] = []
    for (index, item) in expected.enumerated() {
      let alike = layers.indices.filter { layers[$0].shape == item.shape }
      guard !alike.isEmpty else { continue }
      let wanted = try rows(item.numbers, item.shape)
      for layer in alike {
        pairs.append((distance(wanted, found[layer]), index, layer))
      }
    }
    pairs.sort { ($0.distance, $0.expected, $0.layer) < ($1.distance, $1.expected, $1.layer) }
    var result = [ONNXLayer?](repeating: nil, count: expected.count)
    var taken: Set<Int> = []
    // Half of what there is: two kernels that have nothing to do with each other are twice as far apart.
    func assign(where isNear: (Double) -> Bool, inOrder: Bool) {
      let list =
        inOrder ? pairs.sorted { ($0.expected, $0.layer) < ($1.expected, $1.layer) } : pairs
      for pair in list
      where isNear(pair.distance) && result[pair.expected] == nil
        && taken.isDisjoint(with: layers[pair.layer].nodes)
      {
        result[pair.expected] = layers[pair.layer]
        taken.formUnion(layers[pair.layer].nodes)
      }
    }
    assign(where: { $0 < 0.5 }, inOrder: false)
    assign(where: { _ in true }, inOrder: true)
    return result
  }

  /// Why the graph has no counterpart among the operations that are run.
  private static func problem(of file: ONNXFile) -> String? {
    switch file.network(of: []) {
    case .success: nil
    case .failure(let problem): problem.reason
    }
  }

  /// What of a graph computes as in training, in words.
  private static func training(
    _ file: ONNXFile, _ parts: ONNXLayers
  ) throws(ReadError) -> [String] {
    var counts: [Name: Int] = [:]
    for node in file.nodes where try parts.isTraining(node) {
      counts[node.operation, default: 0] += 1
    }
    return counts.sorted { $0.key < $1.key }.map { "\($1) \($0)" }
  }
}

extension Role {
  /// That of the bias of a layer whose weight has this one; also of layers outside the blocks, by their
  /// names.
  fileprivate var biasBeside: Role? {
    let weight: Name = ".\(Part.weight.rawValue)"
    guard case .other(let name) = self, let layer = name.dropping(suffix: weight) else {
      return biasOfWeight
    }
    return .other(name: "\(layer).\(Part.bias.rawValue)")
  }
}
