internal import Graphs
internal import Tensors

extension LayerKind {
  /// A convolution with kernels of one position. Of a block that has branches, those instead.
  static var linear: LayerKind {
    LayerKind(.linear) { node in
      let weight = node.node.operand("weight")!
      if case .branch(let branch) = node.parameters.sources[weight] {
        let trained = try TrainedBranch<Number>(
          branch, inputs: node.shape("weight")[1], stride: (1, 1), padding: (0, 0))
        return Layer { trained.apply($0.inputs[0], $0.pool) }
      }
      let shape = node.shape("weight")
      let convolution = Convolution(
        shape: [shape[0], shape[1], 1, 1], groups: 1, stride: (1, 1), padding: (0, 0),
        dilation: (1, 1), weights: try node.numbers("weight"),
        bias: try node.numbers(ifPresent: "bias"))
      return Layer { convolution.apply($0.inputs[0], $0.pool) }
    }
  }
}
