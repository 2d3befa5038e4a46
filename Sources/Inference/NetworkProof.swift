public import Conversion
internal import ImageFiles
internal import Tensors

/// What came of running a training form and its deploy form on the same images, where that can be done.
public enum NetworkProof: Sendable {
  /// Both were run on these images.
  case compared(NetworkComparison, ImageSelection)
  /// They were not run, for this reason; the algebra is the proof.
  case leftOut(reason: String)

  /// Whether nothing that was run differs.
  public var holds: Bool {
    if case .compared(let comparison, _) = self { comparison.holds } else { true }
  }

  /// Runs both forms if they are known as whole networks.
  ///
  /// - Parameters:
  ///   - report: of their algebra.
  ///   - mustRun: whether it is an error if they cannot be run.
  ///   - batch: images that are computed at a time.
  ///   - progress: called with the number of images done since the last call, and once, with 0 and the total,
  ///     before the first.
  ///   - images: chooses the images, given the training form.
  /// - Throws: `InferenceError`, `ReadError`.
  public init(
    of report: VerifyReport, _ options: ComparisonOptions, mustRun: Bool = false, batch: Int = 16,
    progress: (_ done: Int, _ total: Int?) -> Void = { _, _ in },
    images: (RunnableNetwork) throws -> ImageSelection
  ) throws {
    if !report.train.damage.isEmpty || !report.deploy.damage.isEmpty {
      self = .leftOut(reason: "a file is damaged")
      return
    }
    var selected: ImageSelection?
    do {
      let comparison = try NetworkComparison(
        of: report, epsilon: options.epsilon, batch: batch, threads: options.threads,
        progress: { progress($0, nil) },
        input: { train in
          let images = try images(train)
          selected = images
          progress(0, 4 * images.input.count)
          return images.input
        })
      self = .compared(comparison, selected!)
    } catch let error as InferenceError where !mustRun {
      switch error {
      case .notANetwork(let path, let reason): self = .leftOut(reason: "\(path): \(reason)")
      case .noBLAS: self = .leftOut(reason: "\(error)".replacing("\n ", with: ""))
      default: throw error
      }
    }
  }
}

extension ImageSelection {
  /// Random numbers of the shape that a network takes: what is run where no images are named.
  public init(
    randomFor network: RunnableNetwork, count: Int = 2,
    _ pictures: PictureOptions = PictureOptions(), seed: UInt64 = 0
  ) throws(InferenceError) {
    let size = try pictures.preparation(for: network).size
    try self.init(randomOf: [count, network.inputChannels ?? 3, size, size], seed: seed)
  }
}
