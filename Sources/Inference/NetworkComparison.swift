internal import Checkpoints
public import Conversion
internal import Naming
internal import Proof
public import Tensors

/// A training form and its deploy form, run on the same images.
public struct NetworkComparison: Sendable {
  /// What came of it in one arithmetic.
  public struct Outcome: Equatable, Sendable {
    /// What both forms were computed in.
    public var arithmetic: Arithmetic
    /// The largest magnitude of the training form's logits.
    public var largestLogit = 0.0
    /// The largest difference of two logits; infinite if one is no number and the other is.
    public var largestDifference = 0.0
    /// Images for which both forms find the same class.
    public var agreeing = 0

    /// The largest difference as a fraction of the largest logit.
    public var relative: Double {
      largestDifference == 0 ? 0 : largestDifference / largestLogit
    }
  }

  /// Images that both forms were run on.
  public let images: Int
  /// `C x H x W`.
  public let shape: Shape
  /// In float64, then in float32.
  public let outcomes: [Outcome]
  /// What the relative difference in float64 may be.
  public let limit: Double

  /// Whether the forms give the same in float64, but for the rounding of stored weights. Float32 adds
  /// what its own rounding does to that, which depends on the network and is no fault of either file.
  public var holds: Bool {
    outcomes.allSatisfy { $0.arithmetic == .float32 || $0.relative <= limit }
  }
}

extension NetworkComparison {
  /// Runs the two networks of `report`, one form at a time, in float64 and in float32.
  ///
  /// - Parameters:
  ///   - input: makes the images, given the training form.
  ///   - batch: images that are computed at a time.
  ///   - progress: called with the number of images done since the last call, of four times all.
  /// - Throws: `InferenceError.notANetwork` if the graph of one of them is not known; other
  ///   `InferenceError`s, `ReadError`.
  public init(
    of report: VerifyReport, epsilon: Double? = nil, batch: Int = 16, threads: Threads = .all,
    progress: (Int) -> Void = { _ in }, input: (RunnableNetwork) throws -> NetworkInput
  ) throws {
    var images: NetworkInput?
    func logits(_ network: RunnableNetwork) throws -> [[Double]] {
      let ready = try images ?? input(network)
      images = ready
      return try network.logits(for: ready, batch: batch, threads: threads, progress: progress)
    }
    outcomes = try [Arithmetic.float64, .float32].map { arithmetic in
      // One form after the other, each let go when it has been run: memory for one is much.
      let expected = try logits(
        RunnableNetwork(
          report.trainNetwork, describedBy: report.train.model, arithmetic: arithmetic,
          epsilon: epsilon))
      let found = try logits(.deploy(of: report, arithmetic: arithmetic, epsilon: epsilon))
      return try Outcome(arithmetic, expected, found, path: report.deploy.path)
    }
    self.images = images!.count
    shape = images!.shape
    limit = Self.limit(report)
  }

  /// The error of a weight, times what many layers make of it: measured, some tens; here 1024. For coarse
  /// types that would be anything; half of the largest logit is what a network that is put together in
  /// another way exceeds.
  private static func limit(_ report: VerifyReport) -> Double {
    let growth = 1024.0
    // A kernel of any other type is one in 127 steps to either side.
    let coarsest =
      report.deploy.kernelTypes.map { Proof.Precision($0)?.unitRoundoff ?? 0x1p-7 }.max() ?? 0x1p-24
    let rounding = min(0.5 / growth, coarsest)
    let ofWeights =
      switch report.tolerance {
      case .rounding: rounding
      case .ulps(let count): max(1, 2 * count) * rounding
      case .relative(let fraction): max(fraction, rounding)
      }
    return max(1e-9, growth * ofWeights)
  }
}

extension NetworkComparison.Outcome {
  fileprivate init(
    _ arithmetic: Arithmetic, _ expected: [[Double]], _ found: [[Double]], path: String
  ) throws(InferenceError) {
    self.arithmetic = arithmetic
    for (expected, found) in zip(expected, found) {
      guard expected.count == found.count else {
        throw .notANetwork(
          path: path,
          reason:
            "it gives \(found.count) numbers for an image, the training form \(expected.count)"
        )
      }
      for (a, b) in zip(expected, found) where a != b && !(a.isNaN && b.isNaN) {
        let difference = (a - b).magnitude
        largestDifference = max(largestDifference, difference.isNaN ? .infinity : difference)
      }
      largestLogit = expected.reduce(largestLogit) { max($0, $1.magnitude) }
      if topClasses(expected, count: 1) == topClasses(found, count: 1) { agreeing += 1 }
    }
  }
}

extension RunnableNetwork {
  /// A file that describes its network by its graph, any other by its names and shapes.
  fileprivate static func deploy(
    of report: VerifyReport, arithmetic: Arithmetic, epsilon: Double?
  ) throws -> RunnableNetwork {
    guard let model = report.deploy.model, model.graph != nil else {
      // Another graph with the same weights would say nothing of the file's own.
      if let reason = report.onnx?.notRun {
        throw InferenceError.notANetwork(path: report.deploy.path, reason: reason)
      }
      return try RunnableNetwork(
        report.deployNetwork, describedBy: report.deploy.model, arithmetic: arithmetic,
        epsilon: epsilon)
    }
    return try RunnableNetwork(
      model, tensors: report.deployNetwork.stateDict.tensors.map(\.tensor),
      path: report.deploy.path, arithmetic: arithmetic)
  }
}
