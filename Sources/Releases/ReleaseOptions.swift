package import Conversion
package import JSON
package import Tensors

/// How the weights of a network are released, beside what its training checkpoint decides.
package struct ReleaseOptions: Sendable {
  /// Images of known classes that the deploy network is run on.
  package struct Gate: Sendable {
    /// A folder of pictures for each class, or a NumPy file with `images` and `labels`.
    package var images: String
    /// The least top-1 accuracy, in percent; nil for none.
    package var atLeast: Double?
    /// As `PictureOptions` has it.
    package var cropRatio: Double?

    package init(images: String, atLeast: Double? = nil, cropRatio: Double? = nil) {
      self.images = images
      self.atLeast = atLeast
      self.cropRatio = cropRatio
    }
  }

  /// What the files are called, without their extensions, and the model in its documents: see `isName`.
  package var name: String
  /// The formats of the model's files; the first is the one that documents begin with.
  package var formats: [OutputFormat] = [.rvd, .onnx, .safetensors]
  /// How the network is read, fused and written.
  package var fusing = FuseOptions()
  /// What the deploy network has to achieve.
  package var gate: Gate?
  /// What the release was asked for with, as its provenance records it: names and values.
  package var parameters: [JSONValue.Member] = []
  /// Files and folders, beside the training checkpoint, that parameters name.
  package var materials: [(parameter: String, path: String)] = []
  /// A URI for who runs the release, as its provenance records it.
  package var builder = ReleaseOptions.unnamedBuilder
  /// Whether an existing release may be replaced.
  package var replace = false
  /// Threads that prove and evaluate.
  package var threads = Threads.all

  /// Nobody in particular: provenance that nobody signs says no more.
  package static let unnamedBuilder = "urn:repconv:builder:unnamed"

  package init(name: String) {
    precondition(ReleaseOptions.isName(name))
    self.name = name
  }

  /// Whether files can be so called everywhere, in checksums and documents too: letters and digits of ASCII,
  /// and behind the first also `.`, `_` and `-`; at most 100.
  package static func isName(_ text: String) -> Bool {
    text.wholeMatch(of: #/[A-Za-z0-9][A-Za-z0-9._-]{0,99}/#) != nil
  }

  /// A name for the release of a file: that of the file, without extensions of checkpoints.
  package static func name(for path: String) -> String {
    var name = lastPart(of: path)
    while let found = OutputFormat.checkpointExtensions.first(where: {
      name.lowercased().hasSuffix($0)
    }), name.count > found.count {
      name.removeLast(found.count)
    }
    let text = name.unicodeScalars.map { scalar in
      isName("a" + String(scalar)) ? String(scalar) : "-"
    }.joined()
    let fitting = String(text.drop { !isName(String($0)) }.prefix(100))
    return fitting.isEmpty ? "model" : fitting
  }
}
