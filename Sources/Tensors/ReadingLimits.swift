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
    .pickleOpcodes, .pickleMemory, .pickleSize, .zipMembers, .inflation, .inflatedSize,
    .inflatedPickle, .safetensorsHeader, .viewExpansion,
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
    counts: "bytes of all names of a pickle, as often as they are reached",
    reason:
      "modules in modules that are shared give a small file names without end; a network of 100,000 tensors has 8 MB"
  )

  public static let tensors = Self(
    name: "tensors", usual: 1_000_000, counts: "tensors in a file",
    reason: "the largest models have some ten thousand; each takes more memory than its entry")

  public static let stateDicts = Self(
    name: "state-dicts", usual: 4096, counts: "state dicts in a file",
    reason: "a training checkpoint has two or three, an ensemble some dozens")

  public static let dictDepth = Self(
    name: "dict-depth", usual: 1000, counts: "dicts nested in each other",
    reason: "checkpoints have three or four")

  public static let modules = Self(
    name: "modules", usual: 200_000, counts: "modules, counted as often as they are reached",
    reason: "the largest networks have some thousand; shared ones could be reached without end")

  public static let moduleDepth = Self(
    name: "module-depth", usual: 100, counts: "nested modules",
    reason: "real networks stay below 20; each level takes a part of the stack")

  public static let pickleOpcodes = Self(
    name: "pickle-opcodes", usual: 1 << 26, counts: "opcodes in a pickle",
    reason: "each takes some ten nanoseconds, so this many take a second")

  public static let pickleMemory = Self(
    name: "pickle-memory", usual: 256 << 20, counts: "bytes of memory for the objects of a pickle",
    reason:
      "a tensor takes about 1,000 bytes, an opcode of one byte may take 80; room for 250,000 tensors"
  )

  public static let pickleSize = Self(
    name: "pickle-size", usual: 512 << 20, counts: "bytes of the pickle in a zip archive",
    reason: "that of a large network has 200 KB, of a training state with long lists megabytes")

  public static let zipMembers = Self(
    name: "zip-members", usual: 1_000_000, counts: "members of a zip archive",
    reason: "a checkpoint has one for each tensor; each takes some hundred bytes of memory")

  public static let inflation = Self(
    name: "inflation", usual: 100,
    counts: "times its compressed size that a member of a zip archive may expand to",
    reason: "weights hardly compress; zeros do so a thousandfold")

  public static let inflatedSize = Self(
    name: "inflated-size", usual: 256 << 20,
    counts: "bytes that a member of a zip archive may expand to whatever its compressed size",
    reason: "arrays of zeros are common and harmless while they are small")

  public static let inflatedPickle = Self(
    name: "inflated-pickle", usual: 4 << 20,
    counts: "bytes that a pickle in a zip archive may expand to whatever its compressed size",
    reason: "pickles repeat names and so compress tenfold, not a thousandfold")

  public static let safetensorsHeader = Self(
    name: "safetensors-header", usual: 100_000_000, counts: "bytes of a safetensors header",
    reason: "the format's own limit")

  public static let viewExpansion = Self(
    name: "view-expansion", usual: 4,
    counts: "times the bytes there are that all tensors of a pickle may have, beyond 64 MiB",
    reason: "a stride of 0 makes terabytes out of one element")
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
