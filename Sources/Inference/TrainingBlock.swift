internal import Graphs
internal import Reparameterization
internal import Tensors

/// A block of the training form: what `BranchedLayer` computes.
struct TrainingBlock {
  struct Branch {
    var weight: Tensor
    var bias: [Double]?
    var norm: BatchNorm
  }
  var dense, pointwise: Branch
  var identity: BatchNorm?
}

extension BranchedLayer {
  /// - Parameter node: the convolution that the block stands for.
  init(_ block: TrainingBlock, like node: NodeParameters<Number>) throws {
    let groups = node.node.attribute("groups")[0]
    func branch(_ branch: TrainingBlock.Branch) throws -> Branch {
      let shape = branch.weight.shape
      return Branch(
        convolution: MatrixConvolution(
          window: Window(
            kernel: (shape[2], shape[3]), stride: node.pair("stride"),
            padding: (shape[2] / 2, shape[3] / 2), dilation: (1, 1)),
          inputChannels: shape[1] * groups, outputChannels: shape[0], groups: groups,
          weights: try ParameterSource.tensor(branch.weight).numbers()),
        bias: branch.bias.map { bias in bias.map { Number($0) } },
        norm: Normalisation(branch.norm))
    }
    self.init(
      dense: try branch(block.dense), pointwise: try branch(block.pointwise),
      identity: block.identity.map { Normalisation($0) })
  }
}

extension Normalisation {
  init(_ norm: BatchNorm) {
    self.init(scale: norm.scale.map { Number($0) }, shift: norm.shift.map { Number($0) })
  }
}
