import Blocks
import Naming

// All that there is to say of a family, as it would stand in `Families` and `Dialects`.
extension BlockFamily {
  /// A k x k convolution with BatchNorm, mixed by a 1x1 one after it, beside an identity.
  static let toy = BlockFamily(
    "Toy", source: "no paper", layers: [.convBN("spread"), .convolution("mix")]
  ) { $0.spread!.then($0.mix!) + .identity }

  static let toyNames = """
    name: toy
    project: a project of nobody
    epsilon: 0
    input: RGB 1 / 0 0 0 / 1 1 1
    batchnorm gamma: weight
    batchnorm beta: bias
    batchnorm mean: running_mean
    batchnorm variance: running_var
    family: Toy
    block: * = *
    spread convolution: spread
    spread batchnorm: norm
    mix convolution: mix
    fused: toy_deploy
    """
}
