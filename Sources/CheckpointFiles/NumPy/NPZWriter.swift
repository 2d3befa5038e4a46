public import Tensors

/// Writes tensors as `numpy.savez` does: a zip archive with a stored member `<name>.npy` for each, in
/// their order (see `NPZFile`). Beyond that, elements begin at multiples of 64 in the file.
///
/// Loads with `numpy.load`, without pickles, in every version.
public enum NPZWriter {
  /// - Parameter file: empty so far; it is left for the caller to commit.
  /// - Throws: `WriteError.cannotExpress` for element types that NumPy does not have, and for names that
  ///   a zip archive cannot hold safely; whatever reading the tensors throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all
  ) throws {
    try tensors.requireUniqueNames(path: file.path)
    var foldedNames: [[UInt8]: Name] = [:]
    var archive = StoredZipWriter(file)
    for tensor in tensors {
      let shown = "'\(printable(tensor.name))'"
      guard let code = NumPyType(tensor.elementType).code else {
        throw WriteError.cannotExpress(
          path: file.path,
          what: "\(shown) is \(tensor.elementType.rawValue), which NumPy has no type for",
          remedy: "Write it as float32, or use .safetensors.")
      }
      let name = Array((tensor.name + ".npy").utf8)
      // numpy.load finds `a.npy` under `a`, and would under `a.npy`.
      let fault =
        ZipArchive.fault(ofName: name)
        ?? (tensor.name.hasSuffix(".npy") ? "'.npy' at its end" : nil)
        ?? (name.count > 0xFFFF ? "\(name.count) bytes" : nil)
      if let fault {
        throw WriteError.cannotExpress(
          path: file.path,
          what: "\(shown) is not a valid name for a member of an archive (\(fault))",
          remedy: "Rename it, or use .safetensors.")
      }
      if let twin = foldedNames.updateValue(tensor.name, forKey: ZipArchive.folded(name)) {
        throw WriteError.cannotExpress(
          path: file.path,
          what:
            "\(shown) and '\(printable(twin))' differ only in case, which archives do not tell apart",
          remedy: "Rename one of them, or use .safetensors.")
      }
      archive.add(
        tensor.name.text + ".npy", NPYHeader.bytes(code: code, shape: tensor.shape), tensor: tensor)
    }
    try archive.finish(threads: threads)
  }
}
