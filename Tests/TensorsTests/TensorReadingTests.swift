import TestSupport
import Testing

@testable import Tensors

@Suite struct TensorReadingTests {
  let place = Location(path: "test")

  /// Elements 0, 1, 2, ... as little-endian int32.
  func counting(_ count: Int) -> MemoryBytes {
    MemoryBytes(
      (0..<Int32(count)).flatMap { value in
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * Int32($0))) }
      }, location: place)
  }

  func integers(_ tensor: Tensor, _ range: Range<Int>? = nil) throws -> [Int32] {
    let range = range ?? 0..<tensor.shape.elementCount
    var result = [Int32](repeating: -1, count: range.count)
    try unsafe result.withUnsafeMutableBytes { try unsafe tensor.read(range, into: $0) }
    return result
  }

  /// The indices into the storage, computed one by one.
  func naive(_ sizes: [Int], _ strides: [Int], _ start: Int) -> [Int32] {
    var result = [start]
    for (size, stride) in zip(sizes, strides) {
      result = result.flatMap { base in (0..<size).map { base + $0 * stride } }
    }
    return result.map(Int32.init)
  }

  @Test(arguments: 0..<40)
  func `some indices of an axis are read in their order`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let sizes = (0..<3).map { _ in Int.random(in: 1...5, using: &random) }
    let axis = Int.random(in: 0..<3, using: &random)
    let indices = (0..<Int.random(in: 1...6, using: &random)).map { _ in
      Int.random(in: 0..<sizes[axis], using: &random)
    }
    var base = try Tensor(
      .int32, shape: Shape(sizes), in: counting(sizes.reduce(1, *)), name: "t")
    if seed % 2 == 1 { base = base.flipped(axis: 2) }
    let all = try integers(base)
    let selected = try base.selecting(indices, axis: axis, name: "s")
    var expected: [Int32] = []
    for i in axis == 0 ? indices : Array(0..<sizes[0]) {
      for j in axis == 1 ? indices : Array(0..<sizes[1]) {
        for k in axis == 2 ? indices : Array(0..<sizes[2]) {
          expected.append(all[(i * sizes[1] + j) * sizes[2] + k])
        }
      }
    }
    #expect(try integers(selected) == expected)
    let middle = expected.count / 3..<expected.count
    #expect(try integers(selected, middle) == Array(expected[middle]))
    // Bytes that begin and end inside elements.
    let bytes = try selected.bytes()
    for start in 0..<min(9, bytes.count) {
      #expect(
        try selected.source.bytes(start..<bytes.count - start % 3, field: "x")
          == Array(bytes[start..<bytes.count - start % 3]))
    }
  }

  @Test func `row-major, column-major, transposed, flipped and expanded views read in order`()
    throws
  {
    let source = counting(24)
    let matrix = try Tensor(.int32, shape: [4, 6], in: source, name: "m")
    #expect(try integers(matrix) == Array(0..<24))
    #expect(try integers(matrix.transposed([1, 0])) == naive([6, 4], [1, 6], 0))
    #expect(try integers(matrix.flipped(axis: 0)) == naive([4, 6], [-6, 1], 18))
    #expect(try integers(matrix.flipped(axis: 1)) == naive([4, 6], [6, -1], 5))
    #expect(try integers(matrix.reshaped(to: [2, 2, 6])) == Array(0..<24))
    let columns = try Tensor(
      .int32, shape: [4, 6], strides: Shape([4, 6]).columnMajorStrides, in: source, name: "f")
    #expect(try integers(columns) == naive([4, 6], [1, 4], 0))
    #expect(try integers(columns.reshaped(to: [24])) == naive([4, 6], [1, 4], 0))
    let expanded = try Tensor(
      .int32, shape: [3, 2], strides: [0, 1], in: source, at: 8, name: "e")
    #expect(try integers(expanded) == [2, 3, 2, 3, 2, 3])
    let scalar = try Tensor(.int32, shape: [], in: source, at: 92, name: "s")
    #expect(try integers(scalar) == [23])
    let empty = try Tensor(.int32, shape: [0, 1 << 40], in: source, name: "z")
    #expect(try integers(empty) == [])
  }

  @Test(arguments: 0..<200 as Range<UInt64>)
  func `any part of any view is what indexing gives`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let sizes = (0..<Int.random(in: 1...4, using: &random)).map { _ in
      Int.random(in: 1...9, using: &random)
    }
    let order = Array(sizes.indices).shuffled(using: &random)
    // Dense strides of the axes in some order, some of them stretched, reversed or zero.
    var strides = [Int](repeating: 0, count: sizes.count)
    var next = Int.random(in: 1...3, using: &random)
    for axis in order {
      strides[axis] = next
      next *= sizes[axis] * Int.random(in: 1...2, using: &random)
    }
    var start = 0
    for axis in sizes.indices {
      switch Int.random(in: 0..<6, using: &random) {
      case 0:
        start += (sizes[axis] - 1) * strides[axis]
        strides[axis].negate()
      case 1: strides[axis] = 0
      default: break
      }
    }
    let tensor = try Tensor(
      .int32, shape: Shape(sizes), strides: strides, in: counting(next), at: 4 * start, name: "t")
    let expected = naive(sizes, strides, start)
    #expect(try integers(tensor) == expected, "seed \(seed)")
    for _ in 0..<8 {
      let (a, b) = (
        Int.random(in: 0...expected.count, using: &random),
        Int.random(in: 0...expected.count, using: &random)
      )
      let range = min(a, b)..<max(a, b)
      #expect(try integers(tensor, range) == Array(expected[range]), "seed \(seed), \(range)")
    }
  }

  @Test func `a sparse view of a large storage is gathered piece by piece`() throws {
    let source = counting(300 * 400)
    let columns = try Tensor(
      .int32, shape: [300, 400], strides: [1, 300], in: source, name: "f")
    let expected = naive([300, 400], [1, 300], 0)
    #expect(try integers(columns) == expected)
    #expect(try integers(columns, 2000..<3999) == Array(expected[2000..<3999]))
  }

  @Test(arguments: [
    ([4, 6], [6, 1], 4), ([4, 6], [6, 2], 0), ([1], [1], 96), ([2], [-1], 0),
    ([2, 2], [Int.max, Int.max], 0), ([3], [1], -4),
  ])
  func `a view that leaves its storage is refused`(sizes: [Int], strides: [Int], offset: Int) {
    #expect(throws: ReadError.self) {
      try Tensor(
        .int32, shape: Shape(sizes), strides: strides, in: counting(24), at: offset, name: "t")
    }
  }

  @Test func `sizes whose product overflows are no shape`() {
    #expect(Shape(checking: [1 << 32, 1 << 32]) == nil)
    #expect(Shape(checking: [0, 1 << 62, 1 << 62])?.elementCount == 0)
    #expect(Shape(checking: [-1]) == nil)
    #expect(Shape(checking: Array(repeating: 1, count: 65)) == nil)
  }

  @Test func `big-endian elements are turned round, complex ones by halves`() throws {
    let bytes = MemoryBytes(Array(0..<16), location: place)
    let pairs = try Tensor(.int16, shape: [8], byteOrder: .big, in: bytes, name: "t")
    #expect(try pairs.bytes().prefix(4) == [1, 0, 3, 2])
    let complex = try Tensor(.complex64, shape: [2], byteOrder: .big, in: bytes, name: "c")
    #expect(try complex.bytes().prefix(8) == [3, 2, 1, 0, 7, 6, 5, 4])
  }

  @Test func `what lies in order can be given other axes, and those rearranged`() throws {
    let tensor = try Tensor(.int32, shape: [24], in: counting(24), name: "t").reshaped(to: [
      2, 3, 4,
    ])
    #expect(!tensor.isReshaped)
    #expect(try integers(tensor.transposed([2, 0, 1]), 0..<6) == [0, 4, 8, 12, 16, 20])
    let strided = try Tensor(.int32, shape: [4, 3], strides: [1, 4], in: counting(12), name: "t")
    #expect(strided.reshaped(to: [12]).isReshaped)
    #expect(try integers(strided.reshaped(to: [12]), 0..<4) == [0, 4, 8, 1])
  }
}

