internal import JSON
internal import Tensors

extension JSONValue {
  /// The deepest nesting of arrays and objects in a manifest. It needs four levels; the format allows as
  /// many as this.
  static let maximumDepth = 32

  /// Parses the text of a manifest: canonical JSON (RFC 8785), and nothing else.
  ///
  /// - Parameter place: where the first byte of `text` is, for errors.
  init(canonical text: [UInt8], at place: Location) throws(ReadError) {
    self = try JSONValue(
      text, .canonical, at: place, maximumDepth: JSONValue.maximumDepth, remedy: writersFault)
  }
}

/// What to advise when a file is as it was written, by its checksum, and yet breaks the rules.
let writersFault =
  "The program that wrote the file does not follow the format; report it to that program's authors."
