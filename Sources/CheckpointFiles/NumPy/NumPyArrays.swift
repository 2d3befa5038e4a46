internal import Checkpoints
public import Tensors

/// The arrays of a NumPy file: those of an `.npz` by their names, that of an `.npy` without one.
///
/// - Throws: `ReadError.unsupported` if the file is not NumPy's.
public func readArrays(path: String) throws(ReadError) -> [NamedTensor] {
  let opened = try OpenedFile(try InputFile(path: path))
  if opened.has(NPYHeader.magic) { return [NamedTensor("", try NPYFile.array(opened))] }
  let archive = FileFormat(name: "zip archive", read: ZipFile.read)
  guard let checkpoint = try archive.read(opened), checkpoint.family == "numpy" else {
    throw .unsupported(
      opened.file.location, what: "it is not a file of NumPy arrays",
      remedy: "Save the arrays with numpy.save or numpy.savez.")
  }
  return checkpoint.stateDicts.first?.tensors ?? []
}

/// Whether a file begins as an `.npy` file or a zip archive, such as an `.npz` file, does.
///
/// - Throws: `ReadError` if it cannot be read.
public func beginsAsArrays(path: String) throws(ReadError) -> Bool {
  let opened = try OpenedFile(try InputFile(path: path))
  return opened.has(NPYHeader.magic) || opened.has("PK")
}
