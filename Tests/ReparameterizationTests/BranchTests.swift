import Blocks
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Reparameterization

/// What a tree gives for an image, computed layer by layer over the whole image, as training does: the
/// independent answer to what its kernel gives.
private struct Image: Equatable {
  var channels, height, width: Int
  var values: [Double]

  subscript(channel: Int, y: Int, x: Int) -> Double {
    y < 0 || x < 0 || y >= height || x >= width
      ? 0 : values[(channel * height + y) * width + x]
  }

  init(_ channels: Int, _ height: Int, _ width: Int, _ value: (Int, Int, Int) throws -> Double)
    rethrows
  {
    (self.channels, self.height, self.width) = (channels, height, width)
    values = []
    for channel in 0..<channels {
      for y in 0..<height { for x in 0..<width { values.append(try value(channel, y, x)) } }
    }
  }

  /// Without its edges: what a smaller kernel sees of what a larger one does.
  func cropped(_ rows: Int, _ columns: Int) -> Image {
    Image(channels, height - 2 * rows, width - 2 * columns) { self[$0, $1 + rows, $2 + columns] }
  }
}

extension Branch {
  /// Runs it without padding, on an image that has been padded.
  fileprivate func run(_ image: Image, size: (Int, Int)) throws -> Image {
    switch self {
    case .convolution(let weight, let bias):
      let (weights, biases) = (try weight.doubles(), try bias?.doubles())
      let (shape, perGroup) = (weight.shape, weight.shape[1])
      let rows = shape[0] / (image.channels / perGroup)
      return Image(shape[0], image.height - shape[2] + 1, image.width - shape[3] + 1) { o, y, x in
        var sum = biases?[o] ?? 0
        for i in 0..<perGroup {
          for v in 0..<shape[2] {
            for u in 0..<shape[3] {
              sum +=
                weights[((o * perGroup + i) * shape[2] + v) * shape[3] + u]
                * image[o / rows * perGroup + i, y + v, x + u]
            }
          }
        }
        return sum
      }
    case .identity: return image
    case .average(let size):
      return Image(image.channels, image.height - size + 1, image.width - size + 1) { c, y, x in
        var sum = 0.0
        for v in 0..<size { for u in 0..<size { sum += image[c, y + v, x + u] } }
        return sum / Double(size * size)
      }
    case .batchNorm(let branch, let norm):
      let image = try branch.run(image, size: size)
      return Image(image.channels, image.height, image.width) { c, y, x in
        (image[c, y, x] - norm.runningMean[c])
          / (norm.runningVariance[c] + norm.epsilon).squareRoot()
          * norm.gamma[c] + norm.beta[c]
      }
    case .scaled(let branch, let factors):
      let (image, factors) = (try branch.run(image, size: size), try factors.doubles())
      return Image(image.channels, image.height, image.width) { c, y, x in
        image[c, y, x] * factors[factors.count == 1 ? 0 : c]
      }
    case .separable(let depthwise, let pointwise):
      return try Branch.convolution(pointwise, bias: nil).run(
        Branch.convolution(depthwise, bias: nil).run(image, size: size), size: size)
    case .shifted(let branch, let shifts):
      let (image, shifts) = (try branch.run(image, size: size), try shifts.doubles())
      return Image(image.channels, image.height, image.width) { c, y, x in
        image[c, y, x] + shifts[c]
      }
    case .unrolled(let branch, let height, let width):
      // Every position of the image is a map of its own.
      let area = height * width
      var result = image
      let kernel = try Kernel(branch)
      let (top, left) = (kernel.shape[2] / 2, kernel.shape[3] / 2)
      for place in 0..<image.height * image.width {
        let map = Image(image.channels / area, height + 2 * top, width + 2 * left) { c, y, x in
          let (y, x) = (y - top, x - left)
          guard 0..<height ~= y, 0..<width ~= x else { return 0 }
          return image.values[
            (c * area + y * width + x) * image.height * image.width + place]
        }
        let out = try branch.run(map, size: (0, 0)).values
        for index in out.indices {
          result.values[index * image.height * image.width + place] = out[index]
        }
      }
      return result
    case .layer(_, let branch): return try branch.run(image, size: size)
    case .then(let first, let second):
      return try second.run(first.run(image, size: size), size: size)
    case .sum(let branches):
      let images = try branches.map { try $0.run(image, size: size) }
      let (height, width) = (images.map(\.height).min()!, images.map(\.width).min()!)
      let cropped = images.map { $0.cropped(($0.height - height) / 2, ($0.width - width) / 2) }
      return Image(cropped[0].channels, height, width) { c, y, x in
        cropped.reduce(0) { $0 + $1[c, y, x] }
      }
    case .dilated(.convolution(let weight, let bias), let rate):
      let (weights, biases) = (try weight.doubles(), try bias?.doubles())
      let (shape, perGroup) = (weight.shape, weight.shape[1])
      let rows = shape[0] / (image.channels / perGroup)
      return Image(
        shape[0], image.height - (shape[2] - 1) * rate, image.width - (shape[3] - 1) * rate
      ) { o, y, x in
        var sum = biases?[o] ?? 0
        for i in 0..<perGroup {
          for v in 0..<shape[2] {
            for u in 0..<shape[3] {
              sum +=
                weights[((o * perGroup + i) * shape[2] + v) * shape[3] + u]
                * image[o / rows * perGroup + i, y + v * rate, x + u * rate]
            }
          }
        }
        return sum
      }
    case .dilated: preconditionFailure("only convolutions are dilated here")
    }
  }
}

