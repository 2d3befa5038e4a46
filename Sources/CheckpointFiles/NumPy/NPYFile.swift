internal import Checkpoints
internal import Tensors

/// Files of one array, as `numpy.save` writes them. An array has no name, so it is no checkpoint; what
/// it is can be said.
enum NPYFile {
  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    guard opened.has(NPYHeader.magic) else { return nil }
    let header = try NPYHeader(of: opened.file)
    let what: String
    var remedy =
      "Weights need names: numpy.savez(\"weights.npz\", **{name: array, ...}), and convert that."
    switch header.elements {
    case .numbers(let type): what = "of \(type.elementType.rawValue) \(header.shape)"
    case .text: what = "of strings"
    case .other(let dtype):
      what = "of dtype \(dtype)"
      remedy =
        "Load it with numpy.load(file, allow_pickle=True), save the arrays in it with numpy.savez, "
        + "and convert that."
    }
    throw .unsupported(
      opened.file.location, what: "the file holds a single array without a name, \(what)",
      remedy: remedy)
  }

  /// The array of numbers in a file that begins as such files do.
  static func array(_ opened: OpenedFile) throws(ReadError) -> Tensor {
    let header = try NPYHeader(of: opened.file)
    guard case .numbers(let type) = header.elements else {
      throw .unsupported(
        opened.file.location, what: "the array is not one of numbers",
        remedy: "Save it again with plain numbers, such as float32, in its place.")
    }
    return try Tensor(
      type.elementType, shape: header.shape,
      strides: header.isColumnMajor ? header.shape.columnMajorStrides : nil,
      byteOrder: type.byteOrder, in: opened.file, at: header.end, name: "the array")
  }
}
