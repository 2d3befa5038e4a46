internal import Blocks
package import Checkpoints
public import Naming
public import RVD
internal import Reparameterization
public import Tensors
internal import Topologies

/// What reports say of a file that was read.
public struct FileSummary: Encodable, Sendable {
  /// As the user gave it.
  public var path: String
  /// The container, as a person would name it: `PyTorch zip`.
  public var container: String
  /// `pytorch`, `rvd`, …: see `inputFamilies`.
  public var family: String
  /// Bytes of the file.
  public var byteCount: Int
  /// The dialect of the names; nil if no block of a known one is in it.
  public var dialect: String?
  /// The family of blocks that it is known by: `RepVGG`.
  public var blockFamily: String?
  /// Nil also where blocks have parameters whose meaning is not known.
  public var form: Network.Form?
  /// Its name or description, if it is a whole network that is known.
  public var architecture: String?
  /// The whole network, if it is one that is known.
  public var structure: StructureSummary?
  /// The element types of its kernels, or of all its tensors if none is known to be a kernel.
  public var kernelTypes: [ElementType]
  /// What its reader and the recognition of its names have to say.
  public var notes: [Note]
  /// Checksums that are wrong, in words.
  public var damage: [String] = []
  /// What the file says of its network, if it does; not part of the report.
  package var model: ModelDescription?
  /// Why it is no whole network that is known, if blocks are; not part of the report.
  var deviation: Deviation?

  private enum CodingKeys: String, CodingKey {
    case path = "file"
    case container = "format"
    case family
    case byteCount = "bytes"
    case dialect, blockFamily, form, architecture, structure
    case kernelTypes = "dtypes"
    case notes, damage
  }

  /// What is to be said of a file whose blocks were found.
  package init(of checkpoint: Checkpoint, _ network: Network) {
    self.init(checkpoint, network, tensors: [])
  }

  init(_ checkpoint: Checkpoint, _ network: Network?, tensors: [NamedTensor]) {
    path = checkpoint.path
    container = checkpoint.container
    family = checkpoint.family
    byteCount = checkpoint.byteCount
    model = checkpoint.model
    dialect = network?.dialect.name
    blockFamily = network?.dialect.family.name
    form = network.flatMap { $0.unknownInBlocks.isEmpty ? $0.form : nil }
    notes = checkpoint.allNotes + (network?.notes ?? []).map { .remark($0) }
    do throws(Deviation) {
      let whole = try network.map { (network) throws(Deviation) in try Structure(of: network) }
      architecture = whole?.description
      structure = whole.map(StructureSummary.init)
    } catch {
      deviation = error
      if !error.isForeign {
        notes.append(.damaged(reason: error.reason))
      }
    }
    let kernels = network?.parameters.filter { parameter in
      guard case .block(let block, let address) = parameter.role else { return false }
      return [.weight, .value].contains(address.part)
        && (block.family.isOwn(address.layer) || address.layer == .fused)
    }.map(\.tensor.elementType)
    kernelTypes = Set(kernels ?? tensors.map(\.tensor.elementType)).sorted {
      $0.rawValue < $1.rawValue
    }
  }

  /// A file that no reader makes sense of.
  init(unreadable file: InputFile) {
    path = file.path
    container = "unknown"
    family = "unknown"
    byteCount = file.count
    kernelTypes = []
    notes = []
  }

  /// Compares the storages of tensors with the checksums that the file records.
  mutating func verifyChecksums(of tensors: [Tensor]) throws {
    var seen: Set<ObjectIdentifier> = []
    for tensor in tensors where seen.insert(ObjectIdentifier(tensor.source)).inserted {
      do {
        try tensor.source.verify()
      } catch {
        guard error.isCorruption else { throw error }
        damage.append(error.description)
      }
    }
  }
}

extension Network.Form: Encodable {}

/// What reports say of a file that is to be written.
public struct OutputSummary: Encodable, Sendable {
  /// The file to be written.
  public var path: String
  /// The format, as a person would name it: `RVD 1`.
  public var format: String
  /// The dialect of the names; nil if they are of none.
  public var dialect: String?
  /// How many it gets.
  public var tensors: Int
  /// Nil if nothing was written.
  public var byteCount: Int?
  /// SHA-256 over the tensors, in hexadecimal, if the format stores it.
  public var contentDigest: String?
  /// How tensors were compressed; nil if they were not.
  public var compression: Compression?
  /// What the tensors take in a compressed file, of what they take as they are.
  public var compressionRatio: Double?
  /// The second file, if what was written is in two.
  public var externalData: PartialFile?
  /// What was written if it is a folder.
  public var files: [PartialFile]?

  /// One of the files that the output consists of.
  public struct PartialFile: Encodable, Sendable {
    /// Beside the output, or in it.
    public var path: String
    /// Bytes of it.
    public var byteCount: Int

    private enum CodingKeys: String, CodingKey {
      case path = "file"
      case byteCount = "bytes"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case path = "file"
    case format, dialect, tensors
    case byteCount = "bytes"
    case contentDigest = "content"
    case compression, compressionRatio, externalData, files
  }

  /// Every file that was written.
  package var allFiles: [PartialFile] {
    if let files { return files }
    return [PartialFile(path: path, byteCount: byteCount ?? 0)] + (externalData.map { [$0] } ?? [])
  }

  /// Takes over what is known of the file, if its format tells it.
  mutating func take(_ written: WrittenModel?, _ options: WritingOptions) {
    guard let written else { return }
    contentDigest = written.contentSHA256
    compression = options.compression
    compressionRatio = written.compressionRatio
    externalData = written.externalData
    files = written.files
  }
}
