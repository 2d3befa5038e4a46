package import Tensors

/// How many bytes of memory the objects of a pickle may take, and once more what is reached through them.
package struct PickleMemory: Sendable {
  package let byteCount: Int
  private let limit: ReadingLimits.Limit
  private let source: any ByteSource

  /// What small pickles may take whatever is stored of them.
  private static let unquestioned = 28 << 20

  package init(_ source: any ByteSource) {
    let proportion = source.limits[.pickleExpansion].multipliedReportingOverflow(
      by: source.storedCount)
    let expanded = proportion.partialValue.addingReportingOverflow(Self.unquestioned)
    let allowed = proportion.overflow || expanded.overflow ? .max : expanded.partialValue
    limit = allowed < source.limits[.pickleMemory] ? .pickleExpansion : .pickleMemory
    byteCount = min(allowed, source.limits[.pickleMemory])
    self.source = source
  }

  /// The error for more than that.
  package func exceeded(at place: Location, by what: String) -> ReadError {
    source.exceeded(limit, at: place, what: "bytes of memory for \(what)", allowed: byteCount)
  }
}