@Suite struct NumberTests {
  #if !((os(macOS) || targetEnvironment(macCatalyst)) && arch(x86_64))
    @Test func `every half-precision pattern is what the processor says it is`() {
      for bits in 0...UInt16.max {
        let ours = Float(halfBits: bits)
        let theirs = Float(Float16(bitPattern: bits))
        #expect(ours.bitPattern == theirs.bitPattern || (ours.isNaN && theirs.isNaN), "\(bits)")
      }
    }
  #endif

  @Test func `bfloat16 is the upper half of a float`() throws {
    let bytes = MemoryBytes([0x80, 0x3F, 0x00, 0xC0], location: Location(path: "t"))
    let tensor = try Tensor(.bfloat16, shape: [2], in: bytes, name: "t")
    #expect(try tensor.doubles() == [1, -2])
  }

  @Test(arguments: [ElementType.float32, .float16, .bfloat16], [0, 1, 511, 512, 513, 1500])
  func `every length of every type is decoded, and not a number more`(type: ElementType, count: Int)
    throws
  {
    // Small multiples of 1/8 are exact in all types.
    let values = (0..<count + 3).map { Float($0 % 200 - 100) / 8 }
    let bytes = values.flatMap { value -> [UInt8] in
      let bits = value.bitPattern
      let exponent = value == 0 ? 0 : (bits >> 23 & 0xFF) - 112
      let stored: UInt32 =
        switch type {
        case .float16: bits >> 16 & 0x8000 | exponent << 10 | bits >> 13 & 0x3FF
        case .bfloat16: bits >> 16
        default: bits
        }
      return (0..<type.byteCount).map { UInt8(truncatingIfNeeded: stored >> (8 * UInt32($0))) }
    }
    let tensor = try Tensor(
      type, shape: [count + 3], in: MemoryBytes(bytes, location: Location(path: "t")), name: "t")
    var floats = [Float](repeating: 99, count: count + 2)
    try tensor.readNumbers(3..<count + 3, into: &floats)
    #expect(floats == values[3...] + [99, 99])
    var doubles = [Double](repeating: 99, count: count + 2)
    try tensor.readNumbers(3..<count + 3, into: &doubles)
    #expect(doubles == values[3...].map(Double.init) + [99, 99])
  }

