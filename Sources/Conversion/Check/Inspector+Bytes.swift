internal import Checkpoints
internal import Tensors

extension Inspector {
  /// Compares every storage with the checksum that the file records for it, and of an `.rvd` file
  /// everything else.
  mutating func verifyChecksums(_ tensors: [Tensor], _ threads: Threads) throws {
    var seen: Set<ObjectIdentifier> = []
    let sources = tensors.map(\.source).filter { seen.insert(ObjectIdentifier($0)).inserted }
    let failures = try concurrentMap(of: sources, threads: threads) { source, _ -> ReadError? in
      do {
        try source.verify()
        return nil
      } catch let error as ReadError where error.isCorruption {
        return error
      }
    }
    for error in failures.compactMap(\.self) {
      add(.failure, .checksum, nil, firstLine(error.description))
    }
    // What the container vouches for beside that.
    guard let verifyWhole = checkpoint.verifyWhole,
      !findings.contains(where: { $0.kind == .checksum })
    else { return }
    do {
      try verifyWhole()
    } catch {
      guard error.isCorruption else { throw error }
      add(.failure, .checksum, nil, firstLine(error.description))
    }
  }
}
