internal import Checkpoints
internal import JSON
internal import RVD
internal import Tensors

/// Checkpoints in the safetensors format.
///
///     u64      the length N of the header, at most 100,000,000
///     N bytes  the header: a JSON object, white space behind it to fill up
///     ...      the data
///
/// The header has an entry for each tensor, and may have `__metadata__`, an object of strings:
///
///     "stage0.rbr_dense.conv.weight":
///       {"dtype": "F32", "shape": [48, 3, 3, 3], "data_offsets": [0, 5184]}
///
/// What this program knows of a network stands in the metadata, under a key of its own
/// (`formats/safetensors.md`).
///
/// Offsets count from the start of the data. Elements are little-endian and row-major; a tensor need
/// not be aligned. The tensors cover the data from the first byte to the last, without holes and
/// without overlap.
///
/// Where the format's own library (0.8) is laxer than the format, so is this reader, and says so, as
/// far as it is clear what is meant; a name that repeats is refused, although the library takes the
/// last.
///
/// <https://github.com/huggingface/safetensors>: `README.md`, `safetensors/src/tensor.rs`.
enum SafetensorsFile {
  /// The key of what the file says of the network.
  static let descriptionKey: Name = "repconv"

  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    guard matches(opened.head) else { return nil }
    return try read(opened.file)
  }

  /// Whether a file that begins so is meant as a safetensors file: a JSON object at byte 8, also
  /// where something stands before it that must not, and a length of 32 bits before all that.
  ///
  /// Such a length may happen to begin like a pickle.
  static func matches(_ head: [UInt8]) -> Bool {
    guard head.count > 8, head.littleEndian64(at: 0) <= UInt64(UInt32.max) else { return false }
    var text = head.dropFirst(8)
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { text.removeFirst(3) }
    text = text.drop(while: JSONCursor.isWhiteSpace)
    guard text.popFirst() == UInt8(ascii: "{") else { return false }
    guard let second = text.first(where: { !JSONCursor.isWhiteSpace($0) }) else { return true }
    return second == UInt8(ascii: "\"") || second == UInt8(ascii: "}")
  }

  static func read(_ file: any ByteSource) throws(ReadError) -> Checkpoint {
    let prefix = try file.bytes(0..<8, field: "the length of the header")
    let length = prefix.littleEndian64(at: 0)
    guard length <= file.limits[.safetensorsHeader] else {
      throw file.exceeded(.safetensorsHeader, what: "bytes of the header", found: "\(length)")
    }
    let dataStart = 8 + Int(length)
    let header = try SafetensorsHeader(
      try file.bytes(8..<dataStart, field: "the header"), of: file, at: file.location(at: 8))
    let available = file.count - dataStart
    guard header.dataCount <= available else {
      throw .truncated(
        file.location(at: dataStart), field: "the data", needed: header.dataCount,
        available: available)
    }
    guard header.dataCount == available else {
      throw .malformed(
        file.location(at: dataStart),
        expected: "\(header.dataCount) bytes of data, as many as the tensors take",
        found: "\(available)", remedy: fetchAgain)
    }
    var tensors: [NamedTensor] = []
    for entry in header.entries {
      tensors.append(NamedTensor(entry.name, try tensor(entry, in: file, dataStart)))
    }
    var notes = header.notes
    notes += try booleanNotes(tensors)
    if tensors.isEmpty { notes.append("The file holds no tensors.") }
    var stateDict = StateDict(tensors: tensors)
    var model: ModelDescription?
    if var metadata = header.metadata {
      model = takeDescription(from: &metadata, &notes)
      addAliases(metadata, to: &stateDict, &notes)
      stateDict.ignored.append(("__metadata__", description(of: metadata)))
    }
    return Checkpoint(
      path: file.location.path, container: "safetensors", family: "safetensors",
      byteCount: file.count, stateDicts: tensors.isEmpty ? [] : [stateDict], notes: notes,
      model: model)
  }

  /// Takes what the file says of its network out of the metadata.
  private static func takeDescription(
    from metadata: inout [(key: Name, value: String)], _ notes: inout [String]
  ) -> ModelDescription? {
    guard let index = metadata.firstIndex(where: { $0.key == descriptionKey }) else { return nil }
    do {
      let model = try ModelDescription(portableText: metadata[index].value)
      metadata.remove(at: index)
      return model
    } catch {
      notes.append(error.note(on: "'\(printable(descriptionKey))' in the metadata"))
      return nil
    }
  }

  private static func tensor(
    _ entry: SafetensorsHeader.Entry, in file: any ByteSource, _ dataStart: Int
  ) throws(ReadError) -> Tensor {
    guard let elementType = entry.type.elementType else {
      throw .unsupported(
        entry.place,
        what: "'\(printable(entry.name))' has the dtype \(entry.type.rawValue), which is not read",
        remedy: "Save it again in a wider type, such as float32.")
    }
    return try Tensor(
      elementType, shape: entry.shape, in: file, at: dataStart + entry.range.lowerBound,
      name: entry.name)
  }

  /// Tensors that share their memory with another cannot be stored as such. `save_model` of the Python
  /// library leaves all but one of them out, and writes their names in the metadata, each with the name
  /// of the one that is there.
  private static func addAliases(
    _ metadata: [(key: Name, value: String)], to stateDict: inout StateDict,
    _ notes: inout [String]
  ) {
    var tensors: [Name: Tensor] = [:]
    for named in stateDict.tensors { tensors[named.name] = named.tensor }
    var aliases = Examples()
    for (name, kept) in metadata where name != "format" && tensors[name] == nil {
      guard let tensor = tensors[Name(kept)] else { continue }
      stateDict.tensors.append(NamedTensor(name, tensor))
      aliases.add("'\(printable(name))' is '\(printable(kept))'")
    }
    aliases.note("Tensors that are others, as the metadata say", in: &notes)
  }

  private static func description(of metadata: [(key: Name, value: String)]) -> String {
    let shown = metadata.prefix(3).map { "\(printable($0.key)): \(printable($0.value))" }
    let text = shown.joined(separator: ", ") + (metadata.count > 3 ? ", ..." : "")
    return "\(metadata.count) \(metadata.count == 1 ? "string" : "strings")"
      + (metadata.isEmpty ? "" : " (\(text))")
  }

  /// Every byte but 0 is true; more than one that is not 1 points to a writer that meant something
  /// else. Masks are rare and short, and weights are not booleans, so only so much is looked at.
  private static func booleanNotes(_ tensors: [NamedTensor]) throws(ReadError) -> [String] {
    var bytesLeft = 1 << 20
    var odd = Examples()
    for named in tensors where named.tensor.elementType == .bool {
      let count = min(bytesLeft, named.tensor.byteCount)
      bytesLeft -= count
      let start = named.tensor.byteOffset
      let bytes = try named.tensor.source.bytes(start..<start + count, field: "booleans")
      if let other = bytes.first(where: { $0 > 1 }) {
        odd.add("\(other) in '\(printable(named.name))'")
      }
    }
    var notes: [String] = []
    odd.note("Tensors with booleans other than 0 and 1, which are true", in: &notes)
    return notes
  }
}
