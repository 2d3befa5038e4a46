package import Checksums
public import Tensors

/// Who a model is: a SHA-256 over its decoded tensors that does not depend on their order, on how
/// they are stored, or on anything else in the file.
///
/// Each tensor has a digest of its own, so that they can be computed in any order, or at once:
///
///     d(t) = SHA-256( u64 bytes of the name | name | u64 bytes of the type's name | type's name
///                     | u64 rank | u64 each dimension | elements, little-endian, row-major
///                     | of int8 with scales also: u64 bytes of the scales' name | that name )
///     content = SHA-256( d(t) of every tensor, in ascending order of the names' UTF-8 bytes )
///
/// Every part has its length before it, so no two lists of tensors feed the same bytes.
package struct ContentDigest {
  private var parts: [(name: String, digest: [UInt8])] = []

  /// Of no tensors so far.
  package init() {}

  /// The digest of one tensor, to be fed its elements.
  package static func begin(name: String, _ elementType: ElementType, _ shape: Shape) -> SHA256 {
    var start = bytes(of: name) + bytes(of: elementType.rawValue)
    start.appendLittleEndian(UInt64(shape.rank))
    for size in shape.dimensions { start.appendLittleEndian(UInt64(size)) }
    var hash = SHA256()
    hash.update(start)
    return hash
  }

  /// Adds a tensor whose elements were fed to `hash`.
  ///
  /// - Parameter scales: the name of its scales, if it has some.
  package mutating func add(_ name: String, _ hash: SHA256, scales: String?) {
    var hash = hash
    if let scales { hash.update(ContentDigest.bytes(of: scales)) }
    parts.append((name, hash.finalize()))
  }

  private static func bytes(of text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(UInt64(text.utf8.count))
    return bytes + text.utf8
  }

  /// The digest of all tensors added, in hexadecimal.
  package var hexadecimal: String {
    var hash = SHA256()
    for part in parts.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
      hash.update(part.digest)
    }
    return hash.finalize().hexadecimal
  }
}

/// The content digest of tensors, in hexadecimal: who the model is that they make up, in whatever file they
/// are and in whatever order. `formats/rvd.md` says what is fed to it.
///
/// Reads every element once, in pieces, several tensors at a time. Sources that record checksums compute
/// them on the way; `verify` then compares them.
///
/// - Parameter tensors: each of a name of its own, and none with scales: in an `.rvd` file, these have a name
///   that is fed as well, and `RVDFile.verify` computes its digest.
/// - Throws: what reading them throws.
public func contentDigest(
  of tensors: [NamedTensor], threads: Threads = .all
) throws -> String {
  precondition(tensors.allSatisfy { $0.tensor.scales == nil })
  let hashes = try concurrentMap(
    of: tensors, largestFirst: \.tensor.byteCount, threads: threads
  ) { named, worker in
    let tensor = OutputTensor(name: named.name, named.tensor)
    var hash = ContentDigest.begin(name: tensor.name, tensor.elementType, tensor.shape)
    try unsafe tensor.forEachPiece(workspace: &worker.workspace, buffer: &worker.buffer) { piece in
      unsafe hash.update(piece)
    }
    return hash
  }
  var content = ContentDigest()
  for (named, hash) in zip(tensors, hashes) { content.add(named.name, hash, scales: nil) }
  return content.hexadecimal
}
