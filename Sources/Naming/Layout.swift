internal import Blocks
internal import Tensors

/// How a project shapes its tensors. Inside this program kernels are `[O, I/groups, height, width]`,
/// linear weights `[out, in]`, and everything with one value for each channel is `[C]`.
public struct Layouts: Equatable, Sendable {
  /// Of the kernels of convolutions.
  public var kernel = Kernel.oihw
  /// Of the weights of linear layers.
  public var linear = Linear.outIn
  /// Of the weights of Squeeze-and-Excitation, which are `[out, in, 1, 1]` in this program.
  public var squeezeExcitation = SqueezeExcitation.kernel
  /// Of BatchNorm's vectors.
  public var batchNorm = Vector.c
  /// Of the biases of convolutions, those of Squeeze-and-Excitation too.
  public var convolutionBias = Vector.c

  /// Of what outside blocks has one value for each channel, as `Dialect.vectors` says.
  public var vector = Vector.c

  /// Axes of a kernel, outermost first.
  public enum Kernel: String, CaseIterable, Sendable {
    /// PyTorch, Paddle.
    case oihw = "OIHW"
    /// Keras, Objax.
    case hwio = "HWIO"
    /// MegEngine: `[groups, O/groups, I/groups, height, width]` if there is more than one group.
    case goihw = "GOIHW"
  }

  /// Axes of a matrix, outermost first.
  public enum Linear: String, CaseIterable, Sendable {
    /// PyTorch, MegEngine.
    case outIn = "OI"
    /// Keras, Objax, Paddle.
    case inOut = "IO"
  }

  /// What the weights of Squeeze-and-Excitation are.
  public enum SqueezeExcitation: String, CaseIterable, Sendable {
    /// As all kernels.
    case kernel
    /// Linear layers, `[out, in]`.
    case outIn = "OI"
  }

  /// Axes of one value for each channel.
  public enum Vector: String, CaseIterable, Sendable {
    /// `[C]`.
    case c = "C"
    /// `[1, C, 1, 1]`.
    case oneC11 = "1C11"
    /// `[C, 1, 1]`.
    case c11 = "C11"
    /// `[1, 1, 1, C]`.
    case one11C = "111C"

    func shape(_ channels: Int) -> Shape {
      switch self {
      case .c: [channels]
      case .oneC11: [1, channels, 1, 1]
      case .c11: [channels, 1, 1]
      case .one11C: [1, 1, 1, channels]
      }
    }
  }

  public init() {}
}

/// What kind of shape a role asks for.
enum ShapeForm {
  case kernel, squeezeExcitation, matrix, batchNorm, convolutionBias, linearBias, vector, any

  init(_ role: Role) {
    switch role {
    case .other: self = .any
    case .classifier(let part): self = part == .bias ? .linearBias : .matrix
    case .block(let block, let address):
      switch (address.part, block.family.layer(named: address.layer.name)?.weightForm) {
      case (.batchesTracked, _), (.value, _): self = .any
      case (.gamma, _), (.beta, _), (.runningMean, _), (.runningVariance, _): self = .batchNorm
      case (.weight, .matrix): self = .matrix
      case (.weight, .squeezeExcitation): self = .squeezeExcitation
      case (.weight, _): self = .kernel
      case (.bias, .matrix): self = .linearBias
      case (.bias, _): self = .convolutionBias
      }
    }
  }
}

extension Layouts {
  /// The axes of this program's kernels or matrices as files of this project have them; nil where that is
  /// the same.
  private func order(_ form: ShapeForm) -> [Int]? {
    if form == .matrix { return linear == .inOut ? [1, 0] : nil }
    return kernel == .hwio ? [2, 3, 1, 0] : nil
  }

  /// A tensor of a file in the shape used in this program; nil if it cannot have this role.
  ///
  /// Vectors are accepted in any of the shapes of `Vector`, and kernels of five axes everywhere, since
  /// the same project's files differ in these between versions.
  func canonical(_ tensor: Tensor, as form: ShapeForm) -> Tensor? {
    let sizes = tensor.shape.dimensions
    if form != .any && sizes.contains(0) { return nil }
    switch (form, sizes.count) {
    case (.any, _): return tensor
    case (.vector, _):
      // Names are all that it is known by.
      guard sizes.count(where: { $0 > 1 }) <= 1 else { return tensor }
      return tensor.reshaped(to: [tensor.shape.elementCount])
    case (.batchNorm, 1...), (.convolutionBias, 1...), (.linearBias, 1...):
      guard sizes.count(where: { $0 > 1 }) <= 1 else { return nil }
      return tensor.reshaped(to: [tensor.shape.elementCount])
    case (.squeezeExcitation, 2): return tensor.reshaped(to: Shape(sizes + [1, 1]))
    case (.matrix, 2), (.kernel, 4), (.squeezeExcitation, 4):
      guard let order = order(form) else { return tensor }
      let inverse = order.indices.map { order.firstIndex(of: $0)! }
      return tensor.isReshaped ? nil : tensor.transposed(inverse)
    case (.kernel, 5), (.squeezeExcitation, 5):
      return tensor.reshaped(to: Shape([sizes[0] * sizes[1]] + sizes[2...]))
    default: return nil
    }
  }

  /// What a role's tensor should look like in a file, for errors.
  func expectation(_ form: ShapeForm) -> String {
    switch form {
    case .any: "a tensor"
    case .batchNorm, .convolutionBias, .linearBias, .vector:
      "a vector of one value for each channel"
    case .matrix: "a matrix [\(linear == .outIn ? "out, in" : "in, out")]"
    case .kernel, .squeezeExcitation:
      kernel == .hwio
        ? "a kernel [height, width, in, out]"
        : "a kernel [out, in, height, width], or MegEngine's of five axes"
    }
  }

  /// The shape of a weight in a file of this project, of one group.
  func stored(_ outputs: Int, _ inputs: Int, size: Int, as form: ShapeForm) -> Shape {
    if form == .squeezeExcitation && squeezeExcitation == .outIn { return [outputs, inputs] }
    let sizes = form == .matrix ? [outputs, inputs] : [outputs, inputs, size, size]
    return Shape(order(form)?.map { sizes[$0] } ?? sizes)
  }

  /// A tensor of the shape used in this program, as a file of this project holds it.
  ///
  /// - Parameter groups: of the convolution the tensor belongs to; nil if that is not known.
  /// - Returns: nil if `groups` is needed, but not known.
  func stored(_ tensor: OutputTensor, as form: ShapeForm, groups: Int?) -> OutputTensor? {
    let sizes = tensor.shape.dimensions
    switch form {
    case .any, .linearBias: return tensor
    case .batchNorm: return tensor.reshaped(to: batchNorm.shape(tensor.shape.elementCount))
    case .vector:
      return sizes.count == 1 ? tensor.reshaped(to: vector.shape(sizes[0])) : tensor
    case .convolutionBias:
      return tensor.reshaped(to: convolutionBias.shape(tensor.shape.elementCount))
    case .squeezeExcitation where squeezeExcitation == .outIn:
      return tensor.reshaped(to: Shape(Array(sizes[..<2])))
    case .kernel where kernel == .goihw:
      guard let groups else { return nil }
      guard groups > 1 else { return tensor }
      return tensor.reshaped(to: Shape([groups, sizes[0] / groups] + sizes[1...]))
    case .matrix, .squeezeExcitation, .kernel:
      return order(form).map { tensor.transposed($0) } ?? tensor
    }
  }
}
