public import Naming

/// A named RepVGG: how many blocks each stage has, and how wide they are.
public struct Architecture: Equatable, Sendable {
  /// The authors' name: `RepVGG-A0`.
  public let name: String
  /// Blocks of stages 1 to 4; stage 0 is a single block.
  public let depths: [Int]
  /// Output channels of stages 0 to 4.
  public let widths: [Int]
  /// Groups of every other block: the 2nd, 4th, ... counted from 0 at stage 0. All others have one.
  public let groups: Int
  public let squeezeExcitation: SqueezeExcitationRatio?
  /// RepVGGplus: stage 3 is cut into two halves, and training adds three auxiliary heads.
  public let isPlus: Bool

  /// Squeeze-and-Excitation in every block, its inner layer `ratio` times narrower.
  public struct SqueezeExcitationRatio: Equatable, Sendable {
    public var placement: Placement
    public var ratio: Int
  }

  private init(
    _ name: String, _ depths: [Int], _ multipliers: [Double], groups: Int = 1,
    squeezeExcitation: SqueezeExcitationRatio? = nil, isPlus: Bool = false
  ) {
    self.name = name
    self.depths = depths
    let stages = zip(multipliers, [64.0, 128, 256, 512]).map { Int($0 * $1) }
    widths = [min(64, stages[0])] + stages
    self.groups = groups
    self.squeezeExcitation = squeezeExcitation
    self.isPlus = isPlus
  }

  /// Every published architecture (repvgg.py and repvggplus.py of github.com/DingXiaoH/RepVGG).
  public static let all: [Architecture] = {
    let (a, b, d) = ([2, 4, 14, 1], [4, 6, 16, 1], [8, 14, 24, 1])
    return [
      Architecture("RepVGG-A0", a, [0.75, 0.75, 0.75, 2.5]),
      Architecture("RepVGG-A1", a, [1, 1, 1, 2.5]),
      Architecture("RepVGG-A2", a, [1.5, 1.5, 1.5, 2.75]),
      Architecture("RepVGG-B0", b, [1, 1, 1, 2.5]),
      Architecture("RepVGG-B1", b, [2, 2, 2, 4]),
      Architecture("RepVGG-B1g2", b, [2, 2, 2, 4], groups: 2),
      Architecture("RepVGG-B1g4", b, [2, 2, 2, 4], groups: 4),
      Architecture("RepVGG-B2", b, [2.5, 2.5, 2.5, 5]),
      Architecture("RepVGG-B2g2", b, [2.5, 2.5, 2.5, 5], groups: 2),
      Architecture("RepVGG-B2g4", b, [2.5, 2.5, 2.5, 5], groups: 4),
      Architecture("RepVGG-B3", b, [3, 3, 3, 5]),
      Architecture("RepVGG-B3g2", b, [3, 3, 3, 5], groups: 2),
      Architecture("RepVGG-B3g4", b, [3, 3, 3, 5], groups: 4),
      Architecture(
        "RepVGG-D2se", d, [2.5, 2.5, 2.5, 5],
        squeezeExcitation: .init(placement: .beforeActivation, ratio: 16)),
      Architecture(
        "RepVGGplus-L2pse", d, [2.5, 2.5, 2.5, 5],
        squeezeExcitation: .init(placement: .afterActivation, ratio: 4), isPlus: true),
    ]
  }()

  /// The architecture of this name in any project's spelling: `RepVGG-A0`, `RepVGGA0`, `repvgg_a0`,
  /// `A0`; BaseCls calls D2se `repvgg_d2`.
  ///
  /// - Throws: `FusionError.unknownArchitecture`.
  public static func named(_ name: String) throws(FusionError) -> Architecture {
    func key(_ name: String) -> String {
      let letters = name.lowercased().filter { $0.isLetter || $0.isNumber }
      let bare = letters.hasPrefix("repvgg") ? String(letters.dropFirst(6)) : letters
      return bare == "d2" ? "d2se" : bare == "l2pse" ? "plusl2pse" : bare
    }
    if let found = all.first(where: { key($0.name) == key(name) }) { return found }
    throw .unknownArchitecture(name: name, nearest: nearestNames(to: name, in: all.map(\.name)))
  }

  /// The network with a classifier of `classes` outputs.
  public func structure(classes: Int) -> RepVGGStructure {
    var layers: [RepVGGStructure.Layer] = []
    var channels = 3
    func append(_ path: String, _ output: Int, stride: Int) {
      let isGrouped = !layers.isEmpty && layers.count % 2 == 0 && layers.count <= 26
      layers.append(
        .init(
          path: path, inputChannels: channels, outputChannels: output,
          groups: isGrouped ? groups : 1, stride: stride, kernelSize: 3,
          squeezed: squeezeExcitation.map { output / $0.ratio }))
      channels = output
    }
    append("stage0", widths[0], stride: 2)
    for stage in 1...4 {
      for (path, stride) in StagePath.paths(
        ofStage: stage, depth: depths[stage - 1], isPlus: isPlus)
      {
        append(path, widths[stage], stride: stride)
      }
    }
    return RepVGGStructure(
      layers: layers, squeezeExcitation: squeezeExcitation?.placement, classes: classes,
      isPlus: isPlus)
  }
}

/// How the official code numbers blocks.
enum StagePath {
  /// Paths of a stage's blocks in order, each with its stride: the first block of a stage halves the
  /// resolution.
  static func paths(ofStage stage: Int, depth: Int, isPlus: Bool) -> [(path: String, stride: Int)] {
    guard isPlus else {
      return (0..<depth).map { ("stage\(stage).\($0)", $0 == 0 ? 2 : 1) }
    }
    guard stage == 3 else {
      return (0..<depth).map { ("stage\(stage).blocks.\($0)", $0 == 0 ? 2 : 1) }
    }
    let first = depth / 2
    return (0..<first).map { ("stage3_first.blocks.\($0)", $0 == 0 ? 2 : 1) }
      + (0..<depth - first).map { ("stage3_second.blocks.\($0)", 1) }
  }
}
