internal import JSON
public import Tensors

/// One tensor as the manifest of an `.rvd` file describes it.
public struct StoredTensor: Equatable, Sendable {
  public var name: String
  public var elementType: ElementType
  public var shape: Shape
  /// What the graph uses it for: `kernel` of a convolution, `weight` of a linear layer, `bias`. For
  /// people; nothing depends on it.
  public var role: String?
  /// The order of the axes: `OIHW` or `OI`.
  public var layout: String?
  /// How the elements became the stored bytes. Version 1 has `raw`: as they are.
  public var codec: String
  /// Bytes from the start of the data section.
  public var offset: Int
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
  var graph: [Operation]?
  var architecture: String?
  var classes: Int?
  var input: InputConvention?
  var provenance: Provenance?
  /// 64 hexadecimal digits.
  var contentSHA256: String

  /// The bytes that the tensors and the padding between them take.
  var dataLength: Int { tensors.last.map { $0.offset + $0.storedByteCount } ?? 0 }
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
    if let input { try check(input) }
    if let classes, classes < 1 {
      throw .invalid(place: "classes", expected: "at least 1", found: "\(classes)")
    }
    if let provenance { try check(provenance) }
    guard isSHA256(contentSHA256) else {
      throw .invalid(
        place: "content.sha256", expected: "64 lower-case hexadecimal digits",
        found: "'\(contentSHA256)'")
    }
    if let graph { try check(graph) }
  }

  private func checkTensors() throws(ManifestProblem) {
    var names: Set<[UInt8]> = []
    var end = 0
    for (index, tensor) in tensors.enumerated() {
      func invalid(
        _ member: String, expected: String, found: String
      ) throws(ManifestProblem) -> Never {
        throw .invalid(
          place: "tensors[\(index)].\(member) ('\(tensor.name)')", expected: expected, found: found)
      }
      guard !tensor.name.isEmpty else { try invalid("name", expected: "a name", found: "none") }
      // As bytes: Swift takes composed and decomposed characters for equal, the format does not.
      guard names.insert(Array(tensor.name.utf8)).inserted else {
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
      guard tensor.storedByteCount == bytes else {
        try invalid(
          "storedBytes", expected: "\(bytes), as the codec is raw",
          found: "\(tensor.storedByteCount)")
      }
      if let layout = tensor.layout {
        guard let rank = Manifest.ranks[layout] else {
          throw .unsupported(
            place: "tensors[\(index)].layout",
            what: "tensor '\(tensor.name)' has the layout '\(layout)'")
        }
        guard tensor.shape.rank == rank else {
          try invalid("layout", expected: "one for \(tensor.shape.rank) axes", found: "'\(layout)'")
        }
      }
      let expected = Header.aligned(end)
      guard tensor.offset == expected else {
        try invalid(
          "offset", expected: "\(expected), the first multiple of 64 not inside the tensors before",
          found:
            "\(tensor.offset), which \(tensor.offset < end ? "overlaps them" : "is another place")")
      }
      end = expected + bytes
      guard end <= JSONValue.largestInteger else {
        try invalid("offset", expected: "a place below 2^53", found: "an end at \(end)")
      }
    }
  }

  /// The layouts that there are, with the axes each has.
  private static let ranks = ["OIHW": 4, "OI": 2]

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
    if let size = input.size { try require(size >= 1, "size", "at least 1", size) }
  }

  private func check(_ provenance: Provenance) throws(ManifestProblem) {
    if let digest = provenance.sourceSHA256, !isSHA256(digest) {
      throw .invalid(
        place: "provenance.sourceSHA256", expected: "64 lower-case hexadecimal digits",
        found: "'\(digest)'")
    }
    let epsilons = provenance.epsilons
    guard epsilons.allSatisfy({ $0.isFinite && $0 >= 0 }),
      zip(epsilons, epsilons.dropFirst()).allSatisfy(<)
    else {
      throw .invalid(
        place: "provenance.epsilons", expected: "numbers from 0 on, ascending, each once",
        found: "\(epsilons)")
    }
  }

  private func isSHA256(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy("0123456789abcdef".utf8.contains)
  }
}
