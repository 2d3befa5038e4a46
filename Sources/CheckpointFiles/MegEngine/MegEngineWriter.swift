public import Tensors

/// Writes tensors as `megengine.save(module.state_dict(), file)` does: one pickle of an `OrderedDict` of
/// NumPy arrays (see `MegEngineCheckpoint` and `PickledArrays`).
///
/// Protocol 4, without frames; functions and types by the names of NumPy before 2, which later versions
/// know too. Loads with `megengine.load`, and with `pickle.load` wherever there is NumPy.
///
/// Shapes are written as they are: MegEngine's kernels of grouped convolutions are 5-D (groups, out and
/// in channels of each group, height, width), its convolutions' biases (1, O, 1, 1).
public enum MegEngineWriter {
  /// - Parameter file: empty so far; it is left for the caller to commit.
  /// - Throws: `WriteError.cannotExpress` for element types that NumPy does not have, and repeated names;
  ///   whatever reading the tensors throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all
  ) throws {
    precondition(file.count == 0)
    try tensors.requireUniqueNames(path: file.path)
    // What stands before the bytes of each tensor, and behind the last.
    var texts: [[UInt8]] = []
    var pickle = PickleWriter(protocol: 4)
    pickle.emptyOrderedDict()
    for (index, tensor) in tensors.enumerated() {
      guard let code = NumPyType(tensor.elementType).code else {
        throw WriteError.cannotExpress(
          path: file.path,
          what: "'\(printable(tensor.name))' is \(tensor.elementType.rawValue), which NumPy has no "
            + "type for",
          remedy: "Write it as float32, or use .safetensors.")
      }
      if index % PickleWriter.batchLength == 0 { pickle.mark() }
      pickle.text(tensor.name.text)
      pickle.beginArray(code: code, shape: tensor.shape)
      pickle.beginByteString(tensor.byteCount)
      texts.append(pickle.take())
      pickle.tuple()
      pickle.build()
      if (index + 1) % PickleWriter.batchLength == 0 || index + 1 == tensors.count {
        pickle.setItems()
      }
    }
    texts.append(pickle.finish())

    var end = 0
    var textOffsets: [Int] = []
    var offsets: [Int] = []
    for (index, text) in texts.enumerated() {
      textOffsets.append(end)
      end += text.count
      guard index < tensors.count else { break }
      offsets.append(end)
      end += tensors[index].byteCount
    }
    try file.reserve(end)
    for (text, offset) in zip(texts, textOffsets) { try file.overwrite(text, at: offset) }
    try file.write(tensors, at: offsets, threads: threads)
  }
}

extension PickleWriter {
  /// `_reconstruct(ndarray, (0,), b"b")`, a mark, and the state up to its data: the version, the shape,
  /// the type and that it is row-major.
  fileprivate mutating func beginArray(code: String, shape: Shape) {
    memoised("_reconstruct") { $0.global("numpy.core.multiarray", "_reconstruct") }
    mark()
    memoised("ndarray") { $0.global("numpy", "ndarray") }
    integers([0])
    byteString(Array("b".utf8))
    tuple()
    reduce()
    mark()
    integer(1)
    integers(shape.dimensions)
    memoised(code) { $0.type(code) }
    bool(false)
  }

  /// `dtype(kind, False, True)` with the state `(3, byte order, None, None, None, -1, -1, 0)`.
  private mutating func type(_ code: String) {
    global("numpy", "dtype")
    mark()
    text(String(code.dropFirst()))
    bool(false)
    bool(true)
    tuple()
    reduce()
    mark()
    integer(3)
    text(String(code.prefix(1)))
    for _ in 0..<3 { none() }
    integer(-1)
    integer(-1)
    integer(0)
    tuple()
    build()
  }
}
