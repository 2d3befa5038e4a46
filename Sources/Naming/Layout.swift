internal import Tensors

/// How a project shapes its tensors. Inside this program kernels are `[O, I/groups, height, width]`,
/// linear weights `[out, in]`, and everything with one value for each channel is `[C]`.
public struct Layouts: Equatable, Sendable {
  public var kernel = Kernel.oihw
  public var linear = Linear.outIn
  /// Of the weights of Squeeze-and-Excitation, which are `[out, in, 1, 1]` inside.
  public var squeezeExcitation = SqueezeExcitation.kernel
  public var batchNorm = Vector.c
  /// Of the biases of convolutions, those of Squeeze-and-Excitation too.
  public var convolutionBias = Vector.c

  /// Axes of a kernel, outermost first.
  public enum Kernel: String, CaseIterable, Sendable {
    /// PyTorch, Paddle.
    case oihw = "OIHW"
    /// Keras, Objax.
    case hwio = "HWIO"
    /// MegEngine: `[groups, O/groups, I/groups, height, width]` if there is more than one group.
    case goihw = "GOIHW"
  }

  public enum Linear: String, CaseIterable, Sendable {
    /// PyTorch, MegEngine.
    case outIn = "OI"
    /// Keras, Objax, Paddle.
    case inOut = "IO"
  }

  public enum SqueezeExcitation: String, CaseIterable, Sendable {
    /// As all kernels.
    case kernel
    /// Linear layers, `[out, in]`.
    case outIn = "OI"
  }

  public enum Vector: String, CaseIterable, Sendable {
    case c = "C"
    /// `[1, C, 1, 1]`.
    case oneC11 = "1C11"
    /// `[C, 1, 1]`.
    case c11 = "C11"

    func shape(_ channels: Int) -> Shape {
      switch self {
      case .c: [channels]
      case .oneC11: [1, channels, 1, 1]
      case .c11: [channels, 1, 1]
      }
    }
  }

  public init() {}
}

/// What kind of shape a role asks for.
enum Form {
  case kernel, squeezeExcitation, matrix, batchNorm, convolutionBias, classifierBias, any

  init(_ role: Role) {
    switch role {
    case .other, .block(_, .batchNorm(_, .batchesTracked)),
      .auxiliary(_, .batchNorm(.batchesTracked)):
      self = .any
    case .block(_, .kernel), .block(_, .fused(.weight)), .auxiliary(_, .kernel): self = .kernel
    case .block(_, .squeeze(_, .weight)), .block(_, .excite(_, .weight)): self = .squeezeExcitation
    case .classifier(.weight), .auxiliary(_, .classifier(.weight)): self = .matrix
    case .block(_, .batchNorm), .auxiliary(_, .batchNorm): self = .batchNorm
    case .classifier(.bias), .auxiliary(_, .classifier(.bias)): self = .classifierBias
    case .block, .auxiliary: self = .convolutionBias
    }
  }
}

extension Layouts {
  /// A tensor of a file in the shape used inside; nil if it cannot have this role.
  ///
  /// Vectors are accepted in any of the shapes of `Vector`, and kernels of five axes everywhere, since
  /// the same project's files differ in these between versions.
  func inside(_ tensor: Tensor, as form: Form) -> Tensor? {
    func transposed(_ order: [Int]) -> Tensor? {
      tensor.isReshaped ? nil : tensor.transposed(order)
    }
    let sizes = tensor.shape.dimensions
    if form != .any && sizes.contains(0) { return nil }
    switch form {
    case .any:
      return tensor
    case .batchNorm, .convolutionBias, .classifierBias:
      guard sizes.count >= 1, sizes.count(where: { $0 > 1 }) <= 1 else { return nil }
      return tensor.reshaped(to: [tensor.shape.elementCount])
    case .matrix:
      guard sizes.count == 2 else { return nil }
      return linear == .outIn ? tensor : transposed([1, 0])
    case .squeezeExcitation where sizes.count == 2:
      return tensor.reshaped(to: Shape(sizes + [1, 1]))
    case .kernel, .squeezeExcitation:
      switch sizes.count {
      case 4: return kernel == .hwio ? transposed([3, 2, 0, 1]) : tensor
      case 5: return tensor.reshaped(to: Shape([sizes[0] * sizes[1]] + sizes[2...]))
      default: return nil
      }
    }
  }

  /// What a role's tensor should look like in a file, for errors.
  func expectation(_ form: Form) -> String {
    switch form {
    case .any: "a tensor"
    case .batchNorm, .convolutionBias, .classifierBias: "a vector of one value for each channel"
    case .matrix: "a matrix [\(linear == .outIn ? "out, in" : "in, out")]"
    case .kernel, .squeezeExcitation:
      kernel == .hwio
        ? "a kernel [height, width, in, out]"
        : "a kernel [out, in, height, width], or MegEngine's of five axes"
    }
  }

  /// A tensor of the shape used inside, as a file of this project holds it.
  ///
  /// - Parameter groups: of the convolution the tensor belongs to; nil if that is not known.
  /// - Returns: nil if `groups` is needed, but not known.
  func outside(_ tensor: OutputTensor, as form: Form, groups: Int?) -> OutputTensor? {
    switch form {
    case .any, .classifierBias: return tensor
    case .batchNorm: return tensor.reshaped(to: batchNorm.shape(tensor.shape.elementCount))
    case .convolutionBias:
      return tensor.reshaped(to: convolutionBias.shape(tensor.shape.elementCount))
    case .matrix: return linear == .outIn ? tensor : tensor.transposed([1, 0])
    case .squeezeExcitation where squeezeExcitation == .outIn:
      return tensor.reshaped(to: Shape(Array(tensor.shape.dimensions[..<2])))
    case .squeezeExcitation:
      return kernel == .hwio ? tensor.transposed([2, 3, 1, 0]) : tensor
    case .kernel:
      switch kernel {
      case .oihw: return tensor
      case .hwio: return tensor.transposed([2, 3, 1, 0])
      case .goihw:
        guard let groups else { return nil }
        guard groups > 1 else { return tensor }
        let sizes = tensor.shape.dimensions
        return tensor.reshaped(to: Shape([groups, sizes[0] / groups] + sizes[1...]))
      }
    }
  }
}
