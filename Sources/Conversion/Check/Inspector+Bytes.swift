internal import Checkpoints
internal import Synchronization
internal import Tensors

extension Inspector {
  /// Compares every storage with the checksum that the file records for it, and of an `.rvd` file
  /// everything else.
  mutating func verifyChecksums(_ tensors: [Tensor], _ threads: Threads) throws {
    var seen: Set<ObjectIdentifier> = []
    let sources = tensors.map(\.source).filter { seen.insert(ObjectIdentifier($0)).inserted }
    let failures = Mutex([Int: ReadError]())
    try forEachIndex(below: sources.count, threads: threads) { index, _ in
      do {
        try sources[index].verify()
      } catch let error as ReadError where error.isCorruption {
        failures.withLock { $0[index] = error }
      }
    }
    for (_, error) in failures.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
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
