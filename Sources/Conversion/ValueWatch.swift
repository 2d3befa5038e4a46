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

    func read(
      _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
    ) throws(ReadError) {
      try unsafe contents.read(range, into: buffer, workspace: &workspace)
      var (largest, notFinite) = (UInt32(0), 0)
      let infinity = Float.infinity.bitPattern
      // The bit patterns of non-negative floats are in the order of their values, NaN above all.
      // Safe: reads exactly the floats just written, without assuming alignment.
      for index in 0..<range.count {
        let bits = unsafe buffer.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) & 0x7FFF_FFFF
        largest = max(largest, bits)
      }
      if largest >= infinity {
        largest = 0
        for index in 0..<range.count {
          let bits = unsafe buffer.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) & 0x7FFF_FFFF
          if bits >= infinity { notFinite += 1 } else { largest = max(largest, bits) }
        }
      }
      let value = Float(bitPattern: largest)
      watch.state.withLock { findings in
        if value > findings.largest {
          findings.largest = value
          findings.largestName = name
        }
        if notFinite > 0 { findings.notFinite[name, default: 0] += notFinite }
      }
    }
  }
}
