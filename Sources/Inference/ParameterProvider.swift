internal import Blocks
internal import Graphs
internal import Reparameterization
internal import Tensors

/// Where the parameters of a network are: in a file, or in kernels that are still to be fused.
protocol ParameterProvider: Sendable {
  /// What each of the tensors is that the graph's operands refer to.
  var tensors: [TensorType] { get }

  func parameter(_ tensor: Int) throws -> ParameterSource

  /// What the block computes in training whose deploy kernel a tensor is; nil where there is but the
  /// kernel.
  func branch(fusedInto weight: Int) throws -> Branch?
}

extension ParameterProvider {
  func branch(fusedInto weight: Int) throws -> Branch? { nil }
}

/// The numbers of one parameter, still to be fetched or computed.
enum ParameterSource: Sendable {
  case tensor(Tensor)
  /// The weights that a composition of kernels amounts to, in float64: not rounded as a file would.
  case weights(Kernel)
  case bias(Kernel)

  func numbers<Number: NetworkNumber>() throws -> [Number] {
    switch self {
    case .tensor(let tensor):
      if tensor.fitsFloat || Number.self == Double.self {
        var numbers = [Number](repeating: 0, count: tensor.shape.elementCount)
        try tensor.readNumbers(0..<numbers.count, into: &numbers)
        return numbers
      }
      return try tensor.doubles().map { Number($0) }
    case .weights(let kernel):
      return try kernel.weights(ofRows: 0..<kernel.shape[0]).map { Number($0) }
    case .bias(let kernel):
      return try kernel.bias().map { Number($0) }
    }
  }
}

/// The parameters of a network in deploy form: tensors, one after the other.
struct TensorProvider: ParameterProvider {
  private let list: [Tensor]
  let tensors: [TensorType]

  init(_ list: [Tensor]) {
    self.list = list
    tensors = list.map { TensorType($0) }
  }

  func parameter(_ tensor: Int) throws -> ParameterSource { .tensor(list[tensor]) }
}
