public import Checkpoints
public import Tensors

/// Reads what `formats` know of the checkpoint at `path`: its directory and its object graph, no
/// weights.
///
/// The first format that knows the file's content reads it; the extension of its name means nothing.
///
/// - Parameter limits: of what the file may ask for.
/// - Throws: `ReadError.notACheckpoint` or `.unsupported`, saying what the file is as far as can be
///   told, if none does.
public func readCheckpoint(
  path: String, formats: [FileFormat] = FileFormat.all, limits: ReadingLimits = ReadingLimits()
) throws(ReadError) -> Checkpoint {
  let opened = try OpenedFile(try InputFile(path: path, limits: limits))
  guard opened.file.count > 0 else {
    throw .notACheckpoint(
      opened.file.location, what: "the file is empty", remedy: "Fetch or save it again.")
  }
  for format in formats {
    guard var checkpoint = try format.read(opened) else { continue }
    for name in checkpoint.stateDicts.lazy.flatMap({ $0.path + $0.tensors.map(\.name) }) {
      if let fault = fault(ofName: name, in: opened.file) { throw fault }
    }
    checkpoint.file = opened.file
    return checkpoint
  }
  throw try refusal(of: opened)
}

/// A kind of file that can be read.
public struct FileFormat: Sendable {
  /// As a person would call it.
  public let name: String
  /// Reads a file; returns nil if it is of another format.
  public let read: @Sendable (OpenedFile) throws(ReadError) -> Checkpoint?

  public init(
    name: String, read: @escaping @Sendable (OpenedFile) throws(ReadError) -> Checkpoint?
  ) {
    self.name = name
    self.read = read
  }

  /// Every format of this library. To add one, write its reader and name it here, or in the table of
  /// `ZipFile` if it is a zip archive, of `PickleFile` if it is a pickle.
  public static let all = [
    // Before the pickles: the length that a safetensors file begins with may look like one.
    FileFormat(name: "safetensors", read: SafetensorsFile.read),
    FileFormat(name: "zip archive", read: ZipFile.read),
    FileFormat(name: "pickle", read: PickleFile.read),
    FileFormat(name: "NumPy array", read: NPYFile.read),
    FileFormat(name: "HDF5", read: HDF5Checkpoint.read),
    FileFormat(name: "TensorRT .wts", read: WTSFile.read),
    FileFormat(name: "ONNX", read: ONNXCheckpoint.read),
  ]
}

/// A file open for reading, and its first bytes.
public struct OpenedFile: Sendable {
  /// The whole file.
  public let file: InputFile
  /// The first bytes; all, if the file is shorter.
  public let head: [UInt8]

  private static let headLength = 4096

  /// Reads the first bytes.
  public init(_ file: InputFile) throws(ReadError) {
    self.file = file
    head = try file.bytes(0..<min(file.count, OpenedFile.headLength), field: "the first bytes")
  }

  /// Whether the file has these bytes at `offset` of its head.
  public func has(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
    head.dropFirst(offset).starts(with: bytes)
  }

  /// Whether the file has this text at `offset` of its head.
  public func has(_ text: String, at offset: Int = 0) -> Bool {
    has(Array(text.utf8), at: offset)
  }
}
