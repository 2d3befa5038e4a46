import Blocks
import Tensors
import Testing

@testable import Reparameterization

/// A float32 tensor of given values.
func tensor(_ shape: Shape, _ values: [Float]) -> Tensor {
  precondition(values.count == shape.elementCount)
  let bytes = values.flatMap { value in
    (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
  }
  return try! Tensor(
    .float32, shape: shape, in: MemoryBytes(bytes, location: Location(path: "t")), name: "t")
}

/// The same as float64.
func wideTensor(_ shape: Shape, _ values: [Double]) -> Tensor {
  let bytes = values.flatMap { value in
    (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
  }
  return try! Tensor(
    .float64, shape: shape, in: MemoryBytes(bytes, location: Location(path: "t")), name: "t")
}

/// BatchNorm whose scale and shift are exact: variance and epsilon zero and one.
func batchNorm(scale: [Double], shift: [Double]) -> BatchNorm {
  BatchNorm(
    gamma: scale, beta: shift, runningMean: shift.map { _ in 0 },
    runningVariance: scale.map { _ in 1 },
    epsilon: 0)
}

@Suite struct BatchNormTests {
  @Test func `scale and shift follow the formula`() {
    let norm = BatchNorm(
      gamma: [2, -3], beta: [1, 0.5], runningMean: [4, -2], runningVariance: [0.25, 3.75],
      epsilon: 0.25 as Double)
    let scale: [Double] = [2 / 0.5.squareRoot(), -1.5]
    let shift: [Double] = [1 - 4 * scale[0], 0.5 + 2 * scale[1]]
    #expect(norm.scale == scale)
    #expect(norm.shift == shift)
  }

  @Test(arguments: [-1, -.infinity, .nan] as [Double])
  func `a variance that gives no number is found`(variance: Double) {
    let norm = BatchNorm(
      gamma: [1, 1], beta: [0, 0], runningMean: [0, 0], runningVariance: [1, variance],
      epsilon: 1e-5)
    #expect(norm.firstInvalidChannel == 1)
  }
}

@Suite struct KernelTests {
  @Test func `a pointwise kernel lands in the middle`() throws {
    let kernel = Kernel(convolution: tensor([1, 2, 1, 1], [5, 7])).padded(to: 3, 5)
    #expect(kernel.shape == [1, 2, 3, 5])
    var expected = [Double](repeating: 0, count: 30)
    (expected[7], expected[22]) = (5, 7)
    #expect(try kernel.weights(ofRows: 0..<1) == expected)
  }

  @Test func `padding twice is padding once`() throws {
    let once = Kernel(convolution: tensor([2, 1, 1, 1], [1, 2])).padded(to: 5, 5)
    let twice = Kernel(convolution: tensor([2, 1, 1, 1], [1, 2])).padded(to: 3, 3).padded(to: 5, 5)
    #expect(try once.weights(ofRows: 0..<2) == twice.weights(ofRows: 0..<2))
  }

  @Test(arguments: [1, 2, 4])
  func `identity of a grouped convolution maps each channel to itself`(groups: Int) throws {
    let kernel = Kernel(identityOf: 4, groups: groups)
    let perGroup = 4 / groups
    #expect(kernel.shape == [4, perGroup, 1, 1])
    for channel in 0..<4 {
      let weights = try kernel.weights(ofRows: channel..<channel + 1)
      // Input channel of the whole convolution that each weight belongs to.
      let group = channel / perGroup
      for (index, weight) in weights.enumerated() {
        #expect(weight == (group * perGroup + index == channel ? 1 : 0))
      }
    }
  }

  @Test func `folding scales every weight and moves the bias`() throws {
    let kernel = Kernel(convolution: tensor([2, 1, 1, 2], [1, 2, 3, 4]), bias: [10, 20])
      .folding(batchNorm(scale: [2, -1], shift: [0.5, 0.25]))
      .folding(batchNorm(scale: [3, 3], shift: [1, 0]))
    #expect(try kernel.weights(ofRows: 0..<2) == [6, 12, -9, -12])
    #expect(try kernel.bias() == [62.5, -59.25])
  }

  @Test func `a block is the sum of its branches, whichever rows are asked for`() throws {
    let dense = Kernel(convolution: tensor([2, 2, 3, 3], (0..<36).map(Float.init)))
      .folding(batchNorm(scale: [1, 2], shift: [1, 2]))
    let pointwise = Kernel(convolution: tensor([2, 2, 1, 1], [100, 200, 300, 400]))
      .folding(batchNorm(scale: [0.5, 0.25], shift: [10, 20])).padded(to: 3, 3)
    let identity = Kernel(identityOf: 2, groups: 1)
      .folding(batchNorm(scale: [1000, 2000], shift: [100, 200])).padded(to: 3, 3)
    let fused = dense + pointwise + identity
    var expected: [Double] = (0..<36).map { $0 < 18 ? Double($0) : 2 * Double($0) }
    expected[4] += 50 + 1000
    expected[13] += 100
    expected[18 + 4] += 75
    expected[18 + 13] += 100 + 2000
    #expect(try fused.weights(ofRows: 0..<2) == expected)
    #expect(try fused.weights(ofRows: 1..<2) == Array(expected[18...]))
    #expect(try fused.bias() == [111, 222])
  }

  @Test func `float64 kernels are not narrowed on the way`() throws {
    let value = 1 + 0x1p-40
    let weight = wideTensor([1, 1, 1, 1], [value])
    #expect(try Kernel(convolution: weight).weights(ofRows: 0..<1) == [value])
  }

  @Test(arguments: [false, true], [false, true])
  func `rounded weights are the float64 ones, rounded, to the bit`(isPadded: Bool, isWide: Bool)
    throws
  {
    // Values with zeros of both signs, subnormals and more bits than a product keeps.
    let values = (0..<3 * 4 * 9).map { index -> Float in
      switch index % 7 {
      case 0: -0
      case 1: 0x1p-140 * Float(index)
      default: Float(index).squareRoot() * (index % 2 == 0 ? -1 : 1)
      }
    }
    let norm = batchNorm(scale: [0.1, -0.3, 1e-3], shift: [1, 2, 3])
    let dense =
      isWide
      ? wideTensor([3, 4, 3, 3], values.map { Double($0) * (1 + 0x1p-40) })
      : tensor([3, 4, 3, 3], values)
    var kernel = Kernel(convolution: dense).folding(norm)
    let pointwise = Kernel(
      convolution: tensor([3, 4, 1, 1], (0..<12).map { Float($0).squareRoot() })
    )
    .folding(norm).padded(to: 3, 3)
    let vertical = Kernel(convolution: tensor([3, 4, 3, 1], (0..<36).map { 1 / Float($0 + 1) }))
      .folding(norm).padded(to: 3, 3)
    kernel =
      isPadded ? (pointwise + kernel + vertical).padded(to: 5, 5) : kernel + pointwise + vertical
    let weights = RoundedContents(FusedWeights(kernel), to: .float32)
    let count = 2 * kernel.rowLength
    var result = [Float](repeating: 99, count: count)
    var workspace = Workspace()
    try unsafe result.withUnsafeMutableBytes {
      try unsafe weights.read(
        kernel.rowLength..<3 * kernel.rowLength, into: $0, workspace: &workspace)
    }
    let expected = try kernel.weights(ofRows: 1..<3).map(Float.init)
    #expect(result.map(\.bitPattern) == expected.map(\.bitPattern))
  }
}
