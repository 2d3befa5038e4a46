internal import JSON
internal import Tensors

/// The JSON of a safetensors file, parsed and checked against itself.
struct SafetensorsHeader {
  struct Entry {
    var name: Name
    /// Where its name stands in the header.
    var place: Location
    var type: SafetensorsType
    var shape: Shape
    /// In the data that follow the header.
    var range: Range<Int>
  }

  /// In the order of the data.
  private(set) var entries: [Entry] = []
  /// The strings of `__metadata__`; nil if there is none.
  private(set) var metadata: [(key: Name, value: String)]?
  private(set) var notes: [String] = []

  private var extraFields = Examples()
  private var repeatedMetadata = Examples()

  private let file: any ByteSource

  /// - Parameters:
  ///   - text: all of the header.
  ///   - file: it is of, whose limit of tensors is also that of strings of metadata.
  ///   - place: where it is in the file.
  /// - Throws: `ReadError.malformed` unless it is a header and its tensors lie one behind the other.
  init(
    _ text: [UInt8], of file: any ByteSource, at place: Location
  ) throws(ReadError) {
    self.file = file
    var json = JSONCursor(text, at: place, limits: file.limits)
    var names: Set<Name> = []
    try json.object("a header that is a JSON object") { (json, name, place) throws(ReadError) in
      if let fault = fault(ofName: name, in: file) { throw fault }
      guard names.insert(name).inserted else {
        throw json.error(
          at: place, expected: "every name once", found: "'\(printable(name))' twice")
      }
      if name == "__metadata__" {
        try takeMetadata(&json)
      } else {
        try checkCount(entries.count, of: "tensors in a file", json)
        entries.append(try takeEntry(&json, name, place))
      }
    }
    try json.end()
    if let first = text.first, JSONCursor.isWhiteSpace(first) {
      notes.append(
        "The header begins with white space, which the format does not allow; it was skipped.")
    }
    if entries.contains(where: { $0.name.isEmpty }) {
      notes.append("One of the tensors has an empty name.")
    }
    extraFields.note("Fields that the format does not have, which were left alone", in: &notes)
    repeatedMetadata.note(
      "Keys of the metadata that are there more than once, of which the last count", in: &notes)

    // Tensors of no bytes may share their place with others; they come in the order of the header.
    entries = entries.enumerated()
      .sorted {
        let (one, other) = ($0.element.range, $1.element.range)
        return (one.lowerBound, one.upperBound, $0.offset)
          < (other.lowerBound, other.upperBound, $1.offset)
      }
      .map(\.element)
    try checkOrder()
  }

  /// Bytes of data that the tensors cover.
  var dataCount: Int { entries.last?.range.upperBound ?? 0 }

  private func checkCount(
    _ count: Int, of what: String, _ json: JSONCursor
  ) throws(ReadError) {
    guard count < file.limits[.tensors] else {
      throw file.exceeded(.tensors, at: json.location, what: what, found: "\(count + 1)")
    }
  }

  private mutating func takeMetadata(_ json: inout JSONCursor) throws(ReadError) {
    guard !json.takeNull() else { return }
    var pairs: [(key: Name, value: String)] = []
    var positions: [Name: Int] = [:]
    try json.object("an object of strings, or null, as __metadata__") {
      (json, key, _) throws(ReadError) in
      let value = try json.string("a string as the value of '\(printable(key))' in __metadata__")
      if let position = positions[key] {
        repeatedMetadata.add("'\(printable(key))'")
        pairs[position].value = value
      } else {
        try checkCount(pairs.count, of: "strings of metadata", json)
        positions[key] = pairs.count
        pairs.append((key, value))
      }
    }
    metadata = pairs
  }

  private mutating func takeEntry(
    _ json: inout JSONCursor, _ name: Name, _ place: Location
  ) throws(ReadError) -> Entry {
    let shown = "'\(printable(name))'"
    var type: SafetensorsType?
    var sizes: [Int]?
    var offsets: [Int]?
    var fields: Set<Name> = []
    try json.object("an object for \(shown)") { (json, field, place) throws(ReadError) in
      guard fields.insert(field).inserted else {
        throw json.error(
          at: place, expected: "every field of \(shown) once",
          found: "'\(printable(field))' twice")
      }
      switch field {
      case "dtype": type = try json.safetensorsType(of: shown)
      case "shape": sizes = try json.naturalNumbers("the shape of \(shown)")
      case "data_offsets": offsets = try json.naturalNumbers("the data_offsets of \(shown)")
      default:
        extraFields.add("'\(printable(field))' of \(shown)")
        try json.skipValue()
      }
    }
    func missing(_ field: String) -> ReadError {
      json.error(at: place, expected: "the field '\(field)' of \(shown)", found: "none")
    }
    guard let type else { throw missing("dtype") }
    guard let sizes else { throw missing("shape") }
    guard let offsets else { throw missing("data_offsets") }
    guard offsets.count == 2 else {
      throw json.error(
        at: place, expected: "two data_offsets of \(shown)", found: "\(offsets.count)")
    }
    guard offsets[0] <= offsets[1] else {
      throw json.error(
        at: place, expected: "an end of \(shown) behind its begin, \(offsets[0])",
        found: "\(offsets[1])")
    }
    guard let shape = Shape(checking: sizes) else {
      throw json.error(
        at: place, expected: "a shape of \(shown) with a number of elements below 2^63",
        found: sizes.count > Shape.maximumRank
          ? "\(sizes.count) axes" : sizes.map(String.init).joined(separator: "x"))
    }
    let (bits, overflow) = shape.elementCount.multipliedReportingOverflow(by: type.bitCount)
    let wanted = overflow ? "more than 2^60" : bits % 8 == 0 ? String(bits / 8) : "\(bits)/8"
    guard !overflow, bits % 8 == 0, bits / 8 == offsets[1] - offsets[0] else {
      throw json.error(
        at: place, expected: "\(wanted) bytes for \(shown) (\(type.rawValue) \(shape))",
        found: "\(offsets[1] - offsets[0])")
    }
    return Entry(
      name: name, place: place, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  /// Refuses holes and overlaps.
  private func checkOrder() throws(ReadError) {
    var end = 0
    var previous = "the start of the data"
    for entry in entries {
      guard entry.range.lowerBound == end else {
        throw .malformed(
          entry.place,
          expected: "'\(printable(entry.name))' to begin at \(end), behind \(previous)",
          found: "\(entry.range.lowerBound)", remedy: fetchAgain)
      }
      end = entry.range.upperBound
      previous = "'\(printable(entry.name))'"
    }
  }
}

extension JSONCursor {
  fileprivate mutating func safetensorsType(
    of tensor: String
  ) throws(ReadError) -> SafetensorsType {
    let place = location
    let name = try string("a dtype of \(tensor)")
    guard let type = SafetensorsType(rawValue: name) else {
      throw error(
        at: place, expected: "a dtype of \(tensor) that safetensors has",
        found: "'\(printable(name))'")
    }
    return type
  }

  fileprivate mutating func naturalNumbers(_ what: String) throws(ReadError) -> [Int] {
    var numbers: [Int] = []
    try array("\(what) as an array") { (json) throws(ReadError) in
      numbers.append(try json.naturalNumber("a whole number from 0 on in \(what)"))
    }
    return numbers
  }
}
