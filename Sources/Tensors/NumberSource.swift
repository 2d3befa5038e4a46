/// Numbers in float64, computed or fetched piece by piece: what a tensor is before it is rounded to the
/// type that a file stores it in.
public protocol NumberSource: Sendable {
  /// Numbers that are computed together: ranges begin and end at multiples of it.
  var granularity: Int { get }

  /// Bytes of float32 that are best asked for at a time.
  var pieceBytes: Int { get }

  /// Leaves the numbers of `range`, counted in row-major order, at the beginning of
  /// `workspace.doubles`.
  func compute(_ range: Range<Int>, workspace: inout Workspace) throws(ReadError)

  /// Fills `floats` with the numbers of `range`, each rounded once, to nearest, if there is a shorter way
  /// than by `compute`.
  ///
  /// - Returns: false if there is none.
  func round(
    _ range: Range<Int>, into floats: UnsafeMutableBufferPointer<Float>, workspace: inout Workspace
  ) throws(ReadError) -> Bool
}

extension NumberSource {
  /// No shorter way.
  public func round(
    _ range: Range<Int>, into floats: UnsafeMutableBufferPointer<Float>, workspace: inout Workspace
  ) throws(ReadError) -> Bool { false }
}

extension Tensor: NumberSource {
  /// - Precondition: `isWeight`.
  public func compute(_ range: Range<Int>, workspace: inout Workspace) throws(ReadError) {
    workspace.doubles.grow(to: range.count)
    try readNumbers(range, into: &workspace.doubles)
  }

  /// Types that fit float32 are decoded to it.
  ///
  /// - Precondition: `isWeight`.
  public func round(
    _ range: Range<Int>, into floats: UnsafeMutableBufferPointer<Float>, workspace: inout Workspace
  ) throws(ReadError) -> Bool {
    if fitsFloat { try unsafe readFloats(range, into: floats) }
    return fitsFloat
  }
}

/// Numbers as the elements of a type that weights come in, each rounded once, to nearest.
public struct RoundedContents: TensorContents {
  /// What is rounded.
  public let numbers: any NumberSource
  /// What it is rounded to.
  public let format: NumberFormat

  public init(_ numbers: any NumberSource, to format: NumberFormat) {
    self.numbers = numbers
    self.format = format
  }

  public var granularity: Int { numbers.granularity }
  public var pieceBytes: Int { numbers.pieceBytes / 4 * format.elementType.byteCount }

  public func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    if format.elementType == .float32 {
      // Safe: `buffer` is the memory of `range.count` float32, aligned for them.
      let floats = unsafe buffer.assumingMemoryBound(to: Float.self)
      if try unsafe numbers.round(range, into: floats, workspace: &workspace) { return }
    }
    try numbers.compute(range, workspace: &workspace)
    unsafe format.write(workspace.doubles.span.extracting(first: range.count), buffer)
  }
}

/// Numbers as steps of scales, one for each index along the first axis: the nearest step, of two equally
/// near the even one, from -127 to 127.
public struct SteppedContents: TensorContents {
  /// What is rounded to steps.
  public let numbers: any NumberSource
  /// One for each channel, finite and greater than 0.
  public let scales: [Float]
  /// Numbers of one channel.
  private let run: Int

  public init(_ numbers: any NumberSource, shape: Shape, scales: [Float]) {
    precondition(scales.count == shape[0])
    self.numbers = numbers
    self.scales = scales
    run = shape.dimensions.dropFirst().reduce(1, *)
  }

  public var granularity: Int { numbers.granularity }
  public var pieceBytes: Int { numbers.pieceBytes / 4 }

  public func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    try numbers.compute(range, workspace: &workspace)
    let numbers = workspace.doubles.span
    var next = range.lowerBound
    while next < range.upperBound {
      let channel = next / run
      let end = min(range.upperBound, (channel + 1) * run)
      for index in next - range.lowerBound..<end - range.lowerBound {
        unsafe buffer[index] = UInt8(
          bitPattern: Int8(step(nearest: numbers[index], of: scales[channel])))
      }
      next = end
    }
  }
}

/// The step of a scale that is nearest to a number, of two equally near the even one: from -127 to 127.
/// Of a NaN it is 0.
package func step(nearest number: Double, of scale: Float) -> Double {
  let step = (number / Double(scale)).rounded(.toNearestOrEven)
  return step.isNaN ? 0 : max(-127, min(127, step))
}

extension OutputTensor {
  /// Numbers, rounded to a type that weights come in.
  public init(name: Name, shape: Shape, _ numbers: any NumberSource, as format: NumberFormat) {
    self.init(
      name: name, elementType: format.elementType, shape: shape,
      contents: RoundedContents(numbers, to: format))
  }

  /// Numbers as int8, in steps of scales.
  public init(name: Name, shape: Shape, _ numbers: any NumberSource, inStepsOf scales: [Float]) {
    self.init(
      name: name, elementType: .int8, shape: shape,
      contents: SteppedContents(numbers, shape: shape, scales: scales))
    self.scales = scales
  }
}

extension Array where Element: WeightNumber {
  /// Makes room for at least `count` numbers; what they are does not matter.
  package mutating func grow(to count: Int) {
    if self.count < count { self = [Element](repeating: 0, count: count) }
  }
}
