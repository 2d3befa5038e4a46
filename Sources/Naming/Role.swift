/// What a tensor is for, whatever a project calls it.
public enum Role: Hashable, Sendable {
  /// A parameter of the block at `path`: `stage1.0`, or any path inside a larger network.
  case block(path: String, BlockRole)
  /// A parameter of an auxiliary head, which only training uses: `stage1_aux`.
  case auxiliary(path: String, AuxiliaryRole)
  /// The final linear layer: weight `[classes, channels]`, bias `[classes]`.
  case classifier(LayerField)
  /// Anything else, under the name it has.
  case other(name: String)
}

/// The parallel branches of a train-time RepVGG block; their sum is the block's convolution.
public enum Branch: String, CaseIterable, Codable, Sendable {
  /// The 3x3 convolution with BatchNorm.
  case dense
  /// The 1x1 convolution with BatchNorm.
  case pointwise
  /// BatchNorm alone; only where input and output are alike.
  case identity
}

/// What a parameter is inside a RepVGG block.
public enum BlockRole: Hashable, Sendable {
  /// `[O, I/groups, k, k]`.
  case kernel(Branch)
  /// `[O]`; rare, since BatchNorm follows.
  case convolutionBias(Branch)
  /// `[O]`.
  case batchNorm(Branch, BatchNormField)
  /// The deploy convolution's `[O, I/groups, 3, 3]` and `[O]`.
  case fused(LayerField)
  case squeeze(Placement, LayerField)
  case excite(Placement, LayerField)

  /// The branch it belongs to, if any.
  public var branch: Branch? {
    switch self {
    case .kernel(let branch), .convolutionBias(let branch), .batchNorm(let branch, _): branch
    case .fused, .squeeze, .excite: nil
    }
  }
}

/// What a parameter is inside an auxiliary head.
public enum AuxiliaryRole: Hashable, Sendable {
  case kernel
  case convolutionBias
  case batchNorm(BatchNormField)
  case classifier(LayerField)
}

public enum LayerField: String, CaseIterable, Codable, Sendable {
  case weight, bias
}

public enum BatchNormField: String, CaseIterable, Codable, Sendable {
  case gamma, beta, runningMean, runningVariance
  /// PyTorch's step counter; not part of the network's function.
  case batchesTracked
}

/// Where Squeeze-and-Excitation stands in a block.
public enum Placement: String, CaseIterable, Codable, Sendable {
  /// Between the sum of the branches and the ReLU.
  case beforeActivation
  /// After the ReLU, as in RepVGGplus.
  case afterActivation
}
