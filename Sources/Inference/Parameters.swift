internal import Blocks
internal import Graphs
internal import Naming
internal import Reparameterization
internal import Tensors

/// The parameters of a network, as the graph's operands count them.
struct Parameters: Sendable {
  let types: [TensorType]
  let sources: [Source]
  /// Of what the file that they are from may ask for.
  let limits: ReadingLimits

  /// The numbers of one parameter, still to be fetched or computed.
  enum Source: Sendable {
    case tensor(Tensor)
    /// The weights that a composition of kernels amounts to, in float64: not rounded as a file would.
    case weights(Kernel)
    case bias(Kernel)
    /// So many numbers, in float64.
    case computed(any NumberSource, count: Int)
    /// What a block computes in training, instead of the deploy kernel that this would be.
    case branch(Branch)
    case missing(Role, path: String)
  }

  init(types: [TensorType], sources: [Source], limits: ReadingLimits) {
    self.types = types
    self.sources = sources
    self.limits = limits
  }

  /// Those of a network in deploy form.
  init(_ tensors: [Tensor]) {
    self.init(
      types: tensors.map { TensorType($0) }, sources: tensors.map { .tensor($0) },
      limits: tensors.limits)
  }

  /// - Precondition: it is no branch.
  ///
  /// - Throws: `InferenceError.noMemory`, also if there is none for the layer that is made of them; `ReadError`.
  func numbers<Number: NetworkNumber>(of tensor: Int) throws -> [Number] {
    try requireMemoryOfLayer(for: types[tensor].shape, Number.self)
    switch sources[tensor] {
    case .tensor(let tensor): return try tensor.numbers()
    case .weights(let kernel):
      return try kernel.weights(ofRows: 0..<kernel.shape[0]).map { Number($0) }
    case .bias(let kernel): return try kernel.bias().map { Number($0) }
    case .computed(let numbers, let count):
      var workspace = Workspace()
      try numbers.compute(0..<count, workspace: &workspace)
      return workspace.doubles.prefix(count).map { Number($0) }
    case .branch: preconditionFailure("a branch is run, not read")
    case .missing(let role, let path):
      let family = role.family.map { [$0] } ?? []
      let name = Dialect.first(naming: family)?.label(of: role) ?? "a parameter"
      throw InferenceError.notANetwork(path: path, reason: "'\(name)' is missing")
    }
  }
}

extension [Tensor] {
  /// Of what the file that they are from may ask for.
  var limits: ReadingLimits { first?.source.limits ?? ReadingLimits() }
}

extension Tensor {
  /// - Throws: `InferenceError.noMemory`, also if there is none for the layer that is made of them; `ReadError`.
  func numbers<Number: NetworkNumber>() throws -> [Number] {
    try requireMemoryOfLayer(for: shape, Number.self)
    guard fitsFloat || Number.self == Double.self else { return try doubles().map { Number($0) } }
    var numbers = [Number](repeating: 0, count: shape.elementCount)
    try readNumbers(0..<numbers.count, into: &numbers)
    return numbers
  }
}

/// Throws unless there is memory for a layer with weights of this shape, on the way: as the file has them, as
/// they are computed with, and put in the order that the layer takes them in, for which Winograd's transform
/// makes 16 of 9.
private func requireMemoryOfLayer<Number: NetworkNumber>(
  for shape: Shape, _: Number.Type
) throws(InferenceError) {
  try requireMemory(for: shape.elementCount * 5, Number.self, "the network's weights")
}
