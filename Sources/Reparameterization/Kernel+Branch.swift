public import Blocks
internal import Tensors

/// Why a tree of branches is no single convolution, in words.
public struct KernelProblem: Error, Equatable, Sendable {
  /// Which branch, and what of it, without a full stop.
  public var what: String
}

extension Kernel {
  /// The kernel that a block's branches amount to, not yet computed. Reads short vectors (biases,
  /// factors), but no weights.
  ///
  /// - Parameter groups: of the block's convolution, if they are known; all branches are held to it.
  /// - Throws: `KernelProblem` if branches do not go together; `ReadError`.
  public init(_ branch: Branch, groups: Int? = nil) throws {
    let extent = try Extent(of: branch)
    guard let outputs = extent.outputs, let inputs = extent.inputs else {
      throw KernelProblem(what: "no kernel tells how many channels go in and out")
    }
    if let groups {
      guard groups > 0, outputs.isMultiple(of: groups) else {
        throw KernelProblem(what: "\(outputs) output channels in \(groups) groups")
      }
    }
    self = try Kernel.make(branch, outputs: outputs, inputs: inputs, groups: groups)
  }

  /// The kernel that one of a block's branches adds to the whole, not yet computed: of the same shape, also
  /// where the branch is an identity, which by itself has no number of channels.
  ///
  /// - Precondition: `whole` is the kernel of a tree that has the branch.
  /// - Throws: `KernelProblem`, `ReadError`.
  public init(_ branch: Branch, partOf whole: Kernel) throws {
    self = try Kernel.make(
      branch, outputs: whole.shape[0], inputs: whole.shape[1], groups: nil
    ).padded(to: whole.shape[2], whole.shape[3])
  }

