internal import Checkpoints
internal import Checksums
internal import Graphs
internal import JSON
internal import Tensors

// The names of the manifest's members. An optional member that has no value is absent, never null;
// members of other names are left for later versions, and ignored.

extension Manifest {
  var json: JSONValue {
    let ofTensors = JSONValue.Member.present([
      "content": model.contentSHA256.map { ["sha256": .string($0)] },
      "graph": model.graph.map { .array($0.nodes.map(\.json)) },
      "tensors": .array(tensors.map(\.json)),
    ])
    return .object(model.members + ofTensors)
  }

  init(_ json: JSONValue) throws(ManifestProblem) {
    let fields = try Fields(json, place: "")
    model = try ModelDescription(fields)
    model.contentSHA256 = try fields.object("content").string("sha256")
    tensors = try fields.array("tensors").map { (element) throws(ManifestProblem) in
      try StoredTensor(element)
    }
    guard fields.has("graph") else { return }
    model.graph = Graph(
      try fields.array("graph").map { (element) throws(ManifestProblem) in
        try Graph.Node(element)
      })
  }
}

extension ModelDescription {
  /// What it says of the network by itself, whatever its tensors are.
  var members: [JSONValue.Member] {
    JSONValue.Member.present([
      "architecture": architecture.map(JSONValue.string),
      "classes": classes.map(JSONValue.integer),
      "input": input?.json,
      "metadata": metadata.isEmpty ? nil : metadata.json,
      "provenance": provenance?.json,
    ])
  }

  init(_ fields: Fields) throws(ManifestProblem) {
    self.init(
      architecture: try fields.string(ifPresent: "architecture"),
      classes: try fields.has("classes") ? fields.integer("classes") : nil,
      metadata: try fields.has("metadata")
        ? ModelMetadata(fields.object("metadata")) : ModelMetadata(),
      input: try fields.has("input") ? InputConvention(fields.object("input")) : nil,
      provenance: try fields.has("provenance") ? Provenance(fields.object("provenance")) : nil)
  }
}

extension StoredTensor {
  fileprivate var json: JSONValue {
    .object(present: [
      "bytes": .integer(byteCount),
      "codec": .string(codec),
      "crc32": .string(crc32.hexadecimal),
      "frames": frames.map { .array($0.map { .array($0.map(JSONValue.integer)) }) },
      "layout": layout.map(JSONValue.string),
      "name": .string(name.text),
      "offset": .integer(offset),
      "role": role.map(JSONValue.string),
      "scales": scales.map(JSONValue.integer),
      "shape": .array(shape.dimensions.map(JSONValue.integer)),
      "storedBytes": .integer(storedByteCount),
      "type": .string(elementType.rawValue),
    ])
  }

  fileprivate init(_ fields: Fields) throws(ManifestProblem) {
    name = Name(try fields.string("name"))
    let typeName = try fields.string("type")
    guard let elementType = ElementType(rawValue: typeName) else {
      throw .unsupported(
        place: fields.place("type"), what: "tensor '\(name)' has the element type '\(typeName)'")
    }
    self.elementType = elementType
    codec = try fields.string("codec")
    frames = try fields.has("frames") ? fields.arraysOfIntegers("frames") : nil
    scales = try fields.has("scales") ? fields.integer("scales") : nil
    let dimensions = try fields.integers("shape")
    guard let shape = Shape(checking: dimensions) else {
      throw .invalid(
        place: fields.place("shape"), expected: "at most 64 sizes, with a product below 2^63",
        found: "\(dimensions)")
    }
    self.shape = shape
    role = try fields.string(ifPresent: "role")
    layout = try fields.string(ifPresent: "layout")
    offset = try fields.integer("offset")
    storedByteCount = try fields.integer("storedBytes")
    let digits = try fields.string("crc32")
    guard let crc32 = UInt32(digits, radix: 16), crc32.hexadecimal == digits else {
      throw .invalid(
        place: fields.place("crc32"), expected: "8 lower-case hexadecimal digits",
        found: "'\(digits)'")
    }
    self.crc32 = crc32

    let bytes = try fields.integer("bytes")
    let (expected, overflow) = shape.elementCount.multipliedReportingOverflow(
      by: elementType.byteCount)
    guard !overflow, bytes == expected else {
      throw .invalid(
        place: fields.place("bytes"), expected: "the size of \(typeName) \(shape)",
        found: "\(bytes)")
    }
  }
}

extension InputConvention {
  fileprivate var json: JSONValue {
    .object(present: [
      "channelOrder": .string(channelOrder.rawValue),
      "scale": .number(scale),
      "mean": .array(mean.map(JSONValue.number)),
      "standardDeviation": .array(standardDeviation.map(JSONValue.number)),
      "size": size.map(JSONValue.integer),
    ])
  }

