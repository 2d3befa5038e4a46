public import Tensors

/// Writes tensors as the file that `torch.save` makes of an `OrderedDict` since PyTorch 1.6.
///
/// Members below the folder `archive`:
///
///     data.pkl     the dict as a pickle of protocol 2, in which a tensor is a call of
///                  torch._utils._rebuild_tensor_v2 on a storage, its offset, sizes and strides
///     byteorder    little
///     data/<n>     the bytes of storage n, row-major; one for each tensor
///     version      3
///
/// Loads in PyTorch 1.6 and later, under `weights_only=True` too. The order of the members and of the
/// dict is that of `tensors`.
public enum PyTorchZipWriter {
  /// - Parameter file: empty so far; it is left for the caller to commit.
  /// - Throws: `WriteError.cannotExpress` for element types that PyTorch 1.6 has no storage for, and
  ///   whatever reading the tensors throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all
  ) throws {
    for tensor in tensors where TorchStorageClass.name(of: tensor.elementType) == nil {
      throw WriteError.cannotExpress(
        path: file.path,
        what:
          "'\(tensor.name)' is \(tensor.elementType.rawValue), which .pth files have no storage class for",
        remedy: "Write it as float32, or use .rvd or .safetensors.")
    }
    var archive = StoredZipWriter(file)
    try archive.add("archive/data.pkl", pickle(of: tensors))
    try archive.add("archive/byteorder", Array("little".utf8))
    for (index, tensor) in tensors.enumerated() {
      try archive.add("archive/data/\(index)", tensor: tensor)
    }
    try archive.add("archive/version", Array("3\n".utf8))
    try archive.finish(threads: threads)
  }

  private static func pickle(of tensors: [OutputTensor]) -> [UInt8] {
    var pickle = PickleWriter()
    pickle.emptyOrderedDict()
    // Python's pickler sets items in batches of this many, and so do we.
    let batchLength = 1000
    for start in stride(from: 0, to: tensors.count, by: batchLength) {
      pickle.mark()
      for index in start..<min(start + batchLength, tensors.count) {
        pickle.text(tensors[index].name)
        pickle.tensor(tensors[index], storageKey: String(index))
      }
      pickle.setItems()
    }
    return pickle.finish()
  }
}

/// The few opcodes of protocol 2 that a state dict takes. Nothing is memoised: the same names are
/// written again for every tensor, about 200 bytes each.
private struct PickleWriter {
  private var bytes: [UInt8] = [0x80, 2]  // PROTO

  mutating func mark() { bytes.append(UInt8(ascii: "(")) }
  mutating func tuple() { bytes.append(UInt8(ascii: "t")) }
  mutating func reduce() { bytes.append(UInt8(ascii: "R")) }
  mutating func setItems() { bytes.append(UInt8(ascii: "u")) }

  mutating func finish() -> [UInt8] {
    bytes.append(UInt8(ascii: "."))
    return bytes
  }

  mutating func global(_ module: String, _ name: String) {
    bytes += Array("c\(module)\n\(name)\n".utf8)
  }

  mutating func text(_ text: String) {
    bytes.append(UInt8(ascii: "X"))  // BINUNICODE
    bytes.appendLittleEndian(text.utf8.count, width: 4)
    bytes += Array(text.utf8)
  }

  /// BININT1, BININT2, BININT or LONG1: the shortest, as Python does.
  mutating func integer(_ value: Int) {
    precondition(value >= 0)
    if value <= 0xFF {
      bytes += [UInt8(ascii: "K"), UInt8(value)]
    } else if value <= 0xFFFF {
      bytes.append(UInt8(ascii: "M"))
      bytes.appendLittleEndian(value, width: 2)
    } else if value <= Int(Int32.max) {
      bytes.append(UInt8(ascii: "J"))
      bytes.appendLittleEndian(value, width: 4)
    } else {
      bytes += [0x8A, 8]
      bytes.appendLittleEndian(value, width: 8)
    }
  }

  mutating func integers(_ values: [Int]) {
    mark()
    for value in values { integer(value) }
    tuple()
  }

  mutating func emptyOrderedDict() {
    global("collections", "OrderedDict")
    bytes.append(UInt8(ascii: ")"))  // EMPTY_TUPLE
    reduce()
  }

  /// `_rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, backward_hooks)`, where the
  /// storage is the persistent id `("storage", class, key, location, elements)`.
  mutating func tensor(_ tensor: OutputTensor, storageKey: String) {
    global("torch._utils", "_rebuild_tensor_v2")
    mark()
    mark()
    text("storage")
    global("torch", TorchStorageClass.name(of: tensor.elementType)!)
    text(storageKey)
    text("cpu")
    integer(tensor.shape.elementCount)
    tuple()
    bytes.append(UInt8(ascii: "Q"))  // BINPERSID
    integer(0)
    integers(tensor.shape.dimensions)
    integers(tensor.shape.rowMajorStrides)
    bytes.append(0x89)  // NEWFALSE
    emptyOrderedDict()
    tuple()
    reduce()
  }
}
