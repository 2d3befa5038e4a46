package import Tensors

extension JSONValue {
  /// Parses a JSON text.
  ///
  /// - Parameters:
  ///   - form: how much of what is called JSON is accepted.
  ///   - place: where the first byte of `text` is, for errors.
  ///   - limits: of the file that the text is in, if it has any.
  ///   - maximumDepth: the deepest nesting of arrays and objects that the format allows; nil if it is up to
  ///     the limits.
  ///   - remedy: what errors advise.
  package init(
    _ text: [UInt8], _ form: JSONForm = .standard, at place: Location,
    limits: ReadingLimits? = nil, maximumDepth: Int? = nil, remedy: String = fetchAgain
  ) throws(ReadError) {
    var cursor = JSONCursor(
      text, form, at: place, limits: limits, maximumDepth: maximumDepth, remedy: remedy)
    self = try cursor.value()
    try cursor.end()
  }
}

extension JSONCursor {
  /// Takes any value as a tree.
  package mutating func value() throws(ReadError) -> JSONValue {
    skipWhiteSpace()
    switch nextByte {
    case UInt8(ascii: "{"):
      var members: [JSONValue.Member] = []
      try object("an object") { (json, key, _) throws(ReadError) in
        members.append(JSONValue.Member(key, try json.value()))
      }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try array("an array") { (json) throws(ReadError) in elements.append(try json.value()) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try string("a string"))
    default: return try numberOrWord()
    }
  }
}
