internal import HDF5
public import Tensors

/// Writes tensors as a flat HDF5 file (see `HDF5FlatFile`): one dataset for each below the root, `/` in
/// names as `+`, as ACNet, ResRep and DiverseBranchBlock keep state dicts.
public enum HDF5Writer {
  /// - Parameter file: empty so far; it is left for the caller to commit.
  /// - Throws: `WriteError.cannotExpress` for types that HDF5 and h5py have no convention for, for
  ///   names with `+` in them, empty or repeated names; whatever reading the tensors throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all
  ) throws {
    precondition(file.count == 0)
    try tensors.requireUniqueNames(path: file.path)
    let layout = HDF5FlatFile(
      try tensors.map { (tensor) throws(WriteError) in try dataset(for: tensor, path: file.path) })
    try file.reserve(layout.byteCount)
    try file.overwrite(layout.head, at: 0)
    try file.write(tensors, at: layout.offsets, threads: threads)
  }

  private static func dataset(
    for tensor: OutputTensor, path: String
  ) throws(WriteError) -> HDF5FlatFile.Dataset {
    let shown = "'\(printable(tensor.name))'"
    let name = tensor.name.replacing("/", with: "+")
    guard !tensor.name.utf8.contains(UInt8(ascii: "+")), HDF5FlatFile.canName(name) else {
      throw .cannotExpress(
        path: path, what: "\(shown) cannot be the name of a dataset ('+' stands for '/')",
        remedy: "Rename it, or write another format, as safetensors.")
    }
    guard
      let dataset = HDF5FlatFile.Dataset(name: name, tensor.elementType, shape: tensor.shape)
    else {
      throw .cannotExpress(
        path: path,
        what:
          "\(shown) is \(tensor.elementType.rawValue) \(tensor.shape), which HDF5 has no type for",
        remedy: "Write it as float32, or use .safetensors.")
    }
    return dataset
  }
}
