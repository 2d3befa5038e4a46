public import Checkpoints
internal import JSON
internal import RVD
public import Tensors

/// Writes tensors as a safetensors file (see `SafetensorsFile`), the same bytes as the format's own
/// library.
///
/// Tensors are sorted by type, the widest first, then by the bytes of their names, and packed, so that
/// all are aligned. The header has no blanks but those that fill it up to a multiple of 8, and begins
/// with `"__metadata__":{"format":"pt"`: several programs refuse files that do not say so. What is known
/// of the network follows it.
public enum SafetensorsWriter {
  /// - Parameters:
  ///   - file: empty so far; it is left for the caller to commit.
  ///   - description: of the network; its graph and content digest have no place in the file.
  /// - Throws: `WriteError.cannotExpress` for complex128, repeated names and `__metadata__`, and for a
  ///   description that breaks a rule of `.rvd`; whatever reading the tensors throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all,
    description: ModelDescription = ModelDescription()
  ) throws {
    precondition(file.count == 0)
    let sorted = try sorted(tensors, path: file.path)
    var header = Array("{\"__metadata__\":{\"format\":\"pt\"".utf8)
    if let text = try description.portableText(path: file.path) {
      header += ",\"\(SafetensorsFile.descriptionKey.text)\":".utf8
      JSONValue.append(text, to: &header)
    }
    header.append(UInt8(ascii: "}"))
    var offsets: [Int] = []
    var end = 0
    for tensor in sorted {
      offsets.append(end)
      header += entry(of: tensor.output, tensor.type, from: end)
      end += tensor.output.byteCount
    }
    header.append(UInt8(ascii: "}"))
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    guard header.count <= ReadingLimits.Limit.safetensorsHeader.usual else {
      throw WriteError.cannotExpress(
        path: file.path,
        what: "the header of \(tensors.count) tensors takes \(header.count) bytes, more than "
          + "safetensors allows",
        remedy: "Write another format, or fewer tensors.")
    }
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(header.count, width: 8)
    bytes += header
    try file.reserve(bytes.count + end)
    try file.overwrite(bytes, at: 0)
    try file.write(sorted.map(\.output), at: offsets.map { bytes.count + $0 }, threads: threads)
  }

  private static func sorted(
    _ tensors: [OutputTensor], path: String
  ) throws(WriteError) -> [(output: OutputTensor, type: SafetensorsType)] {
    try tensors.requireUniqueNames(path: path)
    var typed: [(output: OutputTensor, type: SafetensorsType, rank: Int)] = []
    for tensor in tensors {
      guard let type = SafetensorsType(tensor.elementType) else {
        throw .cannotExpress(
          path: path,
          what: "'\(printable(tensor.name))' is \(tensor.elementType.rawValue), which safetensors "
            + "has no type for",
          remedy: "Write it as complex64, or use .npz or .pth.")
      }
      guard tensor.name != "__metadata__" else {
        throw .cannotExpress(
          path: path, what: "a tensor is called '__metadata__', which safetensors reserves",
          remedy: "Rename it.")
      }
      typed.append((tensor, type, SafetensorsType.allCases.firstIndex(of: type)!))
    }
    typed.sort { one, other in
      one.rank != other.rank
        ? one.rank > other.rank
        : one.output.name.utf8.lexicographicallyPrecedes(other.output.name.utf8)
    }
    return typed.map { ($0.output, $0.type) }
  }

  private static func entry(
    of tensor: OutputTensor, _ type: SafetensorsType, from begin: Int
  ) -> [UInt8] {
    let sizes = tensor.shape.dimensions.map(String.init).joined(separator: ",")
    var text: [UInt8] = [UInt8(ascii: ",")]
    JSONValue.append(tensor.name.text, to: &text)
    text += ":{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(sizes)],\"data_offsets\":".utf8
    text += "[\(begin),\(begin + tensor.byteCount)]}".utf8
    return text
  }
}
