internal import RVD
internal import Tensors

// What files of foreign formats say of their network, wherever they have a place for a text: an object of
// JSON that `formats/safetensors.md` specifies.

extension DescriptionProblem {
  /// That `place` says something of the network which nobody can use. Tensors are right whatever it says,
  /// so what is not understood is left alone.
  func note(on place: String) -> String {
    "What \(place) says of the network was left alone: \(printable(reason))."
  }
}