  /// - Parameters:
  ///   - outputs: output channels.
  ///   - inputs: input channels of one group.
  private static func make(
    _ branch: Branch, outputs: Int, inputs: Int, groups: Int?
  ) throws -> Kernel {
    func inside(_ branch: Branch) throws -> Kernel {
      try make(branch, outputs: outputs, inputs: inputs, groups: groups)
    }
    /// Groups of an identity or average, which add input channel o to output channel o.
    func groupsOfDiagonal(_ what: String) throws -> Int {
      guard inputs > 0, outputs.isMultiple(of: inputs),
        groups.map({ outputs == inputs * $0 }) ?? true
      else {
        throw KernelProblem(
          what: "\(what) needs as many input as output channels, but \(outputs) come out of "
            + "\(inputs)\(groups.map { " times \($0)" } ?? " or a multiple of that")")
      }
      return outputs / inputs
    }
    switch branch {
    case .convolution(let weight, let bias):
      guard weight.shape[0] == outputs, weight.shape[1] == inputs else {
        throw KernelProblem(
          what: "its kernel is \(weight.shape), but beside the block's others it has to be "
            + "\(outputs)x\(inputs)x\(weight.shape[2])x\(weight.shape[3])")
      }
      return Kernel(convolution: weight, bias: try bias?.doubles())
    case .identity:
      return Kernel(identityOf: outputs, groups: try groupsOfDiagonal("the identity branch"))
    case .average(let size):
      return Kernel(averageOf: outputs, groups: try groupsOfDiagonal("the average"), size: size)
    case .separable(let depthwise, let pointwise):
      let (channels, taken) = (depthwise.shape[0], pointwise.shape[1])
      guard pointwise.shape[0] == outputs, inputs > 0, taken > 0, taken.isMultiple(of: inputs),
        channels.isMultiple(of: taken), outputs.isMultiple(of: channels / taken),
        groups.map({ $0 == channels / taken }) ?? true
      else {
        throw KernelProblem(
          what: "its 1x1 convolution takes \(taken) channels to \(pointwise.shape[0]), after "
            + "\(channels), which are no multiple of \(inputs)")
      }
      return Kernel(depthwise: depthwise, pointwise: pointwise, inputs: inputs)
    case .unrolled(let branch, let height, let width):
      let area = height * width
      guard area > 0, outputs.isMultiple(of: area), inputs == area else {
        throw KernelProblem(
          what: "maps of \(height)x\(width) are no rows of \(inputs) and \(outputs) values")
      }
      let kernel = try make(branch, outputs: outputs / area, inputs: 1, groups: outputs / area)
      guard kernel.shape[2] % 2 == 1, kernel.shape[3] % 2 == 1 else {
        throw KernelProblem(
          what: "a kernel of \(kernel.shape[2])x\(kernel.shape[3]) has no middle")
      }
      return try kernel.unrolled(height: height, width: width)
    case .batchNorm(let branch, let norm):
      let kernel = try inside(branch)
      guard norm.channelCount == outputs else {
        throw KernelProblem(
          what: "its BatchNorm is of \(norm.channelCount) channels, after \(outputs)")
      }
      return kernel.folding(norm)
    case .scaled(let branch, let factors):
      var numbers = try factors.doubles()
      if numbers.count == 1 { numbers = [Double](repeating: numbers[0], count: outputs) }
      guard numbers.count == outputs else {
        throw KernelProblem(what: "it has \(numbers.count) factors for \(outputs) channels")
      }
      return try inside(branch).scaled(by: numbers)
    case .shifted(let branch, let shifts):
      let numbers = try shifts.doubles()
      guard numbers.count == outputs else {
        throw KernelProblem(what: "it has \(numbers.count) shifts for \(outputs) channels")
      }
      return try inside(branch).shifted(by: numbers)
    case .dilated(let branch, let rate):
      return try inside(branch).dilated(by: rate)
    case .then(let first, let second):
      // What takes every channel for itself does so whatever the groups.
      let extent = try Extent(of: second)
      let between = try Extent(of: first).outputs ?? outputs
      let taken = extent.inputs ?? 1
      guard taken > 0, between.isMultiple(of: taken), outputs.isMultiple(of: between / taken),
        groups.map({ (between / taken).isMultiple(of: $0) }) ?? true
      else {
        throw KernelProblem(
          what: "its second convolution takes \(taken) channels to \(outputs), after \(between)")
      }
      return try make(first, outputs: between, inputs: inputs, groups: groups)
        .then(make(second, outputs: outputs, inputs: taken, groups: between / taken))
    case .sum(let branches):
      let kernels = try branches.map(inside)
      let (height, width) = (kernels.map(\.shape[2]).max()!, kernels.map(\.shape[3]).max()!)
      let padded = try kernels.map { kernel in
        guard (height - kernel.shape[2]).isMultiple(of: 2),
          (width - kernel.shape[3]).isMultiple(of: 2)
        else {
          throw KernelProblem(
            what: "a kernel of \(kernel.shape[2])x\(kernel.shape[3]) has no middle in one of "
              + "\(height)x\(width)")
        }
        return kernel.padded(to: height, width)
      }
      return padded.dropFirst().reduce(padded[0], +)
    case .layer(let address, let branch):
      do {
        return try inside(branch)
      } catch let problem as KernelProblem {
        let what =
          problem.what.hasPrefix("layer '") ? problem.what : "layer '\(address)': \(problem.what)"
        throw KernelProblem(what: what)
      }
    }
  }
}

/// What a tree says of its channels: nil where it takes any number.
private struct Extent {
  var outputs: Int?
  /// Of one group.
  var inputs: Int?

  init(of branch: Branch) throws {
    switch branch {
    case .convolution(let weight, _):
      (outputs, inputs) = (weight.shape[0], weight.shape[1])
    case .identity, .average: break
    case .separable(_, let pointwise): outputs = pointwise.shape[0]
    case .unrolled(let branch, let height, let width):
      outputs = try Extent(of: branch).outputs.map { $0 * height * width }
      inputs = height * width
    case .batchNorm(let branch, let norm):
      self = try Extent(of: branch)
      outputs = outputs ?? norm.channelCount
    case .shifted(let branch, let shifts):
      self = try Extent(of: branch)
      outputs = outputs ?? shifts.shape.elementCount
    case .scaled(let branch, _), .dilated(let branch, _), .layer(_, let branch):
      self = try Extent(of: branch)
    case .then(let first, let second):
      let (a, b) = (try Extent(of: first), try Extent(of: second))
      outputs = b.outputs ?? a.outputs
      inputs = a.inputs ?? b.inputs
    case .sum(let branches):
      for branch in branches {
        let other = try Extent(of: branch)
        outputs = outputs ?? other.outputs
        inputs = inputs ?? other.inputs
      }
    }
  }
}
