internal import Checkpoints
internal import RVD
internal import Tensors

// What files of foreign formats say of their network, wherever they have a place for a text: an object of
// JSON that `formats/safetensors.md` specifies.

extension ModelDescription {
  /// What a file can say of it; nil if that is nothing.
  ///
  /// - Throws: `WriteError.cannotExpress` if it breaks a rule of `.rvd`.
  func portableText(path: String) throws(WriteError) -> String? {
    do {
      return try portableText()
    } catch {
      throw .cannotExpress(
        path: path, what: "what is said of the network is no use: \(printable(error.reason))",
        remedy: "Correct what is said of it, or leave it out.")
    }
  }
}

extension DescriptionProblem {
  /// That `place` says something of the network which nobody can use. Tensors are right whatever it says,
  /// so what is not understood is left alone.
  func note(on place: String) -> String {
    "What \(place) says of the network was left alone: \(printable(reason))."
  }
}
