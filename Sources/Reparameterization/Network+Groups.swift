public import Naming
internal import Tensors

extension Network {
  /// Groups of the convolutions of a block, as far as the file tells: from the structure of the whole
  /// network, from a pickled module, or from the identity branch, which has as many input as output
  /// channels.
  public func groups(ofBlock path: String, in structure: RepVGGStructure?) -> Int? {
    if let layer = structure?.layers.first(where: { $0.path == path }) { return layer.groups }
    guard let block = blocks.first(where: { $0.path == path }),
      let kernel = block[.kernel(.dense)] ?? block[.fused(.weight)]
    else { return nil }
    if let groups = module(of: kernel)?.groups { return groups }
    guard block[.batchNorm(.identity, .gamma)] != nil else { return nil }
    return kernel.tensor.shape[0] / kernel.tensor.shape[1]
  }
}
