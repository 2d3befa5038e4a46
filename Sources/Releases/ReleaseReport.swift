internal import Checksums
package import Conversion
package import Inference
internal import Proof
internal import Tensors

/// What became of the weights of one network.
package struct ReleaseReport: Sendable {
  /// How far it came.
  package enum Status: String, Encodable, Sendable {
    /// Nothing was written, as asked.
    case planned
    /// The folder is new.
    case released
    /// The folder was there, with just these files.
    case unchanged
  }

  package var status = Status.planned
  /// What the files are called.
  package var name: String
  /// As the user gave it.
  package var folder: String
  /// The training checkpoint, as the user gave it.
  package var train: String
  /// SHA-256 of it, if it was computed.
  package var trainDigest: String?
  /// Files and folders of the model, in the folder.
  package var outputs: [String]
  /// `RepVGG-A0`, or what it consists of.
  package var network: String?
  /// What is known of the network; nil of a release that was there.
  package var fusion: FuseReport?
  /// What should be said of it.
  package var notes: [Note]
  /// SHA-256 over the tensors, if a format stores it.
  package var contentDigest: String?
  /// Everything in the folder.
  package var files: [ReleasedFile] = []
  package var proofs: [ReleaseProof] = []
  package var evaluation: Evaluation?

  init(
    name: String, folder: String, train: String, outputs: [String], fusion: FuseReport? = nil,
    notes: [Note] = []
  ) {
    self.name = name
    self.folder = folder
    self.train = train
    self.outputs = outputs
    self.fusion = fusion
    network = fusion?.networkName
    self.notes = notes
  }

  /// Right answers of an evaluation, as a share from 0 to 1; nil without one.
  package var top1: Double?
}

extension ReleasedFile: Encodable {
  package func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "file": name, "format": format, "bytes": byteCount, "sha256": sha256,
    ])
  }
}

extension ReleaseProof: Encodable {
  package func encode(to encoder: any Encoder) throws {
    let (comparison, reason): (NetworkComparison?, String?) =
      switch networks {
      case .compared(let comparison, _): (comparison, nil)
      case .leftOut(let reason): (nil, reason)
      }
    try encoder.encode(members: [
      "file": file, "blocks": verification.blocks.count, "copies": verification.tensors.count,
      "grade": verification.grade.name, "networks": comparison, "networksNotRun": reason,
    ])
  }
}

/// In hexadecimal.
func sha256(of bytes: [UInt8]) -> String {
  var hash = SHA256()
  hash.update(bytes)
  return hash.finalize().hexadecimal
}

extension FuseReport {
  /// `RepVGG-A0`, or what it consists of.
  var networkName: String {
    source.architecture ?? "\(count(blocks, "block")) inside a larger network"
  }
}
