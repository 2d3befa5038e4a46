public import Checkpoints
internal import RVD
public import Tensors

/// Writes tensors as the file that `torch.save` makes of an `OrderedDict` since PyTorch 1.6.
///
/// Members below the folder `archive`:
///
///     data.pkl     the dict as a pickle of protocol 2, in which a tensor is a call of
///                  torch._utils._rebuild_tensor_v2 on a storage, its offset, sizes and strides
///     byteorder    little
///     data/<n>     the bytes of storage n, row-major; one for each tensor
///     extra/repconv.json    what is known of the network (`formats/pytorch.md`), unless that is nothing
///     version      3
///
/// Loads in PyTorch 1.6 and later, under `weights_only=True` too; it looks at no member that it does not
/// know. The order of the members and of the dict is that of `tensors`.
public enum PyTorchZipWriter {
  /// - Parameters:
  ///   - file: empty so far; it is left for the caller to commit.
  ///   - description: of the network; its graph and content digest have no place in the file.
  /// - Throws: `WriteError.cannotExpress` for element types that PyTorch 1.6 has no storage for, for
  ///   repeated names, and for a description that breaks a rule of `.rvd`; whatever reading the tensors
  ///   throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all,
    description: ModelDescription = ModelDescription()
  ) throws {
    try tensors.requireUniqueNames(path: file.path)
    for tensor in tensors where TorchStorageClass.name(of: tensor.elementType) == nil {
      throw WriteError.cannotExpress(
        path: file.path,
        what:
          "'\(tensor.name)' is \(tensor.elementType.rawValue), which .pth files have no storage class for",
        remedy: "Write it as float32, or use .rvd or .safetensors.")
    }
    var archive = StoredZipWriter(file)
    archive.add("archive/data.pkl", pickle(of: tensors))
    archive.add("archive/byteorder", Array("little".utf8))
    for (index, tensor) in tensors.enumerated() {
      archive.add("archive/data/\(index)", tensor: tensor)
    }
    // Behind the tensors, which are where they would be without it.
    if let text = try description.portableText(path: file.path) {
      archive.add("archive/\(PyTorchZip.descriptionMember)", Array(text.utf8))
    }
    archive.add("archive/version", Array("3\n".utf8))
    try archive.finish(threads: threads)
  }

  private static func pickle(of tensors: [OutputTensor]) -> [UInt8] {
    var pickle = PickleWriter(protocol: 2)
    pickle.emptyOrderedDict()
    let batchLength = PickleWriter.batchLength
    for start in stride(from: 0, to: tensors.count, by: batchLength) {
      pickle.mark()
      for index in start..<min(start + batchLength, tensors.count) {
        pickle.text(tensors[index].name.text)
        pickle.tensor(tensors[index], storageKey: String(index))
      }
      pickle.setItems()
    }
    return pickle.finish()
  }
}

extension PickleWriter {
  /// `_rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, backward_hooks)`, where the
  /// storage is the persistent id `("storage", class, key, location, elements)`.
  fileprivate mutating func tensor(_ tensor: OutputTensor, storageKey: String) {
    global("torch._utils", "_rebuild_tensor_v2")
    mark()
    mark()
    text("storage")
    global("torch", TorchStorageClass.name(of: tensor.elementType)!.text)
    text(storageKey)
    text("cpu")
    integer(tensor.shape.elementCount)
    tuple()
    persistentID()
    integer(0)
    integers(tensor.shape.dimensions)
    integers(tensor.shape.rowMajorStrides)
    bool(false)
    emptyOrderedDict()
    tuple()
    reduce()
  }
}
