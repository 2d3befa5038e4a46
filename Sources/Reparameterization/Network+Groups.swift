internal import Checkpoints
public import Naming
internal import Tensors

extension Network {
  /// Groups of the convolution that a parameter belongs to, as far as the file tells: from the structure
  /// of the whole network, from a pickled module, or from the identity branch, which has as many input
  /// as output channels. The convolution of an auxiliary head has as many, too (repvggplus.py of
  /// github.com/DingXiaoH/RepVGG). Nil if it belongs to none, or it cannot be told.
  public func groups(of role: Role, in structure: RepVGGStructure?) -> Int? {
    switch role {
    case .block(let path, _):
      if let layer = structure?.layers.first(where: { $0.path == path }) { return layer.groups }
      guard let block = blocks.first(where: { $0.path == path }),
        let kernel = block[.kernel(.dense)] ?? block[.fused(.weight)]
      else { return nil }
      if let groups = module(of: kernel)?.groups { return groups }
      guard block[.batchNorm(.identity, .gamma)] != nil else { return nil }
      return kernel.tensor.shape[0] / kernel.tensor.shape[1]
    case .auxiliary(let path, _):
      return self[.auxiliary(path: path, .kernel)].map { $0.tensor.shape[0] / $0.tensor.shape[1] }
    case .classifier, .other:
      return nil
    }
  }
}
