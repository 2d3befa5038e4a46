internal import Checkpoints
internal import Conversion
package import Inference
internal import JSON
package import Proof
internal import Reporting
internal import Tensors

/// A file in the folder of a release.
package struct ReleasedFile: Equatable, Sendable {
  /// In the folder, with the folders in it that it is in.
  package let name: String
  /// Bytes of it.
  package let byteCount: Int
  /// In hexadecimal.
  package let sha256: String
  /// The format of a model that it is, or is a part of: `RVD 1`; nil of a document.
  package let format: String?
}

/// How a file of a model was proven to be the training checkpoint, fused.
package struct ReleaseProof: Sendable {
  /// The file, in the folder of the release.
  package let file: String
  /// Blocks and other tensors, recomputed from the training checkpoint by other code.
  package let verification: Verification
  /// Both forms, run on the same random images.
  package let networks: NetworkProof
}

/// What a release has to say, for its documents.
struct ReleaseFacts: Sendable {
  let name: String
  /// The training checkpoint, then what else was read.
  let materials: [Material]
  /// The training checkpoint and the file of the model that says most, as they can be read now, and how.
  let readable: (train: String, model: String, options: ReportingOptions)
  let parameters: [JSONValue.Member]
  let builder: String
  /// What was fused.
  let fusion: FuseReport
  /// What the weights are stored in.
  let weightType: WeightType
  /// The formats in order, each with the file or folder that it consists of.
  let outputs: [(format: OutputFormat, name: String)]
  let proofs: [ReleaseProof]
  let evaluation: EvaluationReport?
  /// The file that was evaluated.
  let evaluatedFile: String?
  /// What it was evaluated on, by the last part of its path.
  let evaluationName: String
  /// SHA-256 over the tensors, if a format stores it.
  let contentDigest: String?
  /// All files so far: those of the model, then the documents that were made before.
  var files: [ReleasedFile]

  var train: Material { materials[0] }
  var metadata: ModelMetadata { fusion.metadata ?? ModelMetadata() }
  var classes: Int? { fusion.source.structure?.classes }
  /// In the words of Hugging Face's list, if it is known.
  var task: String? { metadata.task ?? classes.map { _ in "image-classification" } }
  var network: String { fusion.networkName }
}
