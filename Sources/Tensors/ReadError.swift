/// Why a file could not be read, and where.
///
/// Every case carries the place, and as `remedy` what the user can do; the prose is in `description`.
@nonexhaustive
public enum ReadError: Error, Equatable, Sendable {
  /// The operating system would not open or read the file.
  case inaccessible(path: String, reason: String, remedy: String)
  /// The file ends inside a field or a payload.
  case truncated(Location, field: String, needed: Int, available: Int)
  /// The bytes contradict the format.
  case malformed(Location, expected: String, found: String, remedy: String)
  /// The bytes do not have the checksum that the file records for them.
  case checksumMismatch(Location, recorded: UInt32, computed: UInt32)
  /// The file is sound, but holds something that cannot be converted.
  case unsupported(Location, what: String, remedy: String)
  /// The file is not a checkpoint at all, or not one of a known kind.
  case notACheckpoint(Location, what: String, remedy: String)
  /// The file asks for more than any real checkpoint needs.
  ///
  /// `name` is what the limit is called if it can be raised: that of one of `ReadingLimits.all`.
  case limitExceeded(Location, what: String, limit: Int, found: String, name: String? = nil)
  /// The system has no memory for so many bytes of the file.
  case noMemory(Location, byteCount: Int)

  /// Whether the file contradicts itself or its checksums, as opposed to being out of reach or of a
  /// kind that is not read.
  public var isCorruption: Bool {
    switch self {
    case .truncated, .malformed, .checksumMismatch: true
    case .inaccessible, .unsupported, .notACheckpoint, .limitExceeded, .noMemory: false
    }
  }
}

extension ReadError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inaccessible(let path, let reason, let remedy):
      "\(path): \(reason).\n  \(remedy)"
    case .truncated(let place, let field, let needed, let available):
      """
      \(place): the file ends inside \(field): \(needed) bytes expected, \(available) there.
        It is cut short, as by an interrupted download or a full disk; fetch or save it again.
      """
    case .malformed(let place, let expected, let found, let remedy):
      "\(place): expected \(expected), found \(found).\n  \(remedy)"
    case .checksumMismatch(let place, let recorded, let computed):
      """
      \(place): the CRC-32 of the bytes is \(hex(computed)), the file records \(hex(recorded)).
        The file was damaged after it was written; fetch it again or restore it from a backup.
      """
    case .unsupported(let place, let what, let remedy):
      "\(place): \(what).\n  \(remedy)"
    case .notACheckpoint(let place, let what, let remedy):
      "\(place): \(what).\n  \(remedy)"
    case .limitExceeded(let place, let what, let limit, let found, _):
      """
      \(place): \(what): \(found), more than the limit of \(limit).
        No checkpoint needs as much; the file is damaged or made to exhaust the reader.
      """
    case .noMemory(let place, let byteCount):
      "\(place): \(memoryShortage(byteCount)).\n  \(memoryRemedy)"
    }
  }

  private func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}

/// What to advise when bytes contradict a format and nothing more is known.
public let fetchAgain =
  "The file is damaged or was not written by the program it seems to be from; fetch or save it again."
