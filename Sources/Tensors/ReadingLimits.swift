/// How much a file may ask for: what readers count, and how far.
///
/// The limits travel with the bytes (`ByteSource.limits`), so that whoever parses some of a file knows
/// them. `formats/limits.md` is this table for users.
public struct ReadingLimits: Equatable, Sendable {
  /// One thing that is counted.
  public struct Limit: Equatable, Sendable {
    /// What users call it: `pickle-memory`.
    public let name: String
    /// Where nothing else is asked for.
    public let usual: Int
    /// What is counted, for errors and the documentation.
    public let counts: String
    /// Why there is a limit, and why this one does.
    public let reason: String
  }

  private var changed: [String: Int] = [:]

  /// The usual limits.
  public init() {}

  /// How far `limit` goes.
  public subscript(limit: Limit) -> Int {
    get { changed[limit.name] ?? limit.usual }
    set { changed[limit.name] = newValue }
  }
}

extension ReadingLimits {
  /// Every limit, in the order of the documentation.
  public static let all: [Limit] = [
    .nameLength, .nameBytes, .tensors, .stateDicts, .dictDepth, .modules, .moduleDepth,
    .moduleAttributes, .wrappers, .viewExpansion,
    .pickleOpcodes, .pickleMemory, .pickleExpansion, .pickleSize, .pickleLine,
    .zipMembers, .inflation, .inflatedSize, .inflatedPickle,
    .safetensorsHeader, .npyHeader, .jsonDepth, .kerasConfig,
    .links, .groupDepth, .structureReads, .attributeText, .chunks, .datasetInflation,
    .onnxMemory, .onnxText,
    .inputSize, .mapExpansion,
  ]
}

extension ReadingLimits.Limit {
  public static let nameLength = Self(
    name: "name-length", usual: 1 << 16, counts: "bytes in the name of a tensor or a module",
    reason:
      "no network has names of more than some hundred, but Keras can write some of thousands; links of HDF5 and members of archives have no longer ones"
  )

  public static let nameBytes = Self(
    name: "name-bytes", usual: 16 << 20,
    counts: "bytes of all names of a pickle or an HDF5 file, as often as they are reached",
    reason:
      "modules in modules that are shared, and long names of groups in groups, give a small file names without end; a network of 100,000 tensors has 8 MB"
  )

  public static let tensors = Self(
    name: "tensors", usual: 1_000_000, counts: "tensors in a file",
    reason: "the largest models have some ten thousand; each takes more memory than its entry")

  public static let stateDicts = Self(
    name: "state-dicts", usual: 500, counts: "state dicts in a file",
    reason:
      "a training checkpoint has two or three, an ensemble some dozens; to look for blocks in one takes a millisecond"
  )

  public static let dictDepth = Self(
    name: "dict-depth", usual: 1000, counts: "dicts nested in each other",
    reason: "checkpoints have three or four")

  public static let modules = Self(
    name: "modules", usual: 200_000, counts: "modules, counted as often as they are reached",
    reason: "the largest networks have some thousand; shared ones could be reached without end")

  public static let moduleDepth = Self(
    name: "module-depth", usual: 100, counts: "nested modules",
    reason: "real networks stay below 20; each level takes a part of the stack")

  public static let moduleAttributes = Self(
    name: "module-attributes", usual: 1 << 22,
    counts: "attributes of MegEngine's modules, and what is in them, as often as they are reached",
    reason:
      "the largest networks have some hundred thousand; those of shared modules could be reached without end"
  )

  public static let wrappers = Self(
    name: "wrappers", usual: 8, counts: "wrappers around a tensor of PyTorch",
    reason:
      "a parameter of a class of its own has two or three; each takes a part of the stack")

  public static let viewExpansion = Self(
    name: "view-expansion", usual: 4,
    counts: "times the bytes there are that all tensors of a pickle may have, beyond 64 MiB",
    reason: "a stride of 0 makes terabytes out of one element")

  public static let pickleOpcodes = Self(
    name: "pickle-opcodes", usual: 1 << 26, counts: "opcodes in a pickle",
    reason: "each takes some ten nanoseconds, so this many take a second")

  public static let pickleMemory = Self(
    name: "pickle-memory", usual: 256 << 20,
    counts:
      "bytes of memory for the objects of a pickle, and once more for what is reached through them",
    reason:
      "a tensor takes about 1,000 bytes, an opcode of one byte may take 80; room for 250,000 tensors"
  )

  public static let pickleExpansion = Self(
    name: "pickle-expansion", usual: 128,
    counts: "likewise, for each byte of the file, beyond 28 MiB",
    reason:
      "no opcode takes more; those of tensors take ten, so only what is compressed, or shared a hundredfold, comes near"
  )

  public static let pickleSize = Self(
    name: "pickle-size", usual: 512 << 20, counts: "bytes of the pickle in a zip archive",
    reason: "that of a large network has 200 KB, of a training state with long lists megabytes")