  /// Numbers, and the bit patterns of the nearest float16 and bfloat16, found by comparing exact fractions;
  /// a NaN stays one.
  static let nearest: [(Double, UInt16, UInt16)] = [
    (1.0, 0x3C00, 0x3F80), (-0.0, 0x8000, 0x8000), (65504, 0x7BFF, 0x4780),
    // Halfway to the next, and a bit more than float32 can tell apart from it.
    (65519.999, 0x7BFF, 0x4780), (65520, 0x7C00, 0x4780), (1 + 0x1p-11, 0x3C00, 0x3F80),
    (1 + 0x1p-11 + 0x1p-40, 0x3C01, 0x3F80), (1 + 0x3p-11, 0x3C02, 0x3F80),
    (1 + 0x1p-8, 0x3C04, 0x3F80), (1 + 0x1p-8 + 0x1p-45, 0x3C04, 0x3F81),
    (1 + 0x3p-8, 0x3C0C, 0x3F82),
    // The smallest normal number of float16, what rounds up to it, subnormal ones, and less than half of
    // the least.
    (0x1p-14, 0x0400, 0x3880), (0x1.FFFp-15, 0x0400, 0x3880), (0x1p-24, 0x0001, 0x3380),
    (0x1p-25, 0x0000, 0x3300), (0x1.0000000001p-25, 0x0001, 0x3300), (0x3p-25, 0x0002, 0x33C0),
    (-0x1p-30, 0x8000, 0xB080), (0x1p-126, 0x0000, 0x0080), (0x1p-133, 0x0000, 0x0001),
    (0x1p-134, 0x0000, 0x0000), (0x1.8p-134, 0x0000, 0x0001), (0x1p-300, 0x0000, 0x0000),
    (0x1.FEp127, 0x7C00, 0x7F7F), (0x1.FFp127, 0x7C00, 0x7F80), (1e300, 0x7C00, 0x7F80),
    (-.infinity, 0xFC00, 0xFF80), (.nan, 0x7E00, 0x7FC0),
  ]

  @Test(arguments: nearest)
  func `float64 becomes the nearest of sixteen bits`(
    value: Double, half: UInt16, brain: UInt16
  ) throws {
    for (format, expected) in [(NumberFormat.float16, half), (.bfloat16, brain)] {
      let contents = RoundedContents(
        try Tensor(float64: [value], shape: [1], name: "t"), to: format)
      var (result, workspace) = ([UInt16(0)], Workspace())
      try unsafe result.withUnsafeMutableBytes {
        try unsafe contents.read(0..<1, into: $0, workspace: &workspace)
      }
      #expect(result[0] == expected, "\(format.elementType)")
    }
  }

