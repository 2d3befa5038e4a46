internal import Checkpoints
internal import Graphs
internal import JSON
public import Tensors

/// One tensor as the manifest of an `.rvd` file describes it.
public struct StoredTensor: Equatable, Sendable {
  /// Of the tensor, unique in its file.
  public var name: Name
  /// Of the decoded elements.
  public var elementType: ElementType
  /// Of the decoded elements, row-major.
  public var shape: Shape
  /// What the graph uses it for: `kernel` of a convolution, or the name of the operand, such as `weight`
  /// of a linear layer or `bias`. For people; nothing depends on it.
  public var role: String?
  /// The order of the axes: `OIHW` or `OI`.
  public var layout: String?
  /// How the elements became the stored bytes: `raw`, as they are, or `planes-zstd`, compressed.
  public var codec: String
  /// Of a compressed tensor: the bytes that each plane of each frame of it takes.
  public var frames: [[Int]]?
  /// Of int8 weights: the index, among all stored tensors, of the scales of their output channels.
  public var scales: Int?
  /// Where the stored bytes begin, from the beginning of the file.
  public var offset: Int
  /// Bytes in the file.
  public var storedByteCount: Int
  /// Of the stored bytes.
  public var crc32: UInt32

  /// Bytes of the decoded elements.
  public var byteCount: Int { shape.elementCount * elementType.byteCount }
}

/// What the JSON part of an `.rvd` file says. Reader and writer share it, and `check`, so that nothing
/// is written that would not be read.
struct Manifest: Equatable {
  var tensors: [StoredTensor]
  var model: ModelDescription

  /// Where the manifest belongs: at the next multiple of the alignment behind the tensors.
  var offset: Int { Manifest.place(after: tensors.last) }

  /// Where what follows a tensor begins; what follows the header, if there is none.
  static func place(after tensor: StoredTensor?) -> Int {
    Header.aligned(tensor.map { $0.offset + $0.storedByteCount } ?? Header.byteCount)
  }
}

/// What is wrong with a manifest. `place` is a path in it, such as `tensors[3].shape`.
enum ManifestProblem: Error, Equatable {
  case invalid(place: String, expected: String, found: String)
  /// Something that an older or newer program would understand.
  case unsupported(place: String, what: String)
}

extension Manifest {
  /// The first of the format's rules, beyond the types of members, that the manifest breaks.
  func check() throws(ManifestProblem) {
    try checkTensors()
    if let input = model.input { try check(input) }
    if let classes = model.classes, classes < 1 {
      throw .invalid(place: "classes", expected: "at least 1", found: "\(classes)")
    }
    try model.metadata.check(classes: model.classes)
    if let provenance = model.provenance { try check(provenance) }
    if let digest = model.contentSHA256 { try check(digest, at: "content.sha256") }
    if let graph = model.graph { try check(graph) }
  }

  private func checkTensors() throws(ManifestProblem) {
    var names: Set<Name> = []
    for (index, tensor) in tensors.enumerated() {
      func invalid(
        _ member: String, expected: String, found: String
      ) throws(ManifestProblem) -> Never {
        throw .invalid(
          place: "tensors[\(index)].\(member) ('\(printable(tensor.name))')", expected: expected,
          found: found)
      }
      guard !tensor.name.isEmpty else { try invalid("name", expected: "a name", found: "none") }
      guard names.insert(tensor.name).inserted else {
        try invalid("name", expected: "a name of its own", found: "that of a tensor before")
      }
      let (bytes, overflow) = tensor.shape.elementCount
        .multipliedReportingOverflow(by: tensor.elementType.byteCount)
      guard !overflow, bytes <= JSONValue.largestInteger,
        tensor.shape.dimensions.allSatisfy({ $0 <= JSONValue.largestInteger })
      else {
        try invalid(
          "shape", expected: "the shape of less than 2^53 bytes", found: "\(tensor.shape)")
      }
      guard let codec = Codec(named: tensor.codec) else {
        throw .unsupported(
          place: "tensors[\(index)].codec",
          what: "tensor '\(printable(tensor.name))' is stored with the codec '\(tensor.codec)'")
      }
      if let problem = tensor.problem(storedWith: codec) {
        try invalid(problem.member, expected: problem.expected, found: problem.found)
      }
      if let layout = tensor.layout {
        guard let rank = Manifest.ranks[layout] else {
          throw .unsupported(
            place: "tensors[\(index)].layout",
            what: "tensor '\(printable(tensor.name))' has the layout '\(layout)'")
        }
        guard tensor.shape.rank == rank else {
          try invalid("layout", expected: "one for \(tensor.shape.rank) axes", found: "'\(layout)'")
        }
      }
      let before = index == 0 ? nil : tensors[index - 1]
      let expected = Manifest.place(after: before)
      guard tensor.offset == expected else {
        let overlaps = before.map { tensor.offset < $0.offset + $0.storedByteCount } ?? false
        try invalid(
          "offset", expected: "\(expected), the first multiple of 64 behind what is before it",
          found: "\(tensor.offset), which \(overlaps ? "overlaps that" : "is another place")")
      }
      guard tensor.storedByteCount <= JSONValue.largestInteger - tensor.offset else {
        try invalid("offset", expected: "a place below 2^53", found: "\(tensor.offset)")
      }
    }
    try checkScales()
  }

