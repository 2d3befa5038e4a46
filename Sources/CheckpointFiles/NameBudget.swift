internal import Tensors

/// Counts the bytes of the names of a pickle, as often as they are reached: what is shared in a pickle is
/// not shared in the names that lead to it.
struct NameBudget {
  private let source: any ByteSource
  private var left: Int

  init(_ source: any ByteSource) {
    self.source = source
    left = source.limits[.nameBytes]
  }

  /// - Throws: `ReadError.limitExceeded` if these bytes are more than are left.
  mutating func take(_ count: Int) throws(ReadError) {
    left -= count
    guard left >= 0 else { throw source.exceeded(.nameBytes) }
  }
}
