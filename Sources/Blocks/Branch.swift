public import Tensors

/// What a block computes in training, from its input to where its activation takes over: a tree of
/// linear layers.
///
/// Three readers go over the same tree, and share nothing else: `Kernel` makes one convolution of it,
/// `Proof` recomputes that with other arithmetic, and `Inference` runs it layer by layer. Every tree is
/// linear in its input, so it has a kernel; the stride is the block's and belongs to the whole.
///
/// Kernels stand with their centres on top of each other: a smaller one lies in the middle of a larger
/// one, as its smaller padding has it.
public indirect enum Branch: Sendable {
  /// A kernel, OIHW, of a weight type; the bias is `[O]`.
  case convolution(Tensor, bias: Tensor?)
  /// What comes in goes out; of a grouped convolution, output channel `o` is input channel `o`.
  case identity
  /// The mean over `size` x `size` values of each channel, zeros beyond the edge counted.
  case average(size: Int)
  /// A depthwise convolution, `[m I, 1, height, width]`, which makes `m` channels of each, and a 1x1 one
  /// after it, `[O, m I/groups, 1, 1]`; neither has a bias.
  case separable(depthwise: Tensor, pointwise: Tensor)
  /// A depthwise branch over maps of one size, `S x height x width`, padded so that they keep it, as a 1x1
  /// convolution over all values of a map: `[S height width, height width, 1, 1]` in `S` groups.
  case unrolled(Branch, height: Int, width: Int)
  /// BatchNorm after a branch.
  case batchNorm(Branch, BatchNorm)
  /// Every output channel times its own factor, `[O]`, or all times the same, of one element.
  case scaled(Branch, by: Tensor)
  /// Its own constant added to every output channel, `[O]`.
  case shifted(Branch, by: Tensor)
  /// Taps `by` apart.
  case dilated(Branch, by: Int)
  /// The second after the first. What the second sees beyond the edge is what the first makes of zeros,
  /// its bias: without that, the two are no single convolution (DBB's padding, arXiv:2103.13425, 3.2).
  case then(Branch, Branch)
  /// Branches side by side, added.
  case sum([Branch])
  /// A branch and what its family calls it, for those who speak of it.
  case layer(LayerAddress, Branch)
}

extension Branch {
  /// With BatchNorm after it.
  public func normalized(by norm: BatchNorm) -> Branch { .batchNorm(self, norm) }

  /// With another branch after it.
  public func then(_ next: Branch) -> Branch { .then(self, next) }

  /// With every output channel times its own factor, or all times one.
  public func scaled(by factors: Tensor) -> Branch { .scaled(self, by: factors) }

  /// With all channels times one constant: 0.5 of a mean, -1 of what is taken off.
  public func scaled(by factor: Double) -> Branch {
    // Safe: one number is one element.
    .scaled(self, by: try! Tensor(float64: [factor], shape: [1], name: Name(factor.description)))
  }

  /// With its own constant added to every output channel.
  public func shifted(by shifts: Tensor) -> Branch { .shifted(self, by: shifts) }

  /// With its taps `rate` apart.
  public func dilated(by rate: Int) -> Branch { .dilated(self, by: rate) }

  /// Both, added; a sum of sums stays one sum.
  public static func + (a: Branch, b: Branch) -> Branch {
    switch (a, b) {
    case (.sum(let first), .sum(let second)): .sum(first + second)
    case (.sum(let first), _): .sum(first + [b])
    default: .sum([a, b])
    }
  }

  /// A branch that is not there adds nothing.
  public static func + (a: Branch, b: Branch?) -> Branch { b.map { a + $0 } ?? a }

  /// The branches right below.
  public var children: [Branch] {
    switch self {
    case .convolution, .identity, .average, .separable: []
    case .batchNorm(let branch, _), .scaled(let branch, _), .shifted(let branch, _),
      .dilated(let branch, _), .layer(_, let branch), .unrolled(let branch, _, _):
      [branch]
    case .then(let first, let second): [first, second]
    case .sum(let branches): branches
    }
  }

  /// This branch and all below it, each before those below it, in the order they are written.
  public var all: [Branch] { [self] + children.flatMap(\.all) }

  /// Whether an identity is one of its branches; one with a convolution behind it is none.
  public var hasIdentity: Bool {
    switch self {
    case .identity: true
    case .then, .unrolled: false
    default: children.contains(where: \.hasIdentity)
    }
  }

  /// The epsilons of its BatchNorms, in the order they are written.
  public var epsilons: [Double] {
    all.compactMap { if case .batchNorm(_, let norm) = $0 { norm.epsilon } else { nil } }
  }

  /// The layers whose kernels the block's input goes into, before any other kernel; nil if an identity
  /// or an average takes it as well, so that no change of kernels is one of the input.
  public var inputLayers: [LayerAddress]? {
    switch self {
    case .identity, .average: return nil
    case .convolution, .separable: return []
    case .layer(let address, let branch):
      guard let inner = branch.inputLayers else { return nil }
      return inner.isEmpty ? [address] : inner
    case .batchNorm(let branch, _), .scaled(let branch, _), .shifted(let branch, _),
      .dilated(let branch, _), .then(let branch, _), .unrolled(let branch, _, _):
      return branch.inputLayers
    case .sum(let branches):
      let lists = branches.map(\.inputLayers)
      return lists.contains { $0 == nil } ? nil : lists.flatMap { $0! }
    }
  }

  /// Rows and columns that its kernel sees.
  ///
  /// - Parameter dilation: of all kernels in it.
  public func size(dilation: Int = 1) -> (height: Int, width: Int) {
    switch self {
    case .convolution(let weight, _), .separable(let weight, _):
      return ((weight.shape[2] - 1) * dilation + 1, (weight.shape[3] - 1) * dilation + 1)
    case .identity, .unrolled: return (1, 1)
    case .average(let size): return (size, size)
    case .layer(_, let branch), .batchNorm(let branch, _), .scaled(let branch, _),
      .shifted(let branch, _):
      return branch.size(dilation: dilation)
    case .dilated(let branch, let rate): return branch.size(dilation: dilation * rate)
    case .then(let first, let second):
      let (a, b) = (first.size(dilation: dilation), second.size(dilation: dilation))
      return (a.height + b.height - 1, a.width + b.width - 1)
    case .sum(let branches):
      let sizes = branches.map { $0.size(dilation: dilation) }
      return (sizes.map(\.height).max()!, sizes.map(\.width).max()!)
    }
  }
}