@Suite struct BranchTests {
  /// Random parts of trees over four channels in and out.
  private struct Maker {
    var random: SeededGenerator
    var groups: Int

    init(_ seed: UInt64, groups: Int) {
      random = SeededGenerator(seed: seed)
      self.groups = groups
    }

    mutating func numbers(_ count: Int, _ range: ClosedRange<Double> = -1...1) -> [Double] {
      (0..<count).map { _ in Double(Float(Double.random(in: range, using: &random))) }
    }

    mutating func convolution(
      _ height: Int, _ width: Int? = nil, to output: Int = 4, from input: Int = 4,
      bias: Bool = false
    ) -> Branch {
      let shape: Shape = [output, input / groups, height, width ?? height]
      return .convolution(
        wideTensor(shape, numbers(shape.elementCount)),
        bias: bias ? wideTensor([output], numbers(output)) : nil)
    }

    mutating func norm(_ channels: Int = 4) -> BatchNorm {
      BatchNorm(
        gamma: numbers(channels, 0.5...1.5), beta: numbers(channels),
        runningMean: numbers(channels),
        runningVariance: numbers(channels, 0.5...2), epsilon: 1e-3)
    }
  }

  @Test(arguments: [1, 2, 4], 0..<11)
  func `the kernel of a tree gives what its layers give one by one`(groups: Int, kind: Int) throws {
    var make = Maker(UInt64(17 * groups + kind), groups: groups)
    let tree: Branch
    switch kind {
    case 0:  // RepVGG
      tree =
        make.convolution(3).normalized(by: make.norm())
        + make.convolution(1, bias: true).normalized(by: make.norm())
        + Branch.identity.normalized(by: make.norm())
    case 1:  // A BatchNorm over a sum, and a bare identity in it (QARepVGG, RepViT).
      tree = (make.convolution(3, bias: true) + make.convolution(1) + .identity)
        .normalized(by: make.norm())
    case 2:  // ACB
      tree =
        make.convolution(3).normalized(by: make.norm())
        + make.convolution(3, 1).normalized(by: make.norm())
        + make.convolution(1, 3).normalized(by: make.norm())
    case 3:  // UniRepLKNet
      tree = make.convolution(7) + make.convolution(3).dilated(by: 3) + make.convolution(5)
    case 4:  // DBB: averages and products, the first padded with its bias.
      let reduced = make.convolution(1).normalized(by: make.norm())
      let inner = (.identity + make.convolution(1)).normalized(by: make.norm())
      tree =
        make.convolution(3)
        + reduced.then(Branch.average(size: 3).normalized(by: make.norm()))
        + inner.then(make.convolution(3, bias: true).normalized(by: make.norm()))
    case 5:  // More channels between (depthwise DBB, SPAN).
      tree =
        make.convolution(1, to: 8, bias: true).then(make.convolution(3, from: 8, bias: true))
        .then(make.convolution(1, bias: true)) + make.convolution(1)
    case 6:  // Two larger kernels in series (RepNeXt).
      tree = make.convolution(1, 3, bias: true).then(make.convolution(3, 1)) + .average(size: 3)
    case 7:  // A depthwise convolution before a 1x1 one (OREPA), turned ones after others.
      let (depthwise, pointwise) = (
        wideTensor([12, 1, 3, 3], make.numbers(108)),
        wideTensor([4, 12 / groups, 1, 1], make.numbers(48 / groups))
      )
      let factors = wideTensor([4], make.numbers(4))
      tree =
        (make.convolution(1)
        + Branch.separable(depthwise: depthwise, pointwise: pointwise)
        .scaled(by: factors)).normalized(by: make.norm())
    case 8:  // Factors and constants of a depthwise filter (ECBSR).
      let mask = wideTensor([4, 1, 3, 3], make.numbers(36))
      let filter = Branch.convolution(mask, bias: nil).scaled(by: wideTensor([4], make.numbers(4)))
        .shifted(by: wideTensor([4], make.numbers(4)))
      tree =
        make.convolution(3, bias: true) + make.convolution(1, bias: true).then(filter) + .identity
    case 9:  // A constant before a convolution (Global Response Normalization).
      tree = Branch.identity.shifted(by: wideTensor([4], make.numbers(4)))
        .then(make.convolution(1)).normalized(by: make.norm())
    default:  // Scales, and one that is subtracted (CSLA, RepMixer).
      let scale = wideTensor([4], make.numbers(4))
      tree =
        .identity
        + (make.convolution(3) + Branch.identity.scaled(by: wideTensor([1], [-1]))).scaled(
          by: scale)
    }
    let kernel = try Kernel(tree, groups: groups)
    let (height, width) = (kernel.shape[2], kernel.shape[3])
    let fused = Branch.convolution(
      wideTensor(kernel.shape, try kernel.weights(ofRows: 0..<4)),
      bias: wideTensor([4], try kernel.bias()))
    let image = Image(4, 9, 11) { _, y, x in
      // A border of zeros as wide as the padding.
      let inside =
        (height / 2..<9 - height / 2).contains(y) && (width / 2..<11 - width / 2).contains(x)
      return inside ? make.numbers(1)[0] : 0
    }
    let (expected, found) = (
      try tree.run(image, size: (height, width)), try fused.run(image, size: (height, width))
    )
    #expect(expected.height == found.height && expected.width == found.width)
    for (a, b) in zip(expected.values, found.values) { #expect(abs(a - b) < 1e-12, "kind \(kind)") }
    // Any row by itself, and in any pieces.
    for row in 0..<4 {
      let all = try kernel.weights(ofRows: 0..<4)
      #expect(
        try kernel.weights(ofRows: row..<row + 1)
          == Array(all[row * kernel.rowLength..<(row + 1) * kernel.rowLength]))
      #expect(try kernel.bias(ofRows: row..<row + 1) == [try kernel.bias()[row]])
    }
  }