  @Test(arguments: [(NumberFormat.float16, 5 as UInt16), (.bfloat16, 8)])
  func `every number of sixteen bits, and what lies between two, rounds as it should`(
    format: NumberFormat, exponentBits: UInt16
  ) throws {
    // In the order of their values; the next after the largest is infinite.
    let patterns = (0..<((1 << exponentBits) - 1) << (15 - exponentBits)).map { UInt16($0) }
    let bytes = patterns.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    let numbers = try Tensor(
      format.elementType, shape: [patterns.count],
      in: MemoryBytes(bytes, location: Location(path: "t")), name: "t"
    ).doubles()
    var (values, expected): ([Double], [UInt16]) = ([], [])
    for (index, pattern) in patterns.enumerated() {
      values.append(numbers[index])
      expected.append(pattern)
      guard index + 1 < numbers.count else { continue }
      let middle = (numbers[index] + numbers[index + 1]) / 2
      values += [middle.nextDown, middle, middle.nextUp]
      expected += [pattern, pattern + pattern % 2, pattern + 1]
    }
    let contents = RoundedContents(
      try Tensor(float64: values, shape: [values.count], name: "t"), to: format)
    var (result, workspace) = ([UInt16](repeating: 0, count: values.count), Workspace())
    try unsafe result.withUnsafeMutableBytes {
      try unsafe contents.read(0..<values.count, into: $0, workspace: &workspace)
    }
    #expect(result == expected)
  }

  @Test func `integers with scales are their products, in any order of axes`() throws {
    let integers: [Int8] = [1, -2, 3, -127, 127, 0, 5, 6, -7, 8, 9, 10]
    let tensor = try Tensor(
      .int8, shape: [2, 3, 2],
      in: MemoryBytes(integers.map { UInt8(bitPattern: $0) }, location: Location(path: "t")),
      name: "t"
    ).scaled(by: [0.5, 0.1])
    let tenth = Double(Float(0.1))
    let values = integers.enumerated().map { Double($1) * ($0 < 6 ? 0.5 : tenth) }
    #expect(try tensor.doubles() == values)
    let exchanged = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11].map { values[$0] }
    #expect(try tensor.transposed([2, 1, 0]).doubles() == exchanged)
    #expect(try tensor.flipped(axis: 0).doubles() == Array(values[6...] + values[..<6]))
    let reversed = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10].map { values[$0] }
    #expect(try tensor.flipped(axis: 2).doubles() == reversed)
    #expect(try tensor.reshaped(to: [2, 6, 1, 1]).doubles() == values)
    var part = [Double](repeating: 99, count: 4)
    try tensor.readNumbers(4..<8, into: &part)
    #expect(part == Array(values[4..<8]))
    #expect(tensor.isWeight && !tensor.fitsFloat)
  }

  @Test func `numbers become the nearest steps of a scale, ties to even, none beyond 127`() throws {
    let numbers = try Tensor(
      float64: [0.5, 1.5, -2.5, 127.6, -500, 0.4, 5, .nan], shape: [2, 4], name: "t")
    let contents = SteppedContents(numbers, shape: [2, 4], scales: [1, 2])
    var (result, workspace) = ([Int8](repeating: 99, count: 8), Workspace())
    try unsafe result.withUnsafeMutableBytes {
      try unsafe contents.read(0..<8, into: $0, workspace: &workspace)
    }
    #expect(result == [0, 2, -2, 127, -127, 0, 2, 0])
  }

  @Test func `float64 becomes float32 with one rounding, ties to even`() throws {
    let values: [Double] = [1 + 0x1p-24, 1 + 0x1p-24 + 0x1p-50, 1 + 0x3p-24, 1e300, -0.0]
    let bytes = MemoryBytes(
      values.flatMap { value in
        (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
      },
      location: Location(path: "t"))
    let contents = RoundedContents(
      try Tensor(.float64, shape: [5], in: bytes, name: "t"), to: .float32)
    var result = [Float](repeating: 0, count: 5)
    var workspace = Workspace()
    try unsafe result.withUnsafeMutableBytes {
      try unsafe contents.read(0..<5, into: $0, workspace: &workspace)
    }
    #expect(result == [1, 1 + 0x1p-23, 1 + 0x1p-22, .infinity, -0.0])
    #expect(result[4].sign == .minus)
  }
}
