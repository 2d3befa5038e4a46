internal import Tensors

/// A family of blocks that this program knows by its names, and does not fuse: so that a file of it is
/// told what it is, and is not taken for another.
struct ForeignFamily: Sendable {
  /// As people call it, with a project if it is one project's form, and why it is not fused.
  let name: String
  /// A text that a name must contain. `{n}` stands for a number.
  let markers: [String]
  /// Whether such a file is a network at all.
  var isNetwork = true

  /// From what the projects' own code writes; the more telling first.
  static let all: [ForeignFamily] = [
    ForeignFamily(
      name: "the scales of RepOptimizers", markers: [".scale_conv.", ".scale_identity."],
      isNetwork: false),
    // BNAndPad has its BatchNorm inside: `bn1.bn`.
    ForeignFamily(
      name:
        "DBB without BNAndPad: beyond the edge its later kernels see zeros, not what BatchNorm makes of them, so its blocks are no single convolution",
      markers: [".dbb_1x1_kxk.bn1.running_mean", ".dbb_avg.bn.running_mean"]),
  ]

  /// The family that the names speak of.
  static func named(by names: some Sequence<Name>) -> ForeignFamily? {
    let dotted = names.map { "." + $0.text }
    return all.first { family in
      family.markers.contains { marker in dotted.contains { $0.contains(marker) } }
    }
  }
}