  @Test(arguments: [(2, 4, 3, 3), (3, 2, 5, 5), (1, 5, 3, 1), (4, 1, 1, 7)])
  func `a depthwise branch over maps is a matrix over their values`(
    height: Int, width: Int, kernelHeight: Int, kernelWidth: Int
  ) throws {
    let (channels, area) = (3, height * width)
    var make = Maker(UInt64(height * 8 + width), groups: channels)
    let local =
      Branch.convolution(
        wideTensor(
          [channels, 1, kernelHeight, kernelWidth],
          make.numbers(channels * kernelHeight * kernelWidth)), bias: nil
      ).normalized(by: make.norm(channels))
      + Branch.convolution(
        wideTensor([channels, 1, 1, 1], make.numbers(channels)),
        bias: wideTensor([channels], make.numbers(channels)))
    let matrix = Branch.convolution(
      wideTensor([channels * area, area, 1, 1], make.numbers(channels * area * area)), bias: nil)
    let tree =
      matrix.normalized(by: make.norm(channels * area))
      + Branch.unrolled(local, height: height, width: width)
    let kernel = try Kernel(tree)
    #expect(kernel.shape == [channels * area, area, 1, 1])
    let all = 0..<channels * area
    let fused = Branch.convolution(
      wideTensor(kernel.shape, try kernel.weights(ofRows: all)),
      bias: wideTensor([channels * area], try kernel.bias()))
    let image = Image(channels * area, 2, 3) { _, _, _ in make.numbers(1)[0] }
    let (expected, found) = (
      try tree.run(image, size: (1, 1)), try fused.run(image, size: (1, 1))
    )
    for (a, b) in zip(expected.values, found.values) { #expect(abs(a - b) < 1e-12) }
    let weights = try kernel.weights(ofRows: all)
    for row in all {
      #expect(
        try kernel.weights(ofRows: row..<row + 1) == Array(weights[row * area..<(row + 1) * area]))
    }
  }

