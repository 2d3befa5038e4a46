internal import Synchronization
internal import Tensors

/// Watches weights on their way to a file: the largest of all, and any that are not finite.
final class ValueWatch: Sendable {
  struct Findings {
    var largestName: Name = ""
    var largest: Float = 0
    /// Values that are infinite, and that are not a number, by tensor.
    var notFinite: [Name: (infinite: Int, notNumbers: Int)] = [:]
  }

  private let state = Mutex(Findings())

  var findings: Findings { state.withLock { $0 } }

  /// The same tensor; its values are seen when they are read, if they are of a type that weights come in
  /// and fit float32.
  func watching(_ tensor: OutputTensor) -> OutputTensor {
    guard let format = NumberFormat(tensor.elementType), format != .float64 else { return tensor }
    var tensor = tensor
    tensor.contents = Watched(
      contents: tensor.contents, format: format, name: tensor.name, watch: self)
    return tensor
  }

  /// - Parameter format: what numbers were rounded to.
  /// - Throws: `ConversionError.overflow`, `.notFinite`, of the first tensor by name.
  func requireValues(as format: NumberFormat, path: String) throws(ConversionError) {
    guard let (name, counts) = findings.notFinite.min(by: { $0.key < $1.key }) else { return }
    if counts.notNumbers == 0, format == .float16 {
      throw .overflow(path: path, name: name, count: counts.infinite, format)
    }
    throw .notFinite(path: path, name: name, count: counts.infinite + counts.notNumbers)
  }

  private struct Watched: TensorContents {
    let contents: any TensorContents
    let format: NumberFormat
    let name: Name
    let watch: ValueWatch

    var granularity: Int { contents.granularity }
    var pieceBytes: Int { contents.pieceBytes }

    func read(
      _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
    ) throws(ReadError) {
      try unsafe contents.read(range, into: buffer, workspace: &workspace)
      // Safe: the memory just filled with `range.count` elements, whose bits are looked at; it is aligned
      // for them as their contents need it too.
      let seen =
        if format.elementType.byteCount == 4 {
          unsafe buffer.withMemoryRebound(to: Int32.self) { unsafe Seen($0.span, .float32) }
        } else {
          unsafe buffer.withMemoryRebound(to: Int16.self) { unsafe Seen($0.span, format) }
        }
      watch.state.withLock { findings in
        // Of equals the first by name: threads end in any order.
        let isLarger = findings.largest < seen.largest
        if isLarger || findings.largest == seen.largest && name < findings.largestName {
          findings.largest = seen.largest
          findings.largestName = name
        }
        if seen.infinite + seen.notNumbers > 0 {
          findings.notFinite[name, default: (0, 0)].infinite += seen.infinite
          findings.notFinite[name, default: (0, 0)].notNumbers += seen.notNumbers
        }
      }
    }
  }
}

/// What was seen of some values.
private struct Seen {
  /// The largest magnitude of those that are finite.
  var largest: Float
  var infinite = 0
  var notNumbers = 0

  /// Less their sign, bit patterns are in the order of the magnitudes, infinity above all numbers and NaN
  /// above that: so one pass of integer comparisons, which the compiler vectorises, sees all.
  init<Bits: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ values: borrowing Span<Bits>, _ format: NumberFormat
  ) {
    var largestBits: Bits = 0
    for index in values.indices { largestBits = max(largestBits, values[index] & .max) }
    // All bits of the exponent set, none of the fraction's.
    let infinity = Bits.max & ~((1 << Bits(format.significandBits - 1)) - 1)
    if largestBits >= infinity {
      largestBits = 0
      for index in values.indices {
        let magnitude = values[index] & .max
        if magnitude > infinity {
          notNumbers += 1
        } else if magnitude == infinity {
          infinite += 1
        } else {
          largestBits = max(largestBits, magnitude)
        }
      }
    }
    // Exact: these types fit float32.
    largest = Float(format.magnitude(bits: UInt64(largestBits)))
  }
}
