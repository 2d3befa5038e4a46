internal import Synchronization
internal import Tensors

/// Watches float32 values on their way to a file: the largest of all, and any that are not finite.
final class ValueWatch: Sendable {
  struct Findings {
    var largestName = ""
    var largest: Float = 0
    /// Values that are infinite or not a number, by tensor.
    var notFinite: [String: Int] = [:]
  }

  private let state = Mutex(Findings())

  var findings: Findings { state.withLock { $0 } }

  /// The same tensor; its values are seen when they are read.
  func watching(_ tensor: OutputTensor) -> OutputTensor {
    guard tensor.elementType == .float32 else { return tensor }
    var tensor = tensor
    tensor.contents = Watched(contents: tensor.contents, name: tensor.name, watch: self)
    return tensor
  }

  private struct Watched: TensorContents {
    let contents: any TensorContents
    let name: String
    let watch: ValueWatch

    var granularity: Int { contents.granularity }
    var pieceBytes: Int { contents.pieceBytes }

    func read(
      _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
    ) throws(ReadError) {
      try unsafe contents.read(range, into: buffer, workspace: &workspace)
      // Safe: the memory just filled with `range.count` floats, whose bits are looked at; it is aligned
      // for them as `FusedWeights` needs it too.
      let (largest, notFinite) = unsafe buffer.withMemoryRebound(to: Int32.self) { values in
        unsafe largestMagnitude(values.span)
      }
      let value = Float(bitPattern: UInt32(bitPattern: largest))
      watch.state.withLock { findings in
        // Of equals the first by name: threads end in any order.
        if (findings.largest, name) < (value, findings.largestName) {
          findings.largest = value
          findings.largestName = name
        }
        if notFinite > 0 { findings.notFinite[name, default: 0] += notFinite }
      }
    }
  }
}

/// The bits of the largest magnitude of float32 values that are finite, and how many are not.
///
/// Less their sign, bit patterns are in the order of the magnitudes, NaN above all: so one pass of
/// integer comparisons, which the compiler vectorises, sees both.
private func largestMagnitude(_ values: borrowing Span<Int32>) -> (bits: Int32, notFinite: Int) {
  var largest: Int32 = 0
  for index in values.indices { largest = max(largest, values[index] & 0x7FFF_FFFF) }
  let infinity = Int32(bitPattern: Float.infinity.bitPattern)
  guard largest >= infinity else { return (largest, 0) }

  largest = 0
  var notFinite = 0
  for index in values.indices {
    let magnitude = values[index] & 0x7FFF_FFFF
    if magnitude >= infinity { notFinite += 1 } else { largest = max(largest, magnitude) }
  }
  return (largest, notFinite)
}
