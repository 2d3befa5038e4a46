import Graphs
import Tensors
import TestSupport
import Testing

@testable import Inference

/// Convolutions against one that follows the definition, number by number.
@Suite struct ConvolutionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var seed: UInt64
    var images, groups, inputsPerGroup, outputsPerGroup, height, width: Int
    var kernel, stride, padding, dilation: [Int]

    /// Shapes that reach every path: odd sizes, kernels that hardly fit, several bands of positions.
    init(seed: UInt64) {
      self.seed = seed
      var random = SeededGenerator(seed: seed)
      func pick(_ values: Int...) -> Int { values.randomElement(using: &random)! }
      images = pick(1, 2, 3, 5)
      groups = pick(1, 1, 2, 3)
      inputsPerGroup = pick(1, 2, 3, 5)
      outputsPerGroup = pick(1, 2, 4)
      let kernel = pick(0, 0, 1) == 0 ? [3, 3] : [pick(1, 2, 3, 5), pick(1, 2, 3, 5)]
      let dilation = [pick(1, 1, 2, 3), pick(1, 1, 2, 3)]
      let padding = (0..<2).map { axis in
        pick(0, 1, 2) == 0 ? pick(0, 1, 2, 7) : dilation[axis] * (kernel[axis] - 1) / 2
      }
      let sizes = (0..<2).map { axis in
        max(1, dilation[axis] * (kernel[axis] - 1) + 1 - 2 * padding[axis]) + pick(0, 1, 4, 13, 24)
      }
      stride = [pick(1, 1, 2, 3), pick(1, 1, 2, 3)]
      (height, width) = (sizes[0], sizes[1])
      (self.kernel, self.dilation, self.padding) = (kernel, dilation, padding)
    }

    /// 3x3 at stride 1, with channels and sizes that are multiples of nothing.
    init(winograd seed: UInt64) {
      self.init(seed: seed)
      var random = SeededGenerator(seed: seed ^ 0x33)
      func pick(_ values: Int...) -> Int { values.randomElement(using: &random)! }
      (inputsPerGroup, outputsPerGroup) = (pick(8, 11, 16, 33), pick(8, 13, 32, 49))
      (kernel, stride, dilation) = ([3, 3], [1, 1], [1, 1])
      padding = [pick(0, 1, 1, 1, 2), pick(0, 1, 1, 1, 2)]
      (height, width) = (pick(3, 4, 5, 7, 10), pick(3, 4, 5, 9, 14))
    }

    var testDescription: String {
      "seed \(seed): \(images)x\(groups * inputsPerGroup)x\(height)x\(width), kernel \(kernel), "
        + "stride \(stride), padding \(padding), dilation \(dilation), groups \(groups)"
    }
  }

  static let cases =
    (0..<120).map { Case(seed: $0) } + (0..<24).map { Case(winograd: $0) }

  @Test(arguments: cases, Arithmetic.allCases)
  func `a convolution gives what its definition says`(test: Case, arithmetic: Arithmetic) throws {
    var random = SeededGenerator(seed: test.seed ^ 0xC0)
    func numbers(_ count: Int) -> [Double] {
      (0..<count).map { _ in Double.random(in: -1...1, using: &random) }
    }
    let (inputs, outputs) = (test.groups * test.inputsPerGroup, test.groups * test.outputsPerGroup)
    let weightShape: Shape = [outputs, test.inputsPerGroup, test.kernel[0], test.kernel[1]]
    let inputShape: Shape = [test.images, inputs, test.height, test.width]
    let (weight, bias) = (numbers(weightShape.elementCount), numbers(outputs))
    let input = numbers(inputShape.elementCount)
    let tolerance = arithmetic == .float64 ? 1e-12 : 1e-6 * Double(weight.count / outputs)

    var graph = Graph()
    graph.convolution(
      Graph.input, weight: 0, bias: 1, stride: test.stride, padding: test.padding,
      dilation: test.dilation, groups: test.groups, block: "block")
    let network = try RunnableNetwork(
      graph,
      tensors: [
        try Tensor(float64: weight, shape: weightShape, name: "weight"),
        try Tensor(float64: bias, shape: [outputs], name: "bias"),
      ], arithmetic: arithmetic)
    let result = try network.run(ImageBatch(input, shape: inputShape), batch: 2, keeping: ["block"])
    let expected = direct(test, input, weight, bias)
    #expect(result.blocks["block"]?.shape == expected.shape)
    #expect(
      largestDifference(result.blocks["block"]?.numbers ?? [], expected.numbers) < tolerance)
    #expect(largestDifference(result.logits.flatMap { $0 }, expected.numbers) < tolerance)
  }

  /// The definition: for each number of the output, the sum over channels and taps.
  private func direct(
    _ test: Case, _ input: [Double], _ weight: [Double], _ bias: [Double]
  ) -> (shape: Shape, numbers: [Double]) {
    func size(_ length: Int, _ axis: Int) -> Int {
      (length + 2 * test.padding[axis] - test.dilation[axis] * (test.kernel[axis] - 1) - 1)
        / test.stride[axis] + 1
    }
    let (height, width) = (size(test.height, 0), size(test.width, 1))
    let (inputs, outputs) = (test.groups * test.inputsPerGroup, test.groups * test.outputsPerGroup)
    var result: [Double] = []
    for image in 0..<test.images {
      for output in 0..<outputs {
        let group = output / test.outputsPerGroup
        for row in 0..<height {
          for column in 0..<width {
            var sum = bias[output]
            for channel in 0..<test.inputsPerGroup {
              for y in 0..<test.kernel[0] {
                for x in 0..<test.kernel[1] {
                  let line = row * test.stride[0] + y * test.dilation[0] - test.padding[0]
                  let place = column * test.stride[1] + x * test.dilation[1] - test.padding[1]
                  guard (0..<test.height).contains(line), (0..<test.width).contains(place) else {
                    continue
                  }
                  let plane = image * inputs + group * test.inputsPerGroup + channel
                  let tap = (output * test.inputsPerGroup + channel) * test.kernel[0] + y
                  sum +=
                    input[(plane * test.height + line) * test.width + place]
                    * weight[tap * test.kernel[1] + x]
                }
              }
            }
            result.append(sum)
          }
        }
      }
    }
    return ([test.images, outputs, height, width], result)
  }

  @Test func `the cases reach every way of computing one`() {
    var (dense, apart, plain, depthwise, winograd) = (0, 0, 0, 0, 0)
    for test in Self.cases {
      let window = Window(
        kernel: (test.kernel[0], test.kernel[1]), stride: (test.stride[0], test.stride[1]),
        padding: (test.padding[0], test.padding[1]), dilation: (test.dilation[0], test.dilation[1]))
      let shape = ConvolutionShape(
        window: window, groups: test.groups, inputsPerGroup: test.inputsPerGroup,
        outputsPerGroup: test.outputsPerGroup)
      let size = shape.outputs * shape.inputsPerGroup * window.taps
      if test.groups > 1 && test.inputsPerGroup == 1 {
        depthwise += 1
      } else if WinogradConvolution(shape, weights: [Float](repeating: 0, count: size)) != nil {
        winograd += 1
      } else if window.isIdentity {
        plain += 1
      } else if test.groups == 1 && test.dilation[1] == 1 {
        dense += 1
      } else {
        apart += 1
      }
    }
    #expect(dense >= 10 && apart >= 30 && plain >= 1 && depthwise >= 10 && winograd == 24)
  }

  @Test func `bands cover every position once`() {
    for positions in [1, 15, 16, 17, 63, 64, 65, 500, 4096, 100_001] {
      for widest in [42, 252, 4096] {
        let bands = Bands(positions: positions, widest: widest)
        #expect((0..<bands.count).flatMap { bands[$0] } == Array(0..<positions))
        #expect(bands.width <= widest)
      }
    }
  }

  @Test func `tasks cover every number of a product once`() {
    for (rows, columns, groups) in [(1, 1, 1), (49, 1280, 1), (50, 65, 3), (5000, 192, 2)] {
      let tasks = ProductTasks(rows: rows, widest: 252, columns: columns, groups: groups)
      var seen = [Int](repeating: 0, count: groups * rows * columns)
      for index in 0..<tasks.count {
        let (group, rowsOfTask, part) = tasks[index]
        #expect(part.lowerBound.isMultiple(of: 32))
        for row in rowsOfTask {
          for column in part { seen[(group * rows + row) * columns + column] += 1 }
        }
      }
      #expect(seen.allSatisfy { $0 == 1 })
    }
  }
}
