public import Tensors

/// What the values of a tensor are like, from one pass over them.
public struct TensorHealth: Sendable {
  /// In the file.
  public var name: Name
  /// In the file.
  public var elementType: ElementType
  /// In the file.
  public var shape: Shape
  /// Of a weight type; of others nothing below is known.
  public var isMeasured: Bool
  /// Values that are no numbers.
  public var nans = 0
  /// Values that are infinite, of either sign.
  public var infinities = 0
  /// The first value that is not finite.
  public var firstNotFinite: Int?
  /// Values that are zero, of either sign.
  public var zeros = 0
  /// Finite values below zero.
  public var negatives = 0
  /// Of the finite values; nil if there are none.
  public var smallest, largest: Double?
  /// Of the finite values that are not zero.
  public var smallestMagnitude: Double?
  /// Finite values that would be infinite in float16.
  public var overflowingHalf = 0
  /// Values that are not zero, and would be in float16.
  public var vanishingHalf = 0
  /// Indices of the first axis below which everything is zero: dead output channels of a kernel.
  public var zeroRows: [Int] = []

  /// The largest magnitude of the finite values.
  public var largestMagnitude: Double { max(largest?.magnitude ?? 0, smallest?.magnitude ?? 0) }

  /// Elements read at a time.
  private static let pieceLength = 1 << 16
  /// What rounds to infinity in float16, half way between its largest number and the next power of two.
  static let leastOverflowingHalf = 65520.0
  /// What rounds to zero in float16: half of its smallest number, a tie.
  static let greatestVanishingHalf = 0x1p-25

  /// Reads all values once, in pieces.
  public init(of tensor: Tensor, name: Name) throws(ReadError) {
    self.name = name
    elementType = tensor.elementType
    shape = tensor.shape
    isMeasured = tensor.isWeight
    guard isMeasured, shape.elementCount > 0 else { return }

    let rowLength = shape.rank == 0 ? 1 : shape.elementCount / shape[0]
    var numbers = [Double](repeating: 0, count: min(Self.pieceLength, shape.elementCount))
    var range = (
      least: Double.infinity, greatest: -Double.infinity, leastMagnitude: Double.infinity
    )
    var (row, rowEnd, rowIsZero) = (0, rowLength, true)
    var next = 0
    while next < shape.elementCount {
      let end = min(next + Self.pieceLength, shape.elementCount)
      try tensor.readNumbers(next..<end, into: &numbers)
      let values = numbers.span
      for index in next..<end {
        let value = values[index - next]
        if index == rowEnd {
          if rowIsZero { zeroRows.append(row) }
          (row, rowEnd, rowIsZero) = (row + 1, rowEnd + rowLength, true)
        }
        let magnitude = value.magnitude
        // False for NaN too.
        guard magnitude <= .greatestFiniteMagnitude else {
          if value.isNaN { nans += 1 } else { infinities += 1 }
          if firstNotFinite == nil { firstNotFinite = index }
          rowIsZero = false
          continue
        }
        range.least = min(range.least, value)
        range.greatest = max(range.greatest, value)
        if magnitude == 0 {
          zeros += 1
        } else {
          rowIsZero = false
          range.leastMagnitude = min(range.leastMagnitude, magnitude)
          if value < 0 { negatives += 1 }
          if magnitude >= Self.leastOverflowingHalf { overflowingHalf += 1 }
          if magnitude <= Self.greatestVanishingHalf { vanishingHalf += 1 }
        }
      }
      next = end
    }
    if rowIsZero { zeroRows.append(row) }
    if range.least.isFinite { (smallest, largest) = (range.least, range.greatest) }
    if range.leastMagnitude.isFinite { smallestMagnitude = range.leastMagnitude }
  }
}