  fileprivate init(_ fields: Fields) throws(ManifestProblem) {
    let order = try fields.string("channelOrder")
    guard let channelOrder = ChannelOrder(rawValue: order) else {
      throw .invalid(
        place: fields.place("channelOrder"), expected: "'RGB' or 'BGR'", found: "'\(order)'")
    }
    self.init(
      channelOrder: channelOrder, scale: try fields.number("scale"),
      mean: try fields.numbers("mean"), standardDeviation: try fields.numbers("standardDeviation"),
      size: try fields.has("size") ? fields.integer("size") : nil)
  }
}

extension Provenance {
  fileprivate var json: JSONValue {
    .object(present: [
      "sourceSHA256": sourceSHA256.map(JSONValue.string), "container": .string(container),
      "dialect": .string(dialect), "epsilons": .array(epsilons.map(JSONValue.number)),
      "arithmetic": .string(arithmetic),
      "biasCorrection": biasCorrection.map(JSONValue.string), "tool": .string(tool),
    ])
  }

  fileprivate init(_ fields: Fields) throws(ManifestProblem) {
    self.init(
      sourceSHA256: try fields.has("sourceSHA256") ? fields.string("sourceSHA256") : nil,
      container: try fields.string("container"), dialect: try fields.string("dialect"),
      epsilons: try fields.numbers("epsilons"),
      arithmetic: try fields.string("arithmetic"),
      biasCorrection: try fields.string(ifPresent: "biasCorrection"),
      tool: try fields.string("tool"))
  }
}

/// The members of a JSON object, to be asked for by name and type.
struct Fields {
  /// All of them.
  let members: [JSONValue.Member]
  private let path: String
  private var json: JSONValue { .object(members) }

  init(_ json: JSONValue, place: String) throws(ManifestProblem) {
    guard case .object(let members) = json else {
      throw .invalid(
        place: place.isEmpty ? "the manifest" : place, expected: "an object", found: json.kind)
    }
    self.members = members
    path = place
  }

  /// The path of a member: `tensors[3].shape`.
  func place(_ key: Name) -> String {
    path.isEmpty ? printable(key) : "\(path).\(printable(key))"
  }

  func has(_ key: Name) -> Bool { json[key] != nil }

  func string(_ key: Name) throws(ManifestProblem) -> String {
    guard case .string(let value) = try member(key) else { try refuse(key, "a string") }
    return value
  }

  func string(ifPresent key: Name) throws(ManifestProblem) -> String? {
    has(key) ? try string(key) : nil
  }

  /// A count or a size: no member of the manifest is a negative integer.
  func integer(_ key: Name) throws(ManifestProblem) -> Int {
    guard let value = count(try member(key)) else {
      try refuse(key, "an integer from 0 to 2^53 - 1")
    }
    return value
  }

  func integers(_ key: Name) throws(ManifestProblem) -> [Int] {
    try elements(key, "an array of integers from 0 to 2^53 - 1", count)
  }

  func arraysOfIntegers(_ key: Name) throws(ManifestProblem) -> [[Int]] {
    try elements(key, "an array of arrays of integers from 0 to 2^53 - 1") { value in
      guard case .array(let elements) = value else { return nil }
      let integers = elements.compactMap(count)
      return integers.count == elements.count ? integers : nil
    }
  }

  func number(_ key: Name) throws(ManifestProblem) -> Double {
    guard let value = double(try member(key)) else { try refuse(key, "a number") }
    return value
  }

  func numbers(_ key: Name) throws(ManifestProblem) -> [Double] {
    try elements(key, "an array of numbers", double)
  }

  func strings(_ key: Name) throws(ManifestProblem) -> [String] {
    try elements(key, "an array of strings", \.string)
  }

  func object(_ key: Name) throws(ManifestProblem) -> Fields {
    try Fields(member(key), place: place(key))
  }

  /// The elements of an array of objects.
  func array(_ key: Name) throws(ManifestProblem) -> [Fields] {
    guard case .array(let values) = try member(key) else { try refuse(key, "an array") }
    var result: [Fields] = []
    for (index, value) in values.enumerated() {
      result.append(try Fields(value, place: "\(place(key))[\(index)]"))
    }
    return result
  }

  private func elements<Element>(
    _ key: Name, _ expected: String, _ convert: (JSONValue) -> Element?
  ) throws(ManifestProblem) -> [Element] {
    guard case .array(let values) = try member(key) else { try refuse(key, expected) }
    let elements = values.compactMap(convert)
    guard elements.count == values.count else { try refuse(key, expected) }
    return elements
  }

  private func count(_ value: JSONValue) -> Int? {
    guard case .integer(let integer) = value, integer >= 0 else { return nil }
    return integer
  }

  private func double(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let integer): Double(integer)
    case .number(let number): number
    default: nil
    }
  }

  private func member(_ key: Name) throws(ManifestProblem) -> JSONValue {
    guard let value = json[key] else { try refuse(key, "a value") }
    return value
  }

  private func refuse(_ key: Name, _ expected: String) throws(ManifestProblem) -> Never {
    let found = json[key].map { value in
      if case .integer(let integer) = value { "\(integer)" } else { value.kind }
    }
    throw .invalid(place: place(key), expected: expected, found: found ?? "none")
  }
}
