/// A family of blocks that this program knows by its names, and does not fuse: so that a file of it is
/// told what it is, and is not taken for another.
struct ForeignFamily: Sendable {
  /// As people call it, with a project if it is one project's form.
  let name: String
  /// A text that a name must contain. `{n}` stands for a number.
  let markers: [String]
  /// Whether such a file is a network at all.
  var isNetwork = true

  /// From what the projects' own code writes; the more telling first.
  static let all: [ForeignFamily] = [
    ForeignFamily(name: "OREPA", markers: [".weight_orepa_", ".weight_rbr_", ".or1x1_"]),
    ForeignFamily(
      name: "FastViT or MobileCLIP",
      markers: [".token_mixer.mixer.", ".lkb_origin.", ".pos_emb.pos_enc", ".large_conv.conv."]),
    ForeignFamily(name: "YOLOv7", markers: [".rbr_dense.0."]),
    ForeignFamily(
      name: "the scales of RepOptimizers", markers: [".scale_conv.", ".scale_identity."],
      isNetwork: false),
    ForeignFamily(name: "RepMLPNet", markers: [".fc3_bn.", ".repconv1."]),
    ForeignFamily(name: "ResRep", markers: [".compactor.pwc."]),
    ForeignFamily(name: "SPAN", markers: [".eval_conv."]),
    ForeignFamily(name: "ECBSR", markers: [".conv1x1_sbx."]),
    ForeignFamily(
      name: "YOLOv9, YOLOv10 or Ultralytics", markers: [".cv2.0.m.", ".cv1.conv1.conv."]),
    ForeignFamily(
      name: "RT-DETR or D-FINE", markers: [".bottlenecks."]),
  ]

  /// The family that the names speak of.
  static func named(by names: some Sequence<String>) -> ForeignFamily? {
    let dotted = names.map { "." + $0 }
    return all.first { family in
      family.markers.contains { marker in dotted.contains { $0.contains(marker) } }
    }
  }
}