  public static let pickleLine = Self(
    name: "pickle-line", usual: 4300,
    counts: "bytes in a line of a pickle: a number, or the name of a global",
    reason: "Python refuses numbers of more digits")

  public static let zipMembers = Self(
    name: "zip-members", usual: 1_000_000, counts: "members of a zip archive",
    reason: "a checkpoint has one for each tensor; each takes some hundred bytes of memory")

  public static let inflation = Self(
    name: "inflation", usual: 100,
    counts: "times its compressed size that a member of a zip archive may expand to",
    reason: "weights hardly compress; zeros do so a thousandfold")

  public static let inflatedSize = Self(
    name: "inflated-size", usual: 256 << 20,
    counts:
      "bytes that a member of a zip archive or a dataset of HDF5 may expand to whatever its stored size",
    reason: "arrays of zeros are common and harmless while they are small")

  public static let inflatedPickle = Self(
    name: "inflated-pickle", usual: 4 << 20,
    counts: "bytes that a pickle in a zip archive may expand to whatever its compressed size",
    reason: "pickles repeat names and so compress tenfold, not a thousandfold")

  public static let safetensorsHeader = Self(
    name: "safetensors-header", usual: 100_000_000, counts: "bytes of a safetensors header",
    reason: "the format's own limit")

  public static let npyHeader = Self(
    name: "npy-header", usual: 10_000, counts: "bytes of an array's header",
    reason: "NumPy's own limit; that of an array of numbers has 118, or little more")

  public static let jsonDepth = Self(
    name: "json-depth", usual: 128, counts: "arrays and objects of JSON in each other",
    reason:
      "no header needs more than five; each takes a part of the stack; the limit of Rust's serde_json"
  )

  public static let kerasConfig = Self(
    name: "keras-config", usual: 4 << 20, counts: "bytes of the configuration in a .keras archive",
    reason:
      "that of a large network has some hundred thousand; each byte takes some twenty of memory"
  )

  public static let links = Self(
    name: "links", usual: 1_000_000,
    counts: "links of an HDF5 file, and steps along its soft links",
    reason: "a network has one for each tensor and for each group")

  public static let groupDepth = Self(
    name: "group-depth", usual: 100, counts: "groups in one another",
    reason: "networks nest some ten deep; each level takes a part of the stack")

  public static let structureReads = Self(
    name: "structure-reads", usual: 8,
    counts: "times the bytes of an HDF5 file that its structures may have, beyond 1 MiB",
    reason:
      "each is read once or twice; those that lie over each other could be read without end")

  public static let attributeText = Self(
    name: "attribute-text", usual: 16 << 20, counts: "bytes of text in an attribute",
    reason:
      "the configuration of a large network has some hundred thousand; pieces of text may be the same ones"
  )

  public static let chunks = Self(
    name: "chunks", usual: 1_000_000,
    counts: "chunks of the datasets of an HDF5 file, written or not, as often as they are reached",
    reason: "each takes some time, however small; the largest models have some ten thousand")

  public static let datasetInflation = Self(
    name: "dataset-inflation", usual: 1000,
    counts: "times its stored size that a dataset of HDF5 may expand to",
    reason: "deflate shrinks zeros to a thousandth; a shape costs nothing")

  public static let onnxMemory = Self(
    name: "onnx-memory", usual: 256 << 20,
    counts: "bytes of memory for messages, numbers and names of an ONNX file",
    reason: "a node takes some 1,000, an empty message of two bytes 300; room for 200,000 nodes")

  public static let onnxText = Self(
    name: "onnx-text", usual: 1 << 20, counts: "bytes of a text of an ONNX file",
    reason: "names have some dozens, the names of ImageNet's classes 30,000")

  public static let inputSize = Self(
    name: "input-size", usual: 2048,
    counts: "pixels of height and width that a network's file asks pictures to be scaled to",
    reason:
      "networks take some hundred, those that look for things in pictures 1,280; a size that the user gives goes before that of the file"
  )

  public static let mapExpansion = Self(
    name: "map-expansion", usual: 200,
    counts:
      "times the numbers of an image that the maps of a network that is run may have at a time, beyond 2^24 numbers",
    reason:
      "64 channels of every pixel are 21 times a picture; paddings, factors and branches cost nothing in a file"
  )
}

extension ByteSource {
  /// The error for more of what `limit` counts than it allows.
  ///
  /// - Parameters:
  ///   - place: where; the start of these bytes by default.
  ///   - what: instead of the limit's own words.
  package func exceeded(
    _ limit: ReadingLimits.Limit, at place: Location? = nil, what: String? = nil,
    allowed: Int? = nil, found: String? = nil
  ) -> ReadError {
    let allowed = allowed ?? limits[limit]
    return .limitExceeded(
      place ?? location, what: what ?? limit.counts, limit: allowed,
      found: found ?? "\(allowed + 1) or more", name: limit.name)
  }
}