  @Test func `what does not go together is said, with the layer`() {
    let dense = Branch.layer(
      "dense", .convolution(wideTensor([4, 2, 3, 3], [Double](repeating: 1, count: 72)), bias: nil))
    func problem(_ branch: Branch, groups: Int? = nil) -> String? {
      do {
        _ = try Kernel(branch, groups: groups)
        return nil
      } catch {
        return (error as? KernelProblem)?.what
      }
    }
    let even = Branch.convolution(
      wideTensor([4, 2, 2, 2], [Double](repeating: 1, count: 32)), bias: nil)
    let other = Branch.convolution(
      wideTensor([4, 4, 1, 1], [Double](repeating: 1, count: 16)), bias: nil)
    func ones(_ outputs: Int, _ inputs: Int) -> Tensor {
      wideTensor(
        [outputs, inputs, 1, 1], [Double](repeating: 1, count: outputs * inputs))
    }
    let three = Branch.convolution(
      wideTensor([3, 2, 1, 1], [Double](repeating: 1, count: 6)), bias: nil)
    #expect(problem(dense + .layer("identity", .identity)) == nil)
    #expect(
      problem(dense + .layer("identity", .identity), groups: 1)
        == "layer 'identity': the identity branch needs as many input as output channels, but 4 come out of 2 times 1"
    )
    #expect(problem(dense + even) == "a kernel of 2x2 has no middle in one of 3x3")
    #expect(
      problem(dense + .layer("pointwise", other))
        == "layer 'pointwise': its kernel is 4x4x1x1, but beside the block's others it has to be "
        + "4x2x1x1")
    #expect(
      problem(three.then(dense)) == "its second convolution takes 2 channels to 4, after 3")
    #expect(problem(.identity) == "no kernel tells how many channels go in and out")
    #expect(problem(dense, groups: 3) == "4 output channels in 3 groups")
    #expect(
      problem(.unrolled(three, height: 2, width: 2))
        == "its kernel is 3x2x1x1, but beside the block's others it has to be 3x1x1x1")
    #expect(
      problem(dense + Branch.separable(depthwise: ones(3, 1), pointwise: ones(4, 4)))
        == "its 1x1 convolution takes 4 channels to 4, after 3, which are no multiple of 2")
    #expect(
      problem(dense.shifted(by: wideTensor([3], [1, 2, 3])))
        == "it has 3 shifts for 4 channels")
  }
}
