internal import Blocks
internal import Checkpoints
public import Naming
public import Tensors

/// How the tensors of two files compare that should hold the same ones.
public struct CopyComparison: Sendable {
  /// Tensors that are in both files, the one with the largest difference first.
  public var tensors: [TensorComparison]
  /// Names of tensors that only one file has.
  public var onlyInFirst, onlyInSecond: [Name]
  /// Of those, names of what no deployed network uses: BatchNorm's counters and auxiliary heads.
  public var unneeded: Set<Name>
  /// Tensors of the same role that the files call differently.
  public var renamed: Int

  /// Whether all tensors that matter are in both files, and alike.
  public var holds: Bool {
    tensors.allSatisfy(\.isAlike) && (onlyInFirst + onlyInSecond).allSatisfy(unneeded.contains)
  }

  /// Compares the tensors that have the same role.
  public init(
    _ first: Network, _ second: Network, tolerance: Tolerance = .rounding, threads: Threads = .all
  ) throws {
    let alignment = PathAlignment(from: first, to: second)
    try self.init(
      first.parameters.map { (alignment.role($0.role), Named($0)) },
      second.parameters.map { ($0.role, Named($0)) },
      tolerance, threads)
  }

  /// Compares the tensors that have the same name.
  public init(
    _ first: [NamedTensor], _ second: [NamedTensor], tolerance: Tolerance = .rounding,
    threads: Threads = .all
  ) throws {
    func list(_ tensors: [NamedTensor]) -> [(Role, Named)] {
      tensors.map { (.other(name: $0.name), Named(name: $0.name, tensor: $0.tensor)) }
    }
    try self.init(list(first), list(second), tolerance, threads)
  }

  private init(
    _ first: [(role: Role, Named)], _ second: [(role: Role, Named)], _ tolerance: Tolerance,
    _ threads: Threads
  ) throws {
    var found: [Role: Named] = [:]
    for (role, named) in second { found[role] = named }
    let roles = Set(first.map(\.role))
    let pairs = first.compactMap { role, named in found[role].map { (named, $0) } }
    onlyInFirst = first.filter { found[$0.role] == nil }.map(\.1.name)
    onlyInSecond = second.filter { !roles.contains($0.role) }.map(\.1.name)
    renamed = pairs.count { $0.name != $1.name }
    unneeded = Set((first + second).filter { CopyComparison.isUnneeded($0.role) }.map(\.1.name))

    tensors = try concurrentMap(of: pairs, largestFirst: \.0.tensor.byteCount, threads: threads) {
      (pair, _) throws(ReadError) in
      try TensorComparison(eitherWay: pair.0, pair.1, tolerance: tolerance)
    }
    tensors.stableSort {
      ($0.relation.rank, $0.difference?.largestAbsolute ?? 0)
        > ($1.relation.rank, $1.difference?.largestAbsolute ?? 0)
    }
  }

  private static func isUnneeded(_ role: Role) -> Bool {
    switch role {
    case .block(let block, let address):
      block.family.isForTrainingOnly || address.part == .batchesTracked
    default: false
    }
  }
}

extension TensorComparison {
  /// Compares two tensors of which either may be the other, cast to its type.
  init(eitherWay first: Named, _ other: Named, tolerance: Tolerance) throws(ReadError) {
    self = try TensorComparison(first, other, tolerance: tolerance)
    guard relation == .different, let a = Precision(of: first.tensor),
      let b = Precision(of: other.tensor),
      a.unitRoundoff > b.unitRoundoff
    else { return }
    if try TensorComparison(other, first, tolerance: tolerance).relation == .cast {
      relation = .castBack
      (difference, cause) = (nil, nil)
    }
  }
}