  /// That scales are what they have to be, each of one tensor only.
  private func checkScales() throws(ManifestProblem) {
    var users: [Int: Name] = [:]
    for (index, tensor) in tensors.enumerated() {
      guard let scales = tensor.scales else { continue }
      func invalid(_ expected: String, _ found: String) throws(ManifestProblem) -> Never {
        throw .invalid(
          place: "tensors[\(index)].scales ('\(printable(tensor.name))')", expected: expected,
          found: found)
      }
      guard tensor.elementType == .int8, [2, 4].contains(tensor.shape.rank) else {
        try invalid(
          "absent, but for int8 of 2 or 4 axes",
          "\(scales), for \(tensor.elementType.rawValue) \(tensor.shape)")
      }
      guard tensors.indices.contains(scales) else {
        try invalid("the index of one of the \(tensors.count) tensors", "\(scales)")
      }
      let target = tensors[scales]
      guard target.elementType == .float32, target.shape.dimensions == [tensor.shape[0]] else {
        try invalid(
          "that of a tensor of float32 \(tensor.shape[0])",
          "\(scales), of \(target.elementType.rawValue) \(target.shape)")
      }
      if let user = users.updateValue(tensor.name, forKey: scales) {
        try invalid("that of scales of its own", "\(scales), the scales of '\(printable(user))'")
      }
    }
    for (index, node) in (model.graph?.nodes ?? []).enumerated() {
      if let (operand, tensor) = node.tensors.first(where: { users[$0.tensor] != nil }) {
        throw .invalid(
          place: "graph[\(index)].\(operand.name)", expected: "another tensor than scales",
          found: "tensor \(tensor), the scales of '\(printable(users[tensor]!))'")
      }
    }
  }

  /// The indices of the tensors that are no scales of others.
  var logicalTensors: [Int] {
    let scales = Set(tensors.compactMap(\.scales))
    return tensors.indices.filter { !scales.contains($0) }
  }

  /// The layouts that there are, with the axes each has.
  private static let ranks = Dictionary(
    uniqueKeysWithValues: Operand.Layout.allCases.compactMap { layout in
      layout.inManifest.map { ($0, layout.rank) }
    })

  private func check(_ input: InputConvention) throws(ManifestProblem) {
    func require(
      _ holds: Bool, _ member: String, _ expected: String, _ found: Any
    ) throws(ManifestProblem) {
      guard holds else {
        throw .invalid(place: "input.\(member)", expected: expected, found: "\(found)")
      }
    }
    try require(input.scale.isFinite && input.scale > 0, "scale", "a positive number", input.scale)
    try require(
      input.mean.count == 3 && input.mean.allSatisfy(\.isFinite), "mean", "three numbers",
      input.mean)
    try require(
      input.standardDeviation.count == 3
        && input.standardDeviation.allSatisfy { $0.isFinite && $0 > 0 },
      "standardDeviation", "three positive numbers", input.standardDeviation)
    if let size = input.size {
      try require(1...65_535 ~= size, "size", "a number from 1 to 65535", size)
    }
  }

  private func check(_ provenance: Provenance) throws(ManifestProblem) {
    if let digest = provenance.sourceSHA256 { try check(digest, at: "provenance.sourceSHA256") }
    let epsilons = provenance.epsilons
    guard epsilons.allSatisfy({ $0.isFinite && $0 >= 0 }),
      zip(epsilons, epsilons.dropFirst()).allSatisfy(<)
    else {
      throw .invalid(
        place: "provenance.epsilons", expected: "numbers from 0 on, ascending, each once",
        found: "\(epsilons)")
    }
  }

  private func check(_ digest: String, at place: String) throws(ManifestProblem) {
    guard digest.utf8.count == 64, digest.utf8.allSatisfy("0123456789abcdef".utf8.contains) else {
      throw .invalid(
        place: place, expected: "64 lower-case hexadecimal digits", found: "'\(digest)'")
    }
  }

  /// Follows the data through the graph.
  private func check(_ graph: Graph) throws(ManifestProblem) {
    let shapes: [ValueShape]
    do {
      shapes = try graph.shapes(
        ofInput: .map(channels: model.input?.mean.count, height: nil, width: nil),
        tensors: tensors.map {
          TensorType($0.elementType, $0.shape, hasScales: $0.scales != nil)
        })
    } catch {
      throw .invalid(
        place: error.node.map { "graph[\($0)].\(error.member)" } ?? "graph",
        expected: error.expected, found: error.found)
    }
    guard let classes = model.classes, let result = shapes.last else { return }
    guard case .vector(let outputs) = result, outputs ?? classes == classes else {
      throw .invalid(
        place: "classes", expected: "as many as the graph has outputs",
        found: "\(classes), for \(result)")
    }
  }
}

extension StoredTensor {
  /// What of its stored sizes is not what `codec` makes of the shape.
  fileprivate func problem(
    storedWith codec: Codec
  ) -> (member: String, expected: String, found: String)? {
    guard codec.planes != nil else {
      if storedByteCount != byteCount {
        return (
          "storedBytes", "\(byteCount), as the codec is \(codec.name)", "\(storedByteCount)"
        )
      }
      return frames == nil ? nil : ("frames", "absent, as the codec is \(codec.name)", "some")
    }
    guard let frames else {
      return ("frames", "the sizes of planes, as the codec is \(codec.name)", "none")
    }
    let count = Frames.count(ofBytes: byteCount)
    guard frames.count == count else {
      return ("frames", "\(count), for \(byteCount) bytes", "\(frames.count)")
    }
    var sum = 0
    for (index, planes) in frames.enumerated() {
      let length = Frames.range(of: index, ofBytes: byteCount).count / elementType.byteCount
      guard planes.count == elementType.byteCount, planes.allSatisfy((1...length).contains) else {
        return (
          "frames", "\(elementType.byteCount) sizes from 1 to \(length) for frame \(index)",
          "\(planes)"
        )
      }
      // A manifest has no room for so many that this overflows.
      sum += planes.reduce(0, +)
    }
    guard sum == storedByteCount else {
      return ("storedBytes", "\(sum), the sum of the planes", "\(storedByteCount)")
    }
    return nil
  }
}
