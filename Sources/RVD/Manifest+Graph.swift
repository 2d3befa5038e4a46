internal import Tensors

extension Operation {
  /// What tensors the operation refers to: the member that does, the tensor, and what it is there.
  var references: [(member: String, tensor: String, role: TensorRole)] {
    switch self {
    case .convolution(let convolution):
      [("weight", convolution.weight, .kernel), ("bias", convolution.bias, .bias)]
    case .squeezeExcitation(let layers):
      [
        ("squeezeWeight", layers.squeezeWeight, .kernel),
        ("squeezeBias", layers.squeezeBias, .bias),
        ("exciteWeight", layers.exciteWeight, .kernel), ("exciteBias", layers.exciteBias, .bias),
      ]
    case .linear(let weight, let bias): [("weight", weight, .weight), ("bias", bias, .bias)]
    case .relu, .globalAveragePool: []
    }
  }
}

/// What a tensor is to the graph. The raw values are the manifest's.
enum TensorRole: String {
  /// Of a convolution, OIHW.
  case kernel
  /// Of a linear layer, OI.
  case weight
  /// One number for each output channel.
  case bias

  var layout: String? {
    switch self {
    case .kernel: "OIHW"
    case .weight: "OI"
    case .bias: nil
    }
  }

  var rank: Int {
    switch self {
    case .kernel: 4
    case .weight: 2
    case .bias: 1
    }
  }
}

extension Manifest {
  /// The largest stride, padding, dilation or number of groups: fits a 32-bit integer, so that a
  /// runtime can multiply two of them in 64 bits.
  static let largestParameter = 1 << 31 - 1

  /// What flows between operations: N x C x H x W, or N x C after pooling. Nil channels are not known.
  private struct Flow {
    var channels: Int?
    var isPooled = false
  }

  /// Follows the data through the graph: every tensor is there, floating-point, and of the shape that
  /// the operation before it asks for.
  func check(_ graph: [Operation]) throws(ManifestProblem) {
    var shapes: [[UInt8]: (shape: Shape, elementType: ElementType)] = [:]
    for tensor in tensors { shapes[Array(tensor.name.utf8)] = (tensor.shape, tensor.elementType) }
    guard !graph.isEmpty else {
      throw .invalid(place: "graph", expected: "at least one operation", found: "none")
    }

    var flow = Flow(channels: input?.mean.count)
    for (index, operation) in graph.enumerated() {
      func require(
        _ holds: Bool, _ member: String, _ expected: @autoclosure () -> String,
        _ found: @autoclosure () -> String
      ) throws(ManifestProblem) {
        guard holds else {
          throw .invalid(place: "graph[\(index)].\(member)", expected: expected(), found: found())
        }
      }
      /// The tensors' shapes, in the order of `references`.
      var operands: [Shape] = []
      for (member, name, role) in operation.references {
        guard let (shape, elementType) = shapes[Array(name.utf8)] else {
          throw .invalid(
            place: "graph[\(index)].\(member)", expected: "the name of a tensor", found: "'\(name)'"
          )
        }
        try require(
          elementType.isWeightType, member, "a floating-point tensor",
          "'\(name)' of type \(elementType.rawValue)")
        try require(
          shape.rank == role.rank && shape.elementCount > 0, member,
          "a tensor with elements and \(role.rank) axes", "'\(name)', \(shape)")
        operands.append(shape)
      }
      func requireShape(_ operand: Int, _ shape: Shape) throws(ManifestProblem) {
        let (member, name, _) = operation.references[operand]
        try require(
          operands[operand] == shape, member, "\(shape)", "'\(name)', \(operands[operand])")
      }
      func requireMap(_ name: String) throws(ManifestProblem) {
        try require(!flow.isPooled, "op", "an operation on N x C data", "'\(name)'")
      }

      switch operation {
      case .convolution(let convolution):
        try requireMap("convolution")
        for (member, values, least) in [
          ("stride", convolution.stride, 1), ("padding", convolution.padding, 0),
          ("dilation", convolution.dilation, 1), ("groups", [convolution.groups], 1),
        ] {
          try require(
            values.count == (member == "groups" ? 1 : 2)
              && values.allSatisfy { least...Manifest.largestParameter ~= $0 },
            member, "\(member == "groups" ? "a number" : "two numbers") from \(least) to 2^31 - 1",
            "\(values)")
        }
        let kernel = operands[0]
        let (inputs, overflow) = kernel[1].multipliedReportingOverflow(by: convolution.groups)
        try require(
          !overflow && kernel[0].isMultiple(of: convolution.groups), "groups",
          "a divisor of the \(kernel[0]) output channels", "\(convolution.groups)")
        try require(
          flow.channels ?? inputs == inputs, "weight",
          "a kernel for \(flow.channels ?? 0) channels",
          "'\(convolution.weight)', \(kernel), and groups \(convolution.groups)")
        try requireShape(1, [kernel[0]])
        flow.channels = kernel[0]
      case .squeezeExcitation:
        try requireMap("squeeze-excitation")
        let (squeezed, channels) = (operands[0][0], operands[0][1])
        try requireShape(0, [squeezed, flow.channels ?? channels, 1, 1])
        try requireShape(1, [squeezed])
        try requireShape(2, [channels, squeezed, 1, 1])
        try requireShape(3, [channels])
        flow.channels = channels
      case .relu: break
      case .globalAveragePool:
        try requireMap("global-average-pool")
        flow.isPooled = true
      case .linear:
        try require(flow.isPooled, "op", "an operation on N x C x H x W data", "'linear'")
        let (outputs, inputs) = (operands[0][0], operands[0][1])
        try requireShape(0, [outputs, flow.channels ?? inputs])
        try requireShape(1, [outputs])
        flow.channels = outputs
      }
    }
    if let classes {
      guard flow.isPooled, flow.channels ?? classes == classes else {
        throw .invalid(
          place: "classes", expected: "as many as the graph has outputs",
          found: flow.isPooled ? "\(classes), for \(flow.channels ?? 0)" : "\(classes), for maps")
      }
    }
  }
}
