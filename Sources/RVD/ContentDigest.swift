internal import Checksums
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
  private var parts: [(name: Name, digest: [UInt8])] = []

  /// - Parameters:
  ///   - digests: one for each tensor, fed its elements; nil for what is no part of the model.
  ///   - scales: the index of a tensor's scales, by its own.
  package init(of digests: [ElementDigest?], scales: [Int: Int] = [:]) {
    for (index, digest) in digests.enumerated() {
      guard var digest else { continue }
      if let name = scales[index].flatMap({ digests[$0]?.name }) { digest.addScales(name) }
      parts.append((digest.name, digest.finalize()))
    }
  }

  /// The digest of all tensors added, in hexadecimal.
  package var hexadecimal: String {
    var hash = SHA256()
    for part in parts.sorted(by: { $0.name < $1.name }) {
      hash.update(part.digest)
    }
    return hash.finalize().hexadecimal
  }
}

/// The digest of one tensor, which is fed its elements.
package struct ElementDigest: TensorChecksum {
  fileprivate let name: Name
  private var hash = SHA256()

  package init(name: Name, _ elementType: ElementType, _ shape: Shape) {
    self.name = name
    var start: [UInt8] = []
    start.append(counted: name.text)
    start.append(counted: elementType.rawValue)
    start.appendLittleEndian(UInt64(shape.rank))
    for size in shape.dimensions { start.appendLittleEndian(UInt64(size)) }
    hash.update(start)
  }

  /// Of one that is about to be written.
  package init(of tensor: OutputTensor) {
    self.init(name: tensor.name, tensor.elementType, tensor.shape)
  }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe hash.update(bytes) }

  fileprivate mutating func addScales(_ name: Name) {
    var end: [UInt8] = []
    end.append(counted: name.text)
    hash.update(end)
  }

  fileprivate func finalize() -> [UInt8] { hash.finalize() }
}

extension [UInt8] {
  /// Appends a text behind the number of its bytes.
  fileprivate mutating func append(counted text: String) {
    appendLittleEndian(UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
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
  let digests = try concurrentMap(
    of: tensors, largestFirst: \.tensor.byteCount, threads: threads
  ) { named, worker in
    let tensor = OutputTensor(name: named.name, named.tensor)
    var digest = ElementDigest(of: tensor)
    try unsafe tensor.forEachPiece(workspace: &worker.workspace, buffer: &worker.buffer) { piece in
      unsafe digest.update(piece)
    }
    return digest
  }
  return ContentDigest(of: digests).hexadecimal
}
