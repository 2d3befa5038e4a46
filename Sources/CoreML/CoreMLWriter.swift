public import Checkpoints
internal import Graphs
internal import Protobuf
internal import RVD
internal import Synchronization
public import Tensors

/// Writes networks as Core ML packages: folders with an ML Program, for one image at a time.
///
///     Manifest.json                               which item is the model, which its weights
///     Data/com.apple.CoreML/model.mlmodel         a message `Model` with a program of MIL
///     Data/com.apple.CoreML/weights/weight.bin    the elements of its tensors
///
/// Weights, all little-endian (`MILBlob/Blob/StorageFormat.hpp` of github.com/apple/coremltools):
///
///     0     u32 blobs, u32 version 2, zeros up to 64
///     then of each blob, at a multiple of 64:
///     +0    u32 0xDEADBEEF, u32 type, u64 bytes of the elements, u64 where they begin, zeros up to 64
///     +64   the elements
///
/// The program refers to a blob by where its record begins.
public enum CoreMLWriter {
  /// The list of a package's items, without which a folder is no package.
  public static let manifestName = "Manifest.json"
  static let weightsName = "weight.bin"
  private static let author = "com.apple.CoreML"
  private static let alignment = 64

  /// What was written.
  public struct Summary: Equatable, Sendable {
    /// The content digest, as an `.rvd` of the same tensors says it.
    public var contentSHA256: String
  }

  /// Writes `model` to `folder`, which the caller commits.
  ///
  /// - Parameters:
  ///   - folder: empty so far.
  ///   - imageSize: height and width of the images.
  ///   - sourceSHA256: computed while tensors are written, to take the place of the one in the model's
  ///     provenance, which must be there.
  /// - Throws: `WriteError.cannotExpress` if there is no graph, if it does not fit its tensors or the size of
  ///   the images, or if the tensors are of a type that Core ML does not have; what `folder` or the tensors
  ///   throw.
  public static func write(
    _ model: DeployModel, to folder: OutputFolder, imageSize: (height: Int, width: Int),
    threads: Threads = .all, sourceSHA256: (@Sendable () throws -> String)? = nil
  ) throws -> Summary {
    let path = folder.path
    let shapes = try model.shapes(ofImages: imageSize, for: "a Core ML package", path: path)
    let elementType = try model.commonType(for: "Core ML", path: path)
    guard let type = Program.DataType(elementType) else {
      throw WriteError.cannotExpress(
        path: path,
        what: "its tensors are \(elementType.rawValue), in which Core ML has no weights",
        remedy: "Choose another type for them, such as float32 or float16.")
    }
    let program = Lowering(
      model.description.graph!, shapes: shapes, tensors: model.tensors, type
    ).result
    var description = model.description
    _ = try description.portableText(path: path)

    let data = "Data/\(author)"
    let weights = try folder.makeFile("\(data)/weights/\(weightsName)")
    let digest = Mutex<String?>(nil)
    let (offsets, content) = try write(program.blobs, to: weights, threads: threads) {
      let computed = try sourceSHA256?()
      digest.withLock { $0 = computed }
    }
    if let digest = digest.withLock({ $0 }) { description.provenance?.sourceSHA256 = digest }
    var userDefined = [("content_sha256", content)]
    if let text = try description.portableText(path: path) {
      userDefined.append(("repconv", text))
    }
    let message = program.model(
      offsets: offsets, license: description.metadata.license, userDefined: userDefined)
    try folder.makeFile("\(data)/model.mlmodel").append(message.bytes)
    try folder.makeFile(manifestName).append(Array(manifest(of: content).utf8))
    return Summary(contentSHA256: content)
  }

  /// Writes the file of weights.
  ///
  /// - Returns: where the record of each blob is, and the content digest.
  private static func write(
    _ blobs: [Program.Blob], to file: OutputFile, threads: Threads,
    aside: @Sendable () throws -> Void
  ) throws -> (offsets: [Int], content: String) {
    var offsets: [Int] = []
    var end = alignment
    for blob in blobs {
      end = (end + alignment - 1) / alignment * alignment
      offsets.append(end)
      end += alignment + blob.tensor.byteCount
    }
    try file.reserve(end)
    var header: [UInt8] = []
    header.appendLittleEndian(blobs.count, width: 4)
    header.appendLittleEndian(2, width: 4)
    try file.overwrite(header, at: 0)
    for (blob, offset) in zip(blobs, offsets) {
      var record: [UInt8] = []
      record.appendLittleEndian(0xDEAD_BEEF, width: 4)
      record.appendLittleEndian(blobCode(of: blob.tensor.elementType), width: 4)
      record.appendLittleEndian(blob.tensor.byteCount, width: 8)
      record.appendLittleEndian(offset + alignment, width: 8)
      try file.overwrite(record, at: offset)
    }
    let digests = try file.write(
      blobs.map(\.tensor), at: offsets.map { $0 + alignment }, threads: threads, aside: aside,
      checksum: { ElementDigest(of: blobs[$0].tensor) })
    var scales: [Int: Int] = [:]
    for (index, blob) in blobs.enumerated() {
      if case .scales(let steps) = blob.source { scales[steps] = index }
    }
    return (offsets, ContentDigest(of: digests, scales: scales).hexadecimal)
  }

  /// `MILBlob::Blob::BlobDataType`.
  private static func blobCode(of type: ElementType) -> Int {
    switch type {
    case .float16: 1
    case .float32: 2
    case .int8: 4
    default: preconditionFailure("no blob is of \(type)")
    }
  }

  /// `Manifest.json`, as coremltools formats it; items are called by numbers made of the content digest, so
  /// that the same network gives the same bytes.
  private static func manifest(of content: String) -> String {
    let (model, weights) = (identifier(content.prefix(32)), identifier(content.suffix(32)))
    let items = [
      (identifier: model, what: "Specification", name: "model.mlmodel"),
      (identifier: weights, what: "Weights", name: "weights"),
    ].sorted { $0.identifier < $1.identifier }
    let entries = items.map {
      """
              "\($0.identifier)": {
                  "author": "\(author)",
                  "description": "CoreML Model \($0.what)",
                  "name": "\($0.name)",
                  "path": "\(author)/\($0.name)"
              }
      """
    }
    return """
      {
          "fileFormatVersion": "1.0.0",
          "itemInfoEntries": {
      \(entries.joined(separator: ",\n"))
          },
          "rootModelIdentifier": "\(model)"
      }

      """
  }

  /// A UUID (RFC 9562) of 32 hexadecimal digits of a digest, of the kind that is the writer's own matter: 8.
  private static func identifier(_ digits: some StringProtocol) -> String {
    var digits = Array(digits)
    digits[12] = "8"
    digits[16] = "a"
    for place in [20, 16, 12, 8] { digits.insert("-", at: place) }
    return String(digits)
  }
}
