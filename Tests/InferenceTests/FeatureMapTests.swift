import Tensors
import TestSupport
import Testing

@testable import Inference

/// The pieces that the branches of a training form are made of, on arrays small enough to check by eye.
@Suite struct FeatureMapTests {
  let pool = WorkerPool<Float>(.all)

  /// Two images of two channels, 2 x 3.
  let map: FeatureMap<Float>
  static let numbers: [Float] = [
    1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60,
    -1, -2, -3, -4, -5, -6, 7, 8, 9, 0, 1, 2,
  ]

  init() {
    map = ImageBatch(Self.numbers, shape: [2, 2, 2, 3]).map(0..<2, pool)
  }

  @Test func `BatchNorm is a factor and a shift for each channel`() {
    map.scale(by: [2, -1], adding: [0.5, 100], pool)
    #expect(
      map.numbers() == [
        2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 90, 80, 70, 60, 50, 40,
        -1.5, -3.5, -5.5, -7.5, -9.5, -11.5, 93, 92, 91, 100, 99, 98,
      ])
    map.scale(by: [0], pool)
    #expect(map.numbers().allSatisfy { $0 == 0 })
  }

  @Test func `a map is added to another`() {
    let other = ImageBatch([Float](repeating: 1, count: 24), shape: [2, 2, 2, 3]).map(0..<2, pool)
    other.add(map, pool)
    #expect(other.numbers() == Self.numbers.map { Double($0) + 1 })
    #expect(map.numbers() == Self.numbers.map(Double.init))
  }

  @Test func `the average of a window counts the zeros around the image`() {
    let window = Window(kernel: (3, 3), stride: (1, 1), padding: (1, 1), dilation: (1, 1))
    let means = map.means(of: window, height: 2, width: 3, pool)
    // Every window of 3 x 3 sees both rows.
    func rows(_ columns: [Double]) -> [Double] {
      [columns[0] + columns[1], columns.reduce(0, +), columns[1] + columns[2]].map { $0 / 9 }
    }
    let expected =
      [[5, 7, 9], [50, 70, 90], [-5, -7, -9], [7, 9, 11]].flatMap { rows($0) + rows($0) }
    #expect(largestDifference(means.numbers(), expected) < 1e-5)
  }

  @Test func `the identity at a stride, cropped or with a border`() {
    let image = ImageBatch((0..<20).map(Double.init), shape: [1, 1, 4, 5])
      .map(0..<1, WorkerPool<Double>(.all))
    func sampled(
      _ first: (Int, Int), _ stride: (Int, Int), _ height: Int, _ width: Int
    ) -> [Double] {
      image.sampled(
        from: first, stride: stride, height: height, width: width, WorkerPool<Double>(.all)
      ).numbers()
    }
    #expect(sampled((0, 0), (1, 1), 4, 5) == (0..<20).map(Double.init))
    #expect(sampled((0, 0), (2, 2), 2, 3) == [0, 2, 4, 10, 12, 14])
    #expect(sampled((1, 1), (1, 1), 2, 3) == [6, 7, 8, 11, 12, 13])
    #expect(sampled((1, 0), (2, 3), 2, 2) == [5, 8, 15, 18])
    #expect(sampled((-1, -1), (3, 2), 2, 4) == [0, 0, 0, 0, 0, 11, 13, 0])
  }

  @Test func `a convolution without bias sees zeros, however wide the padding`() {
    let image = ImageBatch([1, 2, 3, 4] as [Double], shape: [1, 1, 2, 2])
    let workers = WorkerPool<Double>(.all)
    let shape = ConvolutionShape(
      window: Window(kernel: (2, 2), stride: (1, 2), padding: (2, 3), dilation: (1, 1)), groups: 1,
      inputsPerGroup: 1, outputsPerGroup: 1)
    let weights = [1.0, 10, 100, 1000]
    let methods: [ConvolutionMethod<Double>] = [
      ProductConvolution(shape, weights: weights).apply,
      DepthwiseConvolution(shape, weights: weights).apply,
    ]
    for convolve in methods {
      let result = workers.map(channels: 1, images: 1, height: 5, width: 4)
      convolve(image.map(0..<1, workers), result, Finish(bias: nil, hasReLU: false), workers)
      // Rows begin at -2 to 2, columns at -3, -1, 1 and 3.
      #expect(
        result.numbers() == [
          0, 0, 0, 0,
          0, 1000, 200, 0,
          0, 3010, 402, 0,
          0, 30, 4, 0,
          0, 0, 0, 0,
        ])
    }
  }
}
